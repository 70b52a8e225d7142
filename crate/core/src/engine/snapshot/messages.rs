//! Which messages are still to be pushed. Devices share them: each is in a part of a snapshot once.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::device::{Device, MessageDigest, MessageIdentity, Notification};
use crate::ids::RoomId;
use crate::message::{IdHash, MessageIds, StanzaIds};
use crate::options::Options;
use crate::time::Instant;

use super::is_age;
use crate::engine::digests::Digests;

/// What later messages name a message by, and what of its words is to be told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageState {
    /// The bare JID of its author; `None` where it is the room itself, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The hash of the occupant JID that it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Hashes of its ids, and of those of its last correction.
    pub ids: Vec<StanzaIdsState>,
    /// How old it is.
    pub age: f64,
    /// The occupant JID of its author, where the app server may know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Its text, where the app server may know it, and no newer message speaks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// Hashes of the ids of a stanza.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StanzaIdsState {
    /// Of that which the room has given it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stanza_id: Option<String>,
    /// Of that which its author has given it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin_id: Option<String>,
    /// Of its `id` attribute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The messages that some devices have yet to hear of, each with its place.
#[derive(Default)]
pub(super) struct Messages {
    in_order: Vec<Arc<MessageIdentity>>,
    /// By their addresses.
    places: HashMap<*const MessageIdentity, usize>,
    /// What is told of those whose words are, by their addresses.
    words: HashMap<*const MessageIdentity, Arc<MessageDigest>>,
}

impl Messages {
    /// Adds those of a device. Returns about how many bytes this takes.
    pub(super) fn add(&mut self, device: &Device) -> usize {
        device.notifications().map(|(_, notification)| self.add_notification(notification)).sum()
    }

    /// Adds those that a notification stands for. Returns about how many bytes this takes.
    pub(super) fn add_notification(&mut self, notification: &Notification) -> usize {
        let mut size = 0;
        for message in notification.identities().chain(notification.mentions()) {
            size += 10;
            self.places.entry(Arc::as_ptr(message)).or_insert_with(|| {
                self.in_order.push(message.clone());
                size += 150;
                0
            });
        }
        let newest = notification.newest();
        if newest.sender.is_some() || newest.body.is_some() {
            self.words.entry(Arc::as_ptr(&newest.identity)).or_insert_with(|| {
                size += newest.body.as_ref().map_or(0, |body| body.len()) + 100;
                newest.clone()
            });
        }
        size
    }

    /// All of them are there: gives each its place.
    pub(super) fn sort(&mut self) {
        self.in_order.sort_unstable_by_key(|message| message.order);
        self.places =
            self.in_order.iter().zip(1..).map(|(message, place)| (Arc::as_ptr(message), place)).collect();
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// Whether what is told of a message is what this says.
    pub(super) fn tells(&self, digest: &MessageDigest) -> bool {
        let told = self.words.get(&Arc::as_ptr(&digest.identity));
        told.is_some_and(|told| told.sender == digest.sender && told.body == digest.body)
    }

    /// The places of messages.
    pub(super) fn places<'a>(&self, of: impl Iterator<Item = &'a Arc<MessageIdentity>>) -> Vec<usize> {
        of.filter_map(|message| self.places.get(&Arc::as_ptr(message))).copied().collect()
    }

    /// What is stored of them.
    pub(super) fn states(&self, options: &Options, now: Instant) -> Vec<MessageState> {
        let state = |message: &Arc<MessageIdentity>| {
            MessageState::of(message, self.words.get(&Arc::as_ptr(message)), options, now)
        };
        self.in_order.iter().map(state).collect()
    }
}

/// The messages of a part of a snapshot, in their places.
pub(super) struct RestoredMessages<'a> {
    states: &'a [MessageState],
    /// `None` for what makes no sense.
    identities: Vec<Option<Arc<MessageIdentity>>>,
    /// What pushes say of them, for all devices: by message, room, and whether its words are told.
    digests: HashMap<(*const MessageIdentity, RoomId, bool), Arc<MessageDigest>>,
}

impl<'a> RestoredMessages<'a> {
    pub(super) fn new(states: &'a [MessageState], digests: &mut Digests, now: Instant) -> Self {
        let mut identity =
            |state: &MessageState| state.is_valid().then(|| digests.identity(state.ids(), now - state.age));
        let identities = states.iter().map(&mut identity).collect();
        RestoredMessages { states, identities, digests: HashMap::new() }
    }

    /// The messages in these places.
    pub(super) fn found(&self, places: &[usize]) -> Vec<Arc<MessageIdentity>> {
        places.iter().filter_map(|&place| self.at(place)).cloned().collect()
    }

    /// The last one of them.
    pub(super) fn newest(&self, places: &[usize]) -> Option<&Arc<MessageIdentity>> {
        places.iter().rev().find_map(|&place| self.at(place))
    }

    fn at(&self, place: usize) -> Option<&Arc<MessageIdentity>> {
        self.identities.get(place.checked_sub(1)?)?.as_ref()
    }

    /// What pushes say of a message of a room. Its words are those of the message in this place.
    pub(super) fn digest(
        &mut self,
        message: &Arc<MessageIdentity>,
        (room, jid): (RoomId, &Arc<str>),
        place: Option<usize>,
        options: &Options,
    ) -> Arc<MessageDigest> {
        let key = (Arc::as_ptr(message), room, place.is_some());
        let states = self.states;
        let digest = self.digests.entry(key).or_insert_with(|| {
            let state = place.and_then(|place| states.get(place.checked_sub(1)?));
            let sender = state.and_then(|state| state.sender.as_deref()).filter(|_| options.with_sender);
            let body = state.and_then(|state| state.body.as_deref()).filter(|_| options.with_body);
            let (sender, body) = (sender.map(Into::into), body.map(Into::into));
            Arc::new(MessageDigest { sender, body, ..MessageDigest::without_words(jid, message) })
        });
        digest.clone()
    }
}

impl MessageState {
    /// What stands in the place of a message that cannot be read.
    pub fn unreadable() -> Self {
        MessageState { age: f64::NAN, ..MessageState::default() }
    }

    /// Whether its age can be one.
    pub(super) fn is_valid(&self) -> bool {
        is_age(self.age)
    }

    fn of(
        message: &MessageIdentity,
        words: Option<&Arc<MessageDigest>>,
        options: &Options,
        now: Instant,
    ) -> Self {
        // App servers may know no more than what the options say now: nothing else is worth storing.
        let sender = words.and_then(|words| words.sender.as_deref()).filter(|_| options.with_sender);
        let body = words.and_then(|words| words.body.as_deref()).filter(|_| options.with_body);
        let MessageIds { author, from, stanzas } = &message.ids;
        MessageState {
            author: author.as_deref().map(str::to_owned),
            from: from.map(|from| from.to_string()),
            ids: stanzas.iter().map(StanzaIdsState::of).collect(),
            age: now.seconds_since(message.sent).max(0.0),
            sender: sender.map(str::to_owned),
            body: body.map(str::to_owned),
        }
    }

    fn ids(&self) -> MessageIds {
        let stanzas = self.ids.iter().map(StanzaIdsState::ids).collect();
        let from = self.from.as_deref().and_then(IdHash::parse);
        MessageIds { author: self.author.as_deref().map(Into::into), from, stanzas }
    }
}

impl StanzaIdsState {
    fn of(ids: &StanzaIds) -> Self {
        let text = |id: Option<IdHash>| id.map(|id| id.to_string());
        StanzaIdsState { stanza_id: text(ids.stanza_id), origin_id: text(ids.origin_id), id: text(ids.id) }
    }

    fn ids(&self) -> StanzaIds {
        let hash = |text: &Option<String>| text.as_deref().and_then(IdHash::parse);
        StanzaIds { stanza_id: hash(&self.stanza_id), origin_id: hash(&self.origin_id), id: hash(&self.id) }
    }
}

//! Which messages are still to be pushed. Devices share them: each is in a snapshot once.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::device::{Device, MessageIdentity, Notification};
use crate::devices::Devices;
use crate::message::{IdHash, MessageIds, StanzaIds};
use crate::time::Instant;

use crate::engine::messages::Digests;

/// What later messages name a message by. Of its words nothing is here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageState {
    /// The bare JID of its author; `None` where it is the room itself, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Hashes of its ids, and of those of its last correction.
    pub ids: Vec<StanzaIdsState>,
    /// How old it is.
    pub age: f64,
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

/// The messages that any device has yet to hear of, each with its place.
pub(super) struct Messages {
    in_order: Vec<Arc<MessageIdentity>>,
    /// By their addresses.
    places: HashMap<*const MessageIdentity, usize>,
}

impl Messages {
    /// Those of all devices.
    pub(super) fn of(devices: &Devices) -> Self {
        let mut found = HashMap::new();
        for notification in devices.iter().flat_map(pending_and_in_flight) {
            for message in notification.identities().chain(notification.mentions()) {
                found.entry(Arc::as_ptr(message)).or_insert_with(|| message.clone());
            }
        }
        let mut in_order: Vec<Arc<MessageIdentity>> = found.into_values().collect();
        in_order.sort_unstable_by_key(|message| message.order);
        let places = in_order.iter().zip(1..).map(|(message, place)| (Arc::as_ptr(message), place)).collect();
        Messages { in_order, places }
    }

    /// The places of messages.
    pub(super) fn places<'a>(&self, of: impl Iterator<Item = &'a Arc<MessageIdentity>>) -> Vec<usize> {
        of.filter_map(|message| self.places.get(&Arc::as_ptr(message))).copied().collect()
    }

    /// What is stored of them.
    pub(super) fn states(&self, now: Instant) -> Vec<MessageState> {
        self.in_order.iter().map(|message| MessageState::of(message, now)).collect()
    }
}

/// What a device has yet to hear of, and what is on its way.
fn pending_and_in_flight(device: &Device) -> impl Iterator<Item = &Notification> {
    let in_flight = device.delivery().in_flight().map(|in_flight| &in_flight.notifications);
    in_flight
        .into_iter()
        .chain([device.unread().pending()])
        .flat_map(|notifications| notifications.rooms())
        .map(|(_, it)| it)
}

/// The messages of a snapshot, in their places.
pub(super) fn restore(
    states: &[MessageState],
    digests: &mut Digests,
    now: Instant,
) -> Vec<Arc<MessageIdentity>> {
    states.iter().map(|state| digests.identity(state.ids(), now - state.age)).collect()
}

impl MessageState {
    fn of(message: &MessageIdentity, now: Instant) -> Self {
        let MessageIds { author, stanzas } = &message.ids;
        MessageState {
            author: author.as_deref().map(str::to_owned),
            ids: stanzas.iter().map(StanzaIdsState::of).collect(),
            age: now.seconds_since(message.sent),
        }
    }

    fn ids(&self) -> MessageIds {
        let stanzas = self.ids.iter().map(StanzaIdsState::ids).collect();
        MessageIds { author: self.author.as_deref().map(Into::into), stanzas }
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

//! What a device has yet to hear of: of each room the newest message, and which others it stands for.

use std::cmp::Ordering;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::by_room;
use super::earlier::Earlier;
use super::revising::Revising;
use crate::ids::RoomId;
use crate::message::MessageIds;
use crate::originals::Original;
use crate::time::Instant;
use crate::work;

/// Which message it is: all that is kept of one that a newer one speaks for.
#[derive(Debug)]
pub(crate) struct MessageIdentity {
    /// What later messages name it by.
    pub(crate) ids: MessageIds,
    /// When it was sent.
    pub(crate) sent: Instant,
    /// Tells which of two messages the engine came to know later.
    pub(crate) order: u64,
    /// Whether it came back from a session.
    pub(crate) has_bounced: bool,
}

impl MessageIdentity {
    /// Which of two messages was sent later.
    pub(super) fn cmp_sent(&self, other: &Self) -> Ordering {
        self.sent.cmp(&other.sent).then(self.order.cmp(&other.order))
    }
}

/// What a push says about the newest message of a room, shared by all devices that get one.
#[derive(Debug, Clone)]
pub(crate) struct MessageDigest {
    /// The room's bare JID.
    pub(crate) room: Arc<str>,
    /// The occupant JID of the author, where any app server may know it.
    pub(crate) sender: Option<Arc<str>>,
    /// The text, where any app server may know it.
    pub(crate) body: Option<Arc<str>>,
    /// The broadcast message, where another module wants to see it.
    pub(crate) original: Option<Original>,
    /// Which message it is.
    pub(crate) identity: Arc<MessageIdentity>,
    /// How many messages it stands for, where nothing is known of the others.
    pub(crate) messages: u32,
    /// Newer messages were already pushed, so its words are not pushed.
    pub(crate) is_outdated: bool,
}

impl MessageDigest {
    /// How much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let words = [&self.sender, &self.body].into_iter().flatten().map(|text| text.len()).sum::<usize>();
        let author = self.identity.ids.author.as_ref().map_or(0, |author| author.len());
        size_of::<MessageDigest>() + size_of::<MessageIdentity>() + words + author
    }

    /// The same message without its words: newer ones were already pushed.
    pub(super) fn outdated(&self) -> Self {
        let original = self.original.clone();
        MessageDigest { original, is_outdated: true, ..Self::without_words(&self.room, &self.identity) }
    }

    /// The same message for those who are not to hear its words from us, nor from other modules.
    pub(crate) fn withheld(&self) -> Self {
        Self::without_words(&self.room, &self.identity)
    }

    /// What a push says of a message that this one corrects.
    pub(crate) fn in_place_of(&self, before: &MessageIdentity) -> Self {
        let after = MessageIdentity { ids: before.ids.corrected(&self.identity.ids), ..*before };
        MessageDigest { identity: Arc::new(after), ..self.clone() }
    }

    /// What can be said of a message of which nothing else is kept.
    pub(crate) fn without_words(room: &Arc<str>, identity: &Arc<MessageIdentity>) -> Self {
        MessageDigest {
            room: room.clone(),
            sender: None,
            body: None,
            original: None,
            identity: identity.clone(),
            messages: 1,
            is_outdated: false,
        }
    }
}

/// Something of a room that a device has yet to hear of.
#[derive(Debug, Clone)]
pub(crate) struct Notification {
    /// The newest message.
    newest: Arc<MessageDigest>,
    /// The newest message that mentions the owner.
    mention: Option<Arc<MessageDigest>>,
    /// The other messages that it stands for. Most of the time there is but one: no memory is asked for then.
    earlier: Option<Box<Earlier>>,
}

impl Notification {
    /// That of one message, with those of which nothing is known.
    pub(crate) fn of(message: &Arc<MessageDigest>, is_mention: bool) -> Self {
        let mention = is_mention.then(|| message.clone());
        let earlier = Earlier::restored(message.messages.saturating_sub(1), &[], &[]);
        Notification { newest: message.clone(), mention, earlier: earlier.map(Box::new) }
    }

    /// What a snapshot says: of the newest message, and of so many earlier ones which of them they are and which mention
    /// the owner, both the newest last.
    pub(crate) fn restored(
        newest: &Arc<MessageDigest>,
        messages: u32,
        earlier: &[Arc<MessageIdentity>],
        mentions: &[Arc<MessageIdentity>],
    ) -> Self {
        let (mention, other_mentions) = mentions.split_last().map_or((None, &[][..]), |(last, others)| {
            let is_newest = Arc::ptr_eq(last, &newest.identity);
            let without_words = || Arc::new(MessageDigest::without_words(&newest.room, last));
            (Some(if is_newest { newest.clone() } else { without_words() }), others)
        });
        let earlier = Earlier::restored(messages.saturating_sub(1), earlier, other_mentions);
        Notification { newest: newest.clone(), mention, earlier: earlier.map(Box::new) }
    }

    /// Newer messages were already pushed: its words are not pushed.
    pub(super) fn forget_words(&mut self) {
        self.newest = Arc::new(self.newest.outdated());
    }

    /// The newest of the messages.
    pub(crate) fn newest(&self) -> &Arc<MessageDigest> {
        &self.newest
    }

    /// Whether any of the messages mentions the owner.
    pub(crate) fn is_mention(&self) -> bool {
        self.mention.is_some()
    }

    /// How many messages it stands for.
    pub(crate) fn messages(&self) -> u32 {
        self.earlier.as_ref().map_or(1, |earlier| earlier.messages().saturating_add(1))
    }

    /// Which messages it stands for, as far as that is known; the newest last.
    pub(crate) fn identities(&self) -> impl DoubleEndedIterator<Item = &Arc<MessageIdentity>> {
        let earlier = self.earlier.iter().flat_map(|earlier| earlier.identities());
        earlier.chain([&self.newest.identity])
    }

    /// Which of them mention the owner, the newest last.
    pub(crate) fn mentions(&self) -> impl DoubleEndedIterator<Item = &Arc<MessageIdentity>> {
        let earlier = self.earlier.iter().flat_map(|earlier| earlier.mentions());
        earlier.chain(self.mention.iter().map(|mention| &mention.identity))
    }

    /// Appends all in which it may differ from others: numbers, and addresses of what they share.
    pub(crate) fn append_content(&self, content: &mut impl Extend<usize>) {
        let mention = self.mention.as_ref().map_or(0, |mention| Arc::as_ptr(mention).addr());
        content.extend([Arc::as_ptr(&self.newest).addr(), mention]);
        if let Some(earlier) = &self.earlier {
            let address = |message: &Arc<MessageIdentity>| Arc::as_ptr(message).addr();
            content.extend([earlier.messages() as usize]);
            content.extend(earlier.identities().map(address));
            content.extend([0]);
            content.extend(earlier.mentions().map(address));
        }
    }

    /// Takes over what another one stands for. The message that was sent later speaks for both.
    pub(crate) fn merge(&mut self, mut other: Notification) {
        if other.newest.identity.sent > self.newest.identity.sent {
            std::mem::swap(self, &mut other);
        }
        let earlier = self.earlier.get_or_insert_with(|| other.earlier.take().unwrap_or_default());
        if let Some(more) = other.earlier {
            earlier.absorb(&more);
        }
        earlier.add(&other.newest.identity);
        match (&self.mention, other.mention) {
            (Some(_), Some(mention)) => earlier.add_mention(&mention.identity),
            (None, Some(mention)) => self.mention = Some(mention),
            (_, None) => {}
        }
    }

    /// The message that a revision is about, if it is one of these: of two that have the same id the newer one.
    fn find(&self, revising: &Revising) -> Option<Arc<MessageIdentity>> {
        let mut known = self.identities().rev().chain(self.mentions().rev());
        known.find(|identity| revising.is_about(identity)).cloned()
    }

    /// A message is pushed no more. Returns whether anything is left to be pushed.
    fn retract(&mut self, retracted: &Arc<MessageIdentity>, revising: &mut Revising) -> bool {
        let is_newest = Arc::ptr_eq(&self.newest.identity, retracted);
        // It is the only one: also where it was known as the newest mention alone.
        let Some(earlier) = &mut self.earlier else { return false };
        let room = self.newest.room.clone();
        if is_newest {
            // The words of older messages are not kept.
            self.newest = match earlier.take_newest() {
                Some(next) => revising.without_words(&room, &next),
                None => revising.unknown(&room, retracted),
            };
        } else {
            earlier.remove(retracted);
        }
        if self.mention.as_ref().is_some_and(|mention| Arc::ptr_eq(&mention.identity, retracted)) {
            let next = earlier.take_newest_mention();
            self.mention = next.map(|next| revising.without_words(&room, &next));
        }
        self.earlier.take_if(|earlier| earlier.messages() == 0);
        true
    }

    /// A message has another text.
    fn correct(&mut self, before: &Arc<MessageIdentity>, revising: &mut Revising) {
        let corrected = revising.corrected(before);
        if let Some(mention) = self.mention.as_mut().filter(|it| Arc::ptr_eq(&it.identity, before)) {
            *mention = corrected.clone();
        }
        if let Some(earlier) = &mut self.earlier {
            earlier.replace(before, &corrected.identity);
        }
        if Arc::ptr_eq(&self.newest.identity, before) {
            let is_outdated = self.newest.is_outdated;
            self.newest = if is_outdated { Arc::new(corrected.outdated()) } else { corrected };
        }
    }
}

/// Notifications, room by room, in the order of the rooms' ids. Nearly always that is one room, for which no memory is to be
/// asked for: there is one of this for every push.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notifications(SmallVec<[(RoomId, Notification); 1]>);

impl Notifications {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That of a room.
    pub(crate) fn of_room(&self, room: RoomId) -> Option<&Notification> {
        let place = self.place(room).ok()?;
        self.0.get(place).map(|(_, notification)| notification)
    }

    /// The message that was sent last of all.
    pub(crate) fn newest(&self) -> Option<&Arc<MessageDigest>> {
        self.0.iter().map(|(_, notification)| &notification.newest).max_by(|one, other| cmp_sent(one, other))
    }

    /// The newest message that mentions the owner.
    pub(crate) fn newest_mention(&self) -> Option<&Arc<MessageDigest>> {
        let mentions = self.0.iter().filter(|(_, notification)| notification.mention.is_some());
        mentions
            .max_by(|(_, one), (_, other)| cmp_sent(&one.newest, &other.newest))
            .and_then(|(_, last)| last.mention.as_ref())
    }

    /// One of their rooms.
    pub(crate) fn any_room(&self) -> Option<RoomId> {
        self.0.first().map(|(room, _)| *room)
    }

    /// Each of them, with its room.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = (RoomId, &Notification)> {
        self.0.iter().map(|(room, notification)| (*room, notification))
    }

    /// Drops that of a room.
    pub(super) fn drop_room(&mut self, room: RoomId) {
        if let Ok(place) = self.place(room) {
            work::count(self.0.len() - place);
            self.0.remove(place);
        }
    }

    /// Drops those that are not to be kept.
    pub(super) fn retain(&mut self, is_kept: impl Fn(RoomId, &Notification) -> bool) {
        work::count(self.0.len());
        self.0.retain(|(room, notification)| is_kept(*room, notification));
    }

    pub(super) fn of_room_mut(&mut self, room: RoomId) -> Option<&mut Notification> {
        let place = self.place(room).ok()?;
        self.0.get_mut(place).map(|(_, notification)| notification)
    }

    /// Something is new in a room, besides what already is. Returns whether there was nothing before.
    pub(crate) fn add(&mut self, room: RoomId, notification: Notification) -> bool {
        match self.place(room) {
            Ok(place) => {
                if let Some((_, newest)) = self.0.get_mut(place) {
                    let before = std::mem::replace(newest, notification);
                    newest.merge(before);
                }
                false
            }
            Err(place) => {
                work::count(self.0.len() - place);
                self.0.insert(place, (room, notification));
                true
            }
        }
    }

    /// Takes over others, which merge into what is newer here: in one pass, as there may be very many of both.
    pub(super) fn absorb(&mut self, older: Self) {
        if self.is_empty() {
            *self = older;
            return;
        }
        work::count(self.0.len() + older.0.len());
        let mut merged = SmallVec::with_capacity(self.0.len().max(older.0.len()));
        let mut newer = std::mem::take(&mut self.0).into_iter().peekable();
        for (room, notification) in older.0 {
            while let Some(before) = newer.next_if(|(other, _)| *other < room) {
                merged.push(before);
            }
            match newer.next_if(|(other, _)| *other == room) {
                Some((_, mut newest)) => {
                    newest.merge(notification);
                    merged.push((room, newest));
                }
                None => merged.push((room, notification)),
            }
        }
        merged.extend(newer);
        self.0 = merged;
    }

    /// Takes out that of the room which has waited longest, of those that are ready if any is.
    pub(super) fn take_oldest(&mut self, is_ready: impl Fn(RoomId, &Notification) -> bool) -> Self {
        let oldest = self
            .0
            .iter()
            .enumerate()
            .min_by_key(|(_, (room, other))| (!is_ready(*room, other), other.newest.identity.order));
        let oldest = oldest.map(|(index, _)| index);
        oldest.map_or_else(Self::default, |index| Notifications(smallvec![self.0.remove(index)]))
    }

    /// Where that of a room is, or would have to be.
    fn place(&self, room: RoomId) -> Result<usize, usize> {
        by_room::find(&self.0, room, |(other, _)| *other)
    }

    /// A message of a room is taken back or corrected. Returns which one it was, if it is one of these.
    pub(super) fn revise(&mut self, room: RoomId, revising: &mut Revising) -> Option<Arc<MessageIdentity>> {
        let notification = self.of_room_mut(room)?;
        let message = notification.find(revising)?;
        if !revising.is_retraction() {
            notification.correct(&message, revising);
        } else if !notification.retract(&message, revising) {
            self.drop_room(room);
        }
        Some(message)
    }
}

/// Which of two messages was sent later.
fn cmp_sent(one: &MessageDigest, other: &MessageDigest) -> Ordering {
    one.identity.cmp_sent(&other.identity)
}

//! Messages that a newer one speaks for: which they are, in case one of them is taken back.

use std::sync::Arc;

use smallvec::SmallVec;

use super::notification::MessageIdentity;

/// How many messages are kept apart. Older ones only count.
const KEPT: usize = 32;

/// The messages that a notification stands for, besides its newest one.
#[derive(Debug, Clone, Default)]
pub(super) struct Earlier {
    /// How many there are.
    messages: u32,
    /// Which the newest of them are.
    known: Identities,
    /// Which of them mention the owner, besides the newest message that does. Most mention nobody.
    mentions: Identities,
}

impl Earlier {
    /// What a snapshot holds of so many messages; nothing where there are none.
    pub(super) fn restored(
        messages: u32,
        known: &[Arc<MessageIdentity>],
        mentions: &[Arc<MessageIdentity>],
    ) -> Option<Self> {
        let mut earlier = Earlier { messages, ..Self::default() };
        known.iter().for_each(|identity| earlier.known.insert(identity));
        mentions.iter().for_each(|identity| earlier.mentions.insert(identity));
        (messages > 0).then_some(earlier)
    }

    /// How many there are.
    pub(super) fn messages(&self) -> u32 {
        self.messages
    }

    /// Which they are, as far as that is known; the newest last.
    pub(super) fn identities(&self) -> impl DoubleEndedIterator<Item = &Arc<MessageIdentity>> {
        self.known.0.iter()
    }

    /// Which of them mention the owner, besides the newest message that does; the newest last.
    pub(super) fn mentions(&self) -> impl DoubleEndedIterator<Item = &Arc<MessageIdentity>> {
        self.mentions.0.iter()
    }

    /// One more message.
    pub(super) fn add(&mut self, message: &Arc<MessageIdentity>) {
        self.messages = self.messages.saturating_add(1);
        self.known.insert(message);
    }

    /// One of them mentions the owner, and another one is the newest that does.
    pub(super) fn add_mention(&mut self, message: &Arc<MessageIdentity>) {
        self.mentions.insert(message);
    }

    /// Those of another notification.
    pub(super) fn absorb(&mut self, other: &Earlier) {
        self.messages = self.messages.saturating_add(other.messages);
        other.identities().for_each(|identity| self.known.insert(identity));
        other.mentions().for_each(|identity| self.mentions.insert(identity));
    }

    /// Takes out the newest of them. Nothing is returned where it is not known which one that is.
    pub(super) fn take_newest(&mut self) -> Option<Arc<MessageIdentity>> {
        self.messages = self.messages.saturating_sub(1);
        self.known.0.pop()
    }

    /// Takes out the newest that mentions the owner.
    pub(super) fn take_newest_mention(&mut self) -> Option<Arc<MessageIdentity>> {
        self.mentions.0.pop()
    }

    /// One of them is taken back.
    pub(super) fn remove(&mut self, message: &Arc<MessageIdentity>) {
        self.messages = self.messages.saturating_sub(1);
        self.known.remove(message);
        self.mentions.remove(message);
    }

    /// One of them was corrected.
    pub(super) fn replace(&mut self, before: &Arc<MessageIdentity>, after: &Arc<MessageIdentity>) {
        self.known.replace(before, after);
        self.mentions.replace(before, after);
    }
}

/// Messages in the order in which they were sent. Two of them need no memory of their own.
#[derive(Debug, Clone, Default)]
struct Identities(SmallVec<[Arc<MessageIdentity>; 2]>);

impl Identities {
    fn insert(&mut self, message: &Arc<MessageIdentity>) {
        let is_older = |other: &Arc<MessageIdentity>| other.cmp_sent(message).is_le();
        let place = self.0.iter().rposition(is_older).map_or(0, |before| before + 1);
        if self.0.len() < KEPT {
            self.0.insert(place, message.clone());
        } else if let Some(place) = place.checked_sub(1) {
            self.0.remove(0);
            self.0.insert(place, message.clone());
        }
    }

    fn remove(&mut self, message: &Arc<MessageIdentity>) {
        self.0.retain(|other| !Arc::ptr_eq(other, message));
    }

    fn replace(&mut self, before: &Arc<MessageIdentity>, after: &Arc<MessageIdentity>) {
        if let Some(place) = self.0.iter_mut().find(|other| Arc::ptr_eq(other, before)) {
            *place = after.clone();
        }
    }
}

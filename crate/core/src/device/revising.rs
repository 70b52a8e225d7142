//! A revision on its way through the devices: what it makes of a message is made once, and shared by all of them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::message::{MessageIds, OwnedRevision, Revision};

use super::notification::{MessageDigest, MessageIdentity};

/// A message that takes back or corrects an earlier one, and what a push says instead.
#[derive(Debug)]
pub(crate) struct Revising {
    revision: OwnedRevision,
    /// What a push says in the place of a corrected message.
    digest: Arc<MessageDigest>,
    /// The same for those who are not to hear its words.
    withheld: Option<Box<Revising>>,
    /// What was made so far, and of which messages, by their addresses: there are many where a message has bounced too.
    made: HashMap<usize, (Arc<MessageIdentity>, Arc<MessageDigest>)>,
}

impl Revising {
    /// A revision that no device has heard of yet.
    pub(crate) fn new(revision: OwnedRevision, digest: Arc<MessageDigest>) -> Self {
        Revising { revision, digest, withheld: None, made: HashMap::new() }
    }

    /// What a push says in the place of a corrected message.
    pub(crate) fn digest(&self) -> &MessageDigest {
        &self.digest
    }

    /// The same for those who are not to hear its words.
    pub(crate) fn withheld(&mut self) -> &mut Self {
        self.withheld.get_or_insert_with(|| {
            Box::new(Revising::new(self.revision.clone(), Arc::new(self.digest.withheld())))
        })
    }

    /// Whether the message is pushed no more; otherwise it has another text.
    pub(super) fn is_retraction(&self) -> bool {
        self.revision().is_retraction()
    }

    /// Whether it is about this message.
    pub(super) fn is_about(&self, message: &MessageIdentity) -> bool {
        self.revision().is_about(&message.ids)
    }

    /// The digest of a message with its new text.
    pub(super) fn corrected(&mut self, before: &Arc<MessageIdentity>) -> Arc<MessageDigest> {
        self.shared(before, |revising| revising.digest.in_place_of(before))
    }

    /// What a push says of a message whose words are not kept.
    pub(super) fn without_words(
        &mut self,
        room: &Arc<str>,
        message: &Arc<MessageIdentity>,
    ) -> Arc<MessageDigest> {
        self.shared(message, |_| MessageDigest::without_words(room, message))
    }

    /// What a push says in the place of a retracted message, where nothing is known of the one before it.
    pub(super) fn unknown(
        &mut self,
        room: &Arc<str>,
        retracted: &Arc<MessageIdentity>,
    ) -> Arc<MessageDigest> {
        self.shared(retracted, |_| {
            // It may have bounced.
            let unknown = MessageIdentity { ids: MessageIds::default(), has_bounced: true, ..**retracted };
            MessageDigest::without_words(room, &Arc::new(unknown))
        })
    }

    fn revision(&self) -> Revision<'_> {
        Revision::from(&self.revision)
    }

    fn shared(
        &mut self,
        message: &Arc<MessageIdentity>,
        make: impl FnOnce(&mut Self) -> MessageDigest,
    ) -> Arc<MessageDigest> {
        let address = Arc::as_ptr(message).addr();
        if let Some((_, made)) = self.made.get(&address) {
            return made.clone();
        }
        let made = Arc::new(make(self));
        self.made.insert(address, (message.clone(), made.clone()));
        made
    }
}

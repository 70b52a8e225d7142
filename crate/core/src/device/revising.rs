//! A revision on its way through the devices: what it makes of a message is made once, and shared by all of them.

use std::sync::Arc;

use crate::message::{MessageIds, Revision};

use super::notification::{MessageDigest, MessageIdentity};

/// A message that takes back or corrects an earlier one, and what a push says instead.
#[derive(Debug)]
pub(crate) struct Revising<'a> {
    revision: Revision<'a>,
    /// What a push says in the place of a corrected message.
    digest: &'a MessageDigest,
    /// What was made so far, and of which messages: there is more than one where a message has bounced too.
    made: Vec<(Arc<MessageIdentity>, Arc<MessageDigest>)>,
}

impl<'a> Revising<'a> {
    /// A revision that no device has heard of yet.
    pub(crate) fn new(revision: Revision<'a>, digest: &'a MessageDigest) -> Self {
        Revising { revision, digest, made: Vec::new() }
    }

    /// Whether the message is pushed no more; otherwise it has another text.
    pub(super) fn is_retraction(&self) -> bool {
        self.revision.is_retraction()
    }

    /// Whether it is about this message.
    pub(super) fn is_about(&self, message: &MessageIdentity) -> bool {
        self.revision.is_about(&message.ids)
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

    fn shared(
        &mut self,
        message: &Arc<MessageIdentity>,
        make: impl FnOnce(&mut Self) -> MessageDigest,
    ) -> Arc<MessageDigest> {
        if let Some((_, made)) = self.made.iter().find(|(of, _)| Arc::ptr_eq(of, message)) {
            return made.clone();
        }
        let made = Arc::new(make(self));
        self.made.push((message.clone(), made.clone()));
        made
    }
}

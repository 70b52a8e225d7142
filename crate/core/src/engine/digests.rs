//! What is kept of messages until they are pushed.

use std::sync::Arc;

use crate::device::{MessageDigest, MessageIdentity};
use crate::message::{Message, MessageIds};
use crate::options::Options;
use crate::originals::Originals;
use crate::room::Room;
use crate::time::Instant;

/// Makes the digests of messages, each with a number of its own.
#[derive(Debug, Default)]
pub(super) struct Digests {
    originals: Originals,
    /// How many there were so far.
    made: u64,
    /// There are ways that tell what was said, whatever app servers in general may know.
    has_ways: bool,
}

impl Digests {
    /// Whether what is said is kept for ways.
    pub(super) fn set_has_ways(&mut self, has_ways: bool) {
        self.has_ways = has_ways;
    }

    /// A message that was sent at `sent`, and what it is named by.
    pub(super) fn identity(&mut self, ids: MessageIds, sent: Instant) -> Arc<MessageIdentity> {
        self.made += 1;
        Arc::new(MessageIdentity { ids, sent, order: self.made, has_bounced: false })
    }

    /// The same of a message that bounced.
    pub(super) fn bounced_identity(&mut self, ids: MessageIds, sent: Instant) -> Arc<MessageIdentity> {
        self.made += 1;
        Arc::new(MessageIdentity { ids, sent, order: self.made, has_bounced: true })
    }

    /// What a push may say of a message: nothing is kept that no app server may know.
    pub(super) fn digest(
        &mut self,
        message: Option<&Message<'_>>,
        keep_original: bool,
        room: &Room,
        identity: Arc<MessageIdentity>,
        options: &Options,
    ) -> MessageDigest {
        let element = message.map(Message::element);
        let Options { with_sender, with_body, keep_words, .. } = *options;
        let keep_words = keep_words || self.has_ways;
        let sender = element.and_then(|element| element.attr("from")).filter(|_| with_sender || keep_words);
        let body = message.filter(|_| with_body || keep_words);
        let body = body.and_then(|message| message.push_text(options.max_body_bytes));
        MessageDigest {
            room: room.jid().clone(),
            sender: sender.map(Into::into),
            body: body.map(Into::into),
            original: element.filter(|_| keep_original).map(|element| self.originals.keep(element)),
            identity,
            messages: 1,
            is_outdated: false,
        }
    }
}

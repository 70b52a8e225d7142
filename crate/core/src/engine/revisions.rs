//! What takes back or corrects an earlier message: no push says any more what that one said.

use std::sync::Arc;

use minidom::Element;

use crate::device::{MessageDigest, MessageIdentity};
use crate::message::{Message, MessageIds, Revision};
use crate::options::Options;
use crate::room::Room;
use crate::time::Instant;

use super::messages::Digests;

/// What a push says in the place of the message that a revision corrects; nothing where it takes one back. `element` is the
/// revision as the room has sent it at `sent`.
pub(super) fn digest(
    revision: &Revision<'_>,
    element: &Element,
    keep_original: bool,
    room: &Room,
    sent: Instant,
    digests: &mut Digests,
    options: &Options,
) -> Arc<MessageDigest> {
    let ids = MessageIds::read(element, room.jid(), revision.author());
    let identity = Arc::new(MessageIdentity { ids, sent, order: 0, has_bounced: false });
    let digest = if revision.is_retraction() {
        MessageDigest::without_words(room.jid(), &identity)
    } else {
        let message = Message::read(element, room.jid());
        digests.digest(Some(&message), keep_original, room, identity, options)
    };
    Arc::new(digest)
}

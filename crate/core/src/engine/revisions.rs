//! What takes back or corrects an earlier message: no push says any more what that one said.

use std::sync::Arc;

use minidom::Element;

use crate::device::{MessageDigest, MessageIdentity, Revising};
use crate::ids::RoomId;
use crate::message::{Message, MessageIds, OwnedRevision, Revision};
use crate::options::Options;
use crate::room::Room;
use crate::time::Instant;

use super::Engine;
use super::digests::Digests;
use super::fanout::{FanOut, Progress, Told};
use super::messages::{Bounce, Broadcast};

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

/// Messages that take back or correct an earlier one.
impl Engine {
    /// A message of a room takes back or corrects an earlier one.
    pub(super) fn revise(
        &mut self,
        id: RoomId,
        broadcast: &Broadcast<'_>,
        revision: Revision<'_>,
        now: Instant,
    ) {
        let Broadcast { message, keep_original, .. } = *broadcast;
        let Engine { rooms, registrations, devices, digests, fan_outs, without_consent, options, .. } = self;
        let has_to_wait = fan_outs.has_any_of(id);
        let Some(room) = rooms.get_mut(id) else { return };
        let digest = digest(&revision, message, keep_original, room, now, digests, options);
        let revision = OwnedRevision::from(revision);
        if fan_outs.admit_revision(id, &digest) {
            let progress = Progress::begin(room.members_and_nicknames().0, options, has_to_wait);
            let mut fan_out = FanOut::of_revision(Revising::new(revision.clone(), digest.clone()), progress);
            let mut told = Told { registrations, devices, without_consent, options };
            fan_out.begin(id, room, has_to_wait, &mut told);
            fan_outs.add(id, fan_out);
        }
        rooms.add_revision(id, revision, digest);
    }

    /// The same of one that bounced. Others than its recipient have got it.
    pub(super) fn revise_bounced(
        &mut self,
        id: RoomId,
        bounce: &Bounce<'_>,
        revision: Revision<'_>,
        now: Instant,
    ) {
        let (Some(room), Some(message)) = (self.rooms.get(id), bounce.message) else { return };
        let Some(user) = self.registrations.id(bounce.user) else { return };
        let sent = bounce.sent.unwrap_or(now);
        let digest =
            digest(&revision, message, bounce.keep_original, room, sent, &mut self.digests, &self.options);
        let mut revising = Revising::new(revision.into(), digest);
        for device in self.registrations.devices_of(user) {
            self.devices.revise(device, id, &mut revising);
        }
    }
}

//! What a fan-out tells, and to whom.

use std::sync::Arc;

use crate::device::{MessageDigest, Revising};
use crate::devices::Devices;
use crate::ids::{RoomId, UserId};
use crate::journal::Group;
use crate::mention::KnownNicknames;
use crate::options::Options;
use crate::room::{Member, Room};

use super::progress::Progress;
use crate::engine::consent::PushesWithoutConsent;
use crate::engine::messages::{Audience, Found};
use crate::engine::registrations::{Registrations, User};

/// What a fan-out tells.
#[derive(Debug)]
pub(super) enum Subject {
    /// A message.
    Message { digest: Arc<MessageDigest>, audience: Box<Audience> },
    /// What takes back or corrects one.
    Revision(Box<Revising>),
}

impl Subject {
    /// Tells those of these members who have yet to be told. Returns users among them who have no device.
    pub(super) fn tell(
        &mut self,
        room: RoomId,
        members: &mut [(UserId, Member)],
        known: &KnownNicknames,
        progress: &Progress,
        group: &mut Group,
        told: &mut Told<'_>,
    ) -> Vec<UserId> {
        match self {
            Subject::Message { digest, audience } => {
                let found = audience.find(members, progress, known, told);
                told.add_unread(room, digest, &found, group);
                found.without_device
            }
            Subject::Revision(revising) => {
                revise_all(room, members, progress, revising, told);
                Vec::new()
            }
        }
    }

    /// Tells those who are not absent, but have something unread.
    pub(super) fn tell_leaving(&mut self, id: RoomId, room: &Room, told: &mut Told<'_>) {
        if let Subject::Revision(revising) = self {
            room.leaving().for_each(|user| revise(id, user, revising, told));
        }
    }
}

/// What a fan-out reads and changes, besides the room.
pub(in crate::engine) struct Told<'a> {
    pub(in crate::engine) registrations: &'a Registrations,
    pub(in crate::engine) devices: &'a mut Devices,
    pub(in crate::engine) without_consent: &'a mut PushesWithoutConsent,
    pub(in crate::engine) options: &'a Options,
}

impl Told<'_> {
    /// Tells devices of a message. Those of members who have not consented to their membership hear no words, and of few.
    /// Returns how many there are.
    pub(in crate::engine) fn add_unread(
        &mut self,
        room: RoomId,
        digest: &Arc<MessageDigest>,
        found: &Found,
        group: &mut Group,
    ) -> usize {
        self.devices.add_unread(room, digest, &found.devices, group);
        let without_consent =
            self.without_consent.permitted(room, &found.without_consent, digest.identity.sent);
        if !without_consent.is_empty() {
            self.devices.add_unread(room, &Arc::new(digest.withheld()), &without_consent, group);
        }
        found.devices.len() + without_consent.len()
    }
}

fn revise_all(
    id: RoomId,
    members: &mut [(UserId, Member)],
    progress: &Progress,
    revising: &mut Revising,
    told: &mut Told<'_>,
) {
    for (user, member) in members {
        if progress.tell(member) {
            let lacks_consent = member.lacks_consent();
            let revising = if lacks_consent { revising.withheld() } else { &mut *revising };
            revise(id, *user, revising, told);
        }
    }
}

fn revise(id: RoomId, user: UserId, revising: &mut Revising, told: &mut Told<'_>) {
    let devices = told.registrations.user(user).map_or(&[][..], User::devices);
    devices.iter().for_each(|device| _ = told.devices.revise(*device, id, revising));
}

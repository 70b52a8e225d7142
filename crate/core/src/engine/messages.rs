//! Messages: which devices are to be pushed to for one, and what of it is kept until then.

use std::collections::HashSet;
use std::sync::Arc;

use minidom::Element;

use crate::device::MessageDigest;
use crate::ids::{DeviceId, UserId};
use crate::importance::is_important;
use crate::mention::Mentions;
use crate::notify_level::{NotifyLevel, RoomPrivacy};
use crate::ns;
use crate::options::Options;
use crate::room::{Coverage, Member, Room};
use crate::time::Instant;

use super::registrations::{Registrations, User};

/// A groupchat message that a room broadcasts (XEP-0045, section 7.4).
#[derive(Debug, Clone, Copy)]
pub struct Broadcast<'a> {
    /// The room's bare JID.
    pub room: &'a str,
    /// The bare JID of the author; `None` where it is the room itself, or not known.
    pub sender: Option<&'a str>,
    /// The message as the room sends it, `from` an occupant JID.
    pub message: &'a Element,
    /// How private the room is.
    pub privacy: RoomPrivacy,
    /// Whether another module wants to see the message with each push.
    pub keep_original: bool,
    /// The bare JIDs of those who were in the room when it was sent, where that was not just now.
    pub present: &'a [String],
}

/// A groupchat message that came back from a session it was sent to, as an error (XEP-0045, section 7.4 and RFC 6120,
/// section 8.3).
#[derive(Debug, Clone, Copy)]
pub struct Bounce<'a> {
    /// The room's bare JID.
    pub room: &'a str,
    /// The bare JID of the recipient.
    pub user: &'a str,
    /// The nickname of the recipient's occupant that is gone with the session; `None` where the occupant is gone already, or
    /// has another session that is there.
    pub gone_nick: Option<&'a str>,
    /// The bare JID of the author; `None` where that is not known.
    pub sender: Option<&'a str>,
    /// The message as the room has sent it; `None` where it is not known any more.
    pub message: Option<&'a Element>,
    /// Tells it from all other messages of the room.
    pub message_key: &'a str,
    /// When it was sent; `None` where that is not known.
    pub sent: Option<Instant>,
    /// How private the room is.
    pub privacy: RoomPrivacy,
    /// Whether another module wants to see the message with each push.
    pub keep_original: bool,
}

/// The devices that a message is pushed to.
#[derive(Debug, Default)]
pub(super) struct Recipients {
    /// The devices, each with whether the message mentions its owner.
    pub(super) devices: Vec<(DeviceId, bool)>,
    /// Whether there was a member without a device: they leave the index only when a message finds them.
    pub(super) has_stale_members: bool,
}

/// The devices that a broadcast is pushed to: none where the coverage of the room is not complete.
pub(super) fn recipients(
    broadcast: &Broadcast<'_>,
    room: &Room,
    registrations: &Registrations,
    options: &Options,
) -> Recipients {
    let mut recipients = Recipients::default();
    if room.coverage() != Coverage::Complete || !is_important(broadcast.message, broadcast.room) {
        return recipients;
    }
    let mentions = Mentions::read(broadcast.message, broadcast.room);
    let mentions = Some(mentions).filter(|mentions| !mentions.is_empty());
    // The members' JIDs are not looked at: that would cost a wait for memory for each of them.
    let sender = broadcast.sender.and_then(|jid| registrations.id(jid));
    let present: HashSet<UserId> = broadcast.present.iter().filter_map(|jid| registrations.id(jid)).collect();
    recipients.devices.reserve_exact(room.members().len());
    for (id, member) in room.absent() {
        let Some(user) = registrations.user(id) else {
            recipients.has_stale_members = true;
            continue;
        };
        if sender == Some(id) || present.contains(&id) {
            continue;
        }
        let is_mention =
            mentions.as_ref().is_some_and(|mentions| mentions.concern(user.jid(), member.nicknames()));
        recipients.devices.extend(subscribed_devices(user, member, is_mention, broadcast.privacy, options));
    }
    recipients
}

/// The devices of the recipient of a bounce, if the message counts as unread: the recipient is there with no other session,
/// and was not absent when it was sent, and so pushed to.
pub(super) fn bounce_recipients(
    bounce: &Bounce<'_>,
    room: &Room,
    registrations: &Registrations,
    options: &Options,
) -> Vec<(DeviceId, bool)> {
    let found =
        registrations.id(bounce.user).and_then(|id| Some((registrations.user(id)?, room.member(id)?)));
    let Some((user, member)) = found.filter(|_| room.coverage() == Coverage::Complete) else {
        return Vec::new();
    };
    if !bounce.message.is_none_or(|message| is_important(message, bounce.room))
        || bounce.sender == Some(bounce.user)
        || !member.misses_bounced(bounce.gone_nick, bounce.sent)
    {
        return Vec::new();
    }
    // Whether a message that is not known any more mentions anybody cannot be said.
    let is_mention = bounce
        .message
        .is_some_and(|message| Mentions::read(message, bounce.room).concern(user.jid(), member.nicknames()));
    subscribed_devices(user, member, is_mention, bounce.privacy, options).collect()
}

/// The devices of a member that want to hear of a message, each with whether it mentions the member.
fn subscribed_devices(
    user: &User,
    member: &Member,
    is_mention: bool,
    privacy: RoomPrivacy,
    options: &Options,
) -> impl Iterator<Item = (DeviceId, bool)> {
    let subscribed =
        user.devices().iter().filter(move |&&device| match notify_level(device, member, privacy, options) {
            NotifyLevel::Always => true,
            NotifyLevel::OnMention => is_mention,
            NotifyLevel::Never => false,
        });
    subscribed.map(move |&device| (device, is_mention))
}

/// Which messages of a room are pushed to a device. So far nobody can say: the room's default decides.
fn notify_level(_device: DeviceId, _member: &Member, privacy: RoomPrivacy, options: &Options) -> NotifyLevel {
    options.default_level.level(privacy)
}

/// Makes the digests of messages, each with a number of its own.
#[derive(Debug, Default)]
pub(super) struct Digests {
    /// How many there were so far.
    made: u64,
}

impl Digests {
    /// What a push may say of a message that was sent at `sent`: nothing is kept that the app server may not know.
    pub(super) fn digest(
        &mut self,
        message: Option<&Element>,
        keep_original: bool,
        room: &Room,
        sent: Instant,
        options: &Options,
    ) -> MessageDigest {
        let sender = message.and_then(|message| message.attr("from")).filter(|_| options.with_sender);
        let body = message.and_then(|message| message.get_child("body", ns::CLIENT));
        let body = body.filter(|_| options.with_body).map(Element::text);
        MessageDigest {
            room: room.jid().clone(),
            sender: sender.map(Into::into),
            body: body.filter(|body| !body.is_empty()).map(Into::into),
            original: message.filter(|_| keep_original).cloned(),
            sent,
            order: self.next(),
        }
    }

    /// What a snapshot holds of a message.
    pub(super) fn restored(
        &mut self,
        room: Arc<str>,
        sender: Option<&str>,
        body: Option<&str>,
        sent: Instant,
    ) -> MessageDigest {
        let (sender, body) = (sender.map(Into::into), body.map(Into::into));
        MessageDigest { room, sender, body, original: None, sent, order: self.next() }
    }

    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}

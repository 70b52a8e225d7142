//! Messages: which devices are to be pushed to for one, and what of it is kept until then.

use std::collections::HashSet;
use std::sync::Arc;

use minidom::Element;

use crate::device::{MessageDigest, MessageKey, Notification};
use crate::ids::{DeviceId, RoomId, UserId};
use crate::journal::Group;
use crate::mention::{KnownNicknames, Mentions};
use crate::message::{Message, MessageIds, Revision};
use crate::notify_level::{NotifyLevel, RoomPrivacy};
use crate::options::Options;
use crate::room::{Coverage, Member, Room};
use crate::time::Instant;

use super::Engine;
use super::digests::Digests;
use super::fanout::{FanOut, Progress, Told};
use super::registrations::{Registrations, User};

/// A groupchat message that a room broadcasts (XEP-0045, section 7.4).
#[derive(Debug, Clone, Copy)]
pub struct Broadcast<'a> {
    /// The room's bare JID.
    pub room: &'a str,
    /// The bare JID of the author; `None` where it is the room itself, or not known.
    pub sender: Option<&'a str>,
    /// The bare JID of the author of the message that this one replies to; `None` where it replies to none, or that is not
    /// known.
    pub reply_author: Option<&'a str>,
    /// The message as the room sends it, `from` an occupant JID.
    pub message: &'a Element,
    /// How private the room is.
    pub privacy: RoomPrivacy,
    /// Whether another module wants to see the message with each push.
    pub keep_original: bool,
    /// The bare JIDs of those who were in the room when it was sent, where that was not just now.
    pub present: &'a [String],
}

/// Groupchat messages that a room has broadcast while it was not known who is a member, and of which nothing else is kept.
#[derive(Debug, Clone, Copy)]
pub struct Forgotten<'a> {
    /// The room's bare JID.
    pub room: &'a str,
    /// The bare JID of their author; `None` where it is the room itself, or not known.
    pub sender: Option<&'a str>,
    /// How private the room is.
    pub privacy: RoomPrivacy,
    /// The bare JIDs of those who were in the room when they were sent.
    pub present: &'a [String],
    /// How many there were.
    pub messages: u32,
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
    /// The bare JID of the author of the message that this one replies to; `None` where it replies to none, or that is not
    /// known.
    pub reply_author: Option<&'a str>,
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

/// Who of those that are absent a message is pushed to.
#[derive(Debug)]
pub(super) struct Audience {
    room: Arc<str>,
    /// The occupant JID that it is from, where that is known.
    from: Option<Box<str>>,
    sender: Option<UserId>,
    /// Those who were there when it was sent, where that was not just now.
    present: HashSet<UserId>,
    mentions: Option<Mentions<'static>>,
    privacy: RoomPrivacy,
}

/// What some members' part in a message is.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The devices that it is pushed to, each with whether it mentions the owner.
    pub(super) devices: Vec<(DeviceId, bool)>,
    /// Those of members who have not consented to their membership, and whom it mentions; those of each together.
    pub(super) without_consent: Vec<(UserId, DeviceId)>,
    /// The members without a device: they leave the index only when a message finds them.
    pub(super) without_device: Vec<UserId>,
}

impl Found {
    /// Whether it is pushed to nobody.
    pub(super) fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.without_consent.is_empty()
    }
}

impl Audience {
    /// That of a broadcast: nobody where the coverage of the room is not complete.
    pub(super) fn of(
        broadcast: &Broadcast<'_>,
        message: &Message<'_>,
        room: &Room,
        registrations: &Registrations,
    ) -> Option<Self> {
        if room.coverage() != Coverage::Complete || !message.is_important() {
            return None;
        }
        let mentions = Mentions::read(message, broadcast.reply_author, room.known_nicknames());
        Some(Audience {
            room: room.jid().clone(),
            from: broadcast.message.attr("from").map(Into::into),
            // The members' JIDs are not looked at: that would cost a wait for memory for each of them.
            sender: broadcast.sender.and_then(|jid| registrations.id(jid)),
            present: broadcast.present.iter().filter_map(|jid| registrations.id(jid)).collect(),
            mentions: Some(mentions.set_aside()).filter(|mentions| !mentions.is_empty()),
            privacy: broadcast.privacy,
        })
    }

    /// That of messages of which nothing is known but that there were some: whether they mention anybody cannot be said.
    fn of_forgotten(forgotten: &Forgotten<'_>, registrations: &Registrations) -> Self {
        Audience {
            room: forgotten.room.into(),
            from: None,
            sender: forgotten.sender.and_then(|jid| registrations.id(jid)),
            present: forgotten.present.iter().filter_map(|jid| registrations.id(jid)).collect(),
            mentions: None,
            privacy: forgotten.privacy,
        }
    }

    /// Only those whom it names by more than their nicknames are mentioned from now on.
    pub(super) fn forget_words(&mut self) {
        if let Some(mentions) = &mut self.mentions {
            mentions.forget_text();
        }
    }

    /// How much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let from = self.from.as_ref().map_or(0, |from| from.len());
        let present = self.present.capacity() * 2 * size_of::<UserId>();
        from + present + self.mentions.as_ref().map_or(0, Mentions::bytes)
    }

    /// Those of some members who have yet to be told, and are from now on.
    pub(super) fn find(
        &mut self,
        members: &mut [(UserId, Member)],
        progress: &Progress,
        known: &KnownNicknames,
        told: &Told<'_>,
    ) -> Found {
        let mut found = Found { devices: Vec::with_capacity(members.len()), ..Found::default() };
        let mentions = self.mentions.take().map(|mentions| mentions.with_known(known));
        for (id, member) in members {
            if !progress.tell(member) {
                continue;
            }
            let Some(user) = told.registrations.user(*id) else {
                found.without_device.push(*id);
                continue;
            };
            let is_blocked = user.blocked().is_some_and(|it| it.has(&self.room, self.from.as_deref()));
            if self.sender == Some(*id) || self.present.contains(id) || is_blocked {
                continue;
            }
            let is_mention =
                mentions.as_ref().is_some_and(|mentions| mentions.concern(user.jid(), member.nicknames()));
            let subscribed = subscribed_devices(user, member, is_mention, self.privacy, told.options);
            if !member.lacks_consent() {
                found.devices.extend(subscribed);
            } else if is_mention {
                found.without_consent.extend(subscribed.map(|(device, _)| (*id, device)));
            }
        }
        self.mentions = mentions.map(Mentions::set_aside);
        found
    }
}

/// The devices of the recipient of a bounce, if the message counts as unread: the recipient is there with no other session,
/// and was not absent when it was sent, and so pushed to.
pub(super) fn bounce_recipients(
    bounce: &Bounce<'_>,
    message: Option<&Message<'_>>,
    room: &Room,
    registrations: &Registrations,
    options: &Options,
) -> Vec<(DeviceId, bool)> {
    let found =
        registrations.id(bounce.user).and_then(|id| Some((registrations.user(id)?, room.member(id)?)));
    let Some((user, member)) = found.filter(|_| room.coverage() == Coverage::Complete) else {
        return Vec::new();
    };
    let from = bounce.message.and_then(|message| message.attr("from"));
    if message.is_some_and(|message| !message.is_important())
        || bounce.sender == Some(bounce.user)
        || user.blocked().is_some_and(|blocked| blocked.has(bounce.room, from))
        || !member.misses_bounced(bounce.gone_nick, bounce.sent)
    {
        return Vec::new();
    }
    // Whether a message that is not known any more mentions anybody cannot be said.
    let is_mention = message.is_some_and(|message| {
        Mentions::read(message, bounce.reply_author, room.known_nicknames())
            .concern(user.jid(), member.nicknames())
    });
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
    let is_subscribed = match notify_level(user, member, privacy, options) {
        NotifyLevel::Always => true,
        NotifyLevel::OnMention => is_mention,
        NotifyLevel::Never => false,
    };
    let subscribed = user.devices().iter().filter(move |_| is_subscribed);
    subscribed.map(move |&device| (device, is_mention))
}

/// Which messages of a room are pushed to a member. Where devices are registered nobody can say so far: the room's default decides.
fn notify_level(user: &User, member: &Member, privacy: RoomPrivacy, options: &Options) -> NotifyLevel {
    match user.way() {
        Some(way) if !member.forwarding().allows(way) => NotifyLevel::Never,
        _ => options.default_level.level(privacy),
    }
}

/// Messages, and those that came back.
impl Engine {
    /// A room broadcasts a message. Returns how many devices are to be pushed to so far: none where [`Engine::coverage`] of
    /// the room is not complete. In a large room the rest follows with [`Engine::handle_timeout`].
    pub fn handle_message(&mut self, broadcast: Broadcast<'_>, now: Instant) -> usize {
        self.devices.journal_mut().set_now(now);
        self.digests.set_has_ways(self.registrations.has_ways());
        let Some(room_id) = self.rooms.id(broadcast.room) else { return 0 };
        if let Some(revision) = Revision::read(broadcast.message, broadcast.room, broadcast.sender) {
            self.revise(room_id, &broadcast, revision, now);
            return 0;
        }
        if self.fan_outs.is_full(room_id) {
            return 0;
        }
        let Some(room) = self.rooms.get_mut(room_id) else { return 0 };
        let message = Message::read(broadcast.message, broadcast.room);
        let Some(audience) = Audience::of(&broadcast, &message, room, &self.registrations) else { return 0 };
        let Broadcast { keep_original, sender, .. } = broadcast;
        self.tell(room_id, audience, |digests, room, options| {
            let identity = digests.identity(MessageIds::read(broadcast.message, broadcast.room, sender), now);
            digests.digest(Some(&message), keep_original, room, identity, options)
        })
    }

    /// Whether a message of a room counts as unread for members who are absent, and want to hear of all messages.
    pub fn is_important(room: &str, sender: Option<&str>, message: &Element) -> bool {
        Revision::read(message, room, sender).is_none() && Message::read(message, room).is_important()
    }

    /// Messages were broadcast of which nothing else is known any more: they count as unread. Returns how many devices are to be
    /// pushed to so far, as [`Engine::handle_message`] does.
    pub fn handle_forgotten(&mut self, forgotten: Forgotten<'_>, now: Instant) -> usize {
        let Some(room_id) = self.rooms.id(forgotten.room) else { return 0 };
        let is_known = self.rooms.get_mut(room_id).is_some_and(|room| room.coverage() == Coverage::Complete);
        if !is_known || forgotten.messages == 0 || self.fan_outs.is_full(room_id) {
            return 0;
        }
        let audience = Audience::of_forgotten(&forgotten, &self.registrations);
        self.tell(room_id, audience, |digests, room, _| {
            let identity = digests.identity(MessageIds::default(), now);
            MessageDigest {
                messages: forgotten.messages,
                ..MessageDigest::without_words(room.jid(), &identity)
            }
        })
    }

    /// Tells the absent members of a room, or begins to. `digest`: what is told, which is made if it is told to anybody.
    fn tell(
        &mut self,
        room_id: RoomId,
        mut audience: Audience,
        digest: impl FnOnce(&mut Digests, &Room, &Options) -> MessageDigest,
    ) -> usize {
        let Engine { rooms, registrations, devices, digests, fan_outs, without_consent, options, .. } = self;
        let Some(room) = rooms.get_mut(room_id) else { return 0 };
        let has_to_wait = fan_outs.has_any_of(room_id);
        let (members, known) = room.members_and_nicknames();
        let mut progress = Progress::begin(members, options, has_to_wait);
        let mut found = Found::default();
        let mut told = Told { registrations, devices, without_consent, options };
        if !has_to_wait {
            let places = progress.step(members, options);
            found = audience.find(members.at_mut(places), &progress, known, &told);
            found.without_device.iter().for_each(|user| _ = room.remove_member(*user));
        }
        if found.is_empty() && progress.is_done() {
            return 0;
        }
        let digest = Arc::new(digest(digests, room, options));
        if progress.is_done() && !has_to_wait {
            let mut group = told.devices.journal_mut().take_group(room_id);
            let devices = told.add_unread(room_id, &digest, &found, &mut group);
            told.devices.journal_mut().put_group(group);
            devices
        } else {
            if !fan_outs.admit(room_id, &digest, &mut audience) {
                return 0;
            }
            let mut group = Group::new(Some(room_id));
            let devices = told.add_unread(room_id, &digest, &found, &mut group);
            fan_outs.add(room_id, FanOut::of_message(digest, audience, progress, group));
            devices
        }
    }

    /// A message bounced at `now`. It counts as if its recipient had been absent when it was sent, unless they are present
    /// with another session, or were absent then and so were pushed to, or it was taken back meanwhile. One that takes back or
    /// corrects another does so for its recipient. Returns how many devices are to be pushed to.
    pub fn handle_bounce(&mut self, bounce: Bounce<'_>, now: Instant) -> usize {
        self.digests.set_has_ways(self.registrations.has_ways());
        let Some(room_id) = self.rooms.id(bounce.room) else { return 0 };
        let read = |message| Revision::read(message, bounce.room, bounce.sender);
        if let Some(revision) = bounce.message.and_then(read) {
            self.revise_bounced(room_id, &bounce, revision, now);
            return 0;
        }
        let Some(room) = self.rooms.get_mut(room_id) else { return 0 };
        if let Some(user) = self.registrations.id(bounce.user) {
            room.set_consent(user, true);
        }
        let message = bounce.message.map(|message| Message::read(message, bounce.room));
        let message = message.as_ref();
        let devices = bounce_recipients(&bounce, message, room, &self.registrations, &self.options);
        if devices.is_empty() {
            return 0;
        }
        let ids = bounce.message.map(|message| MessageIds::read(message, bounce.room, bounce.sender));
        let identity = self.digests.bounced_identity(ids.unwrap_or_default(), bounce.sent.unwrap_or(now));
        let digest = self.digests.digest(message, bounce.keep_original, room, identity, &self.options);
        let Some(digest) = self.rooms.revised(room_id, digest) else { return 0 };
        let (digest, key) = (Arc::new(digest), MessageKey::new(bounce.message_key));
        let mut added = 0;
        for (id, is_mention) in devices {
            let notification = Notification::of(&digest, is_mention);
            added += usize::from(self.devices.add_bounced(id, room_id, notification, key));
        }
        if let (Some(room), Some(user)) = (self.rooms.get_mut(room_id), self.registrations.id(bounce.user)) {
            room.note_bounced(user);
        }
        added
    }
}

//! Messages that came back: their recipients looked present, and were gone.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use minidom::Element;

use crate::device::Pending;
use crate::engine::Engine;
use crate::ids::DeviceId;
use crate::importance;
use crate::mention::Mentions;
use crate::notify_level::RoomPrivacy;
use crate::room::{Knowledge, Room};

/// A groupchat message that came back from a session it was sent to, as an error (XEP-0045, section 7.4 and RFC 6120,
/// section 8.3).
#[derive(Debug, Clone, Copy)]
pub struct Undelivered<'a> {
    /// The room's bare JID.
    pub room: &'a str,
    /// The bare JID of who it was sent to.
    pub user: &'a str,
    /// The nickname of their occupant that is gone with the session; `None` where the occupant is gone already, or
    /// has another session that is there.
    pub gone: Option<&'a str>,
    /// The bare JID of who wrote it; `None` where that is not known.
    pub sender: Option<&'a str>,
    /// The message as the room has sent it; `None` where nobody remembers it.
    pub message: Option<&'a Element>,
    /// Tells it from all other messages of the room.
    pub key: &'a str,
    /// When it was sent; `None` where nobody remembers.
    pub sent: Option<f64>,
    /// How private the room is.
    pub privacy: RoomPrivacy,
    /// Whether another module wants to see the message with each push.
    pub keep_original: bool,
}

impl Engine {
    /// A message came back at `now`. It counts as if its recipient had been absent when it was sent, unless they are
    /// there with another session, or were absent then and so were told of it. Returns how many devices are told.
    ///
    /// Of a message that nobody remembers it cannot be said whether it mentions anybody.
    pub fn undelivered(&mut self, undelivered: Undelivered<'_>, now: f64) -> usize {
        let Some(&room_id) = self.room_ids.get(undelivered.room) else { return 0 };
        let Some(room) = self.rooms.get(room_id) else { return 0 };
        let devices = self.devices_missing(&undelivered, room);
        if devices.is_empty() {
            return 0;
        }
        let key = hash(undelivered.key);
        self.messages += 1;
        let since = undelivered.sent.unwrap_or(now);
        let content = self.content(undelivered.message, undelivered.keep_original, room, since);
        let content = Arc::new(content);
        let mut told = 0;
        for (id, mentioned) in devices {
            let Some(device) = self.devices.get_mut(id) else { continue };
            let pending = Pending {
                content: content.clone(),
                mention: mentioned.then(|| content.clone()),
                messages: 1,
            };
            if device.miss_returned(room_id, pending, key) {
                told += 1;
                self.outbox.announce(id, device);
            }
        }
        told
    }

    /// The devices of whoever has missed a message that came back, each with whether it mentions them.
    fn devices_missing(&self, undelivered: &Undelivered<'_>, room: &Room) -> Vec<(DeviceId, bool)> {
        let user =
            self.user_ids.get(undelivered.user).and_then(|&id| Some((self.users.get(id)?, room.member(id)?)));
        let Some((user, member)) = user.filter(|_| room.knowledge() == Knowledge::Complete) else {
            return Vec::new();
        };
        let is_worth_it =
            undelivered.message.is_none_or(|message| importance::is_important(message, undelivered.room));
        if !is_worth_it
            || undelivered.sender == Some(undelivered.user)
            || !member.misses_returned(undelivered.gone, undelivered.sent)
        {
            return Vec::new();
        }
        let mentioned = undelivered.message.is_some_and(|message| {
            Mentions::read(message, undelivered.room).concern(&user.jid, member.nicknames())
        });
        self.wanting(user, member, mentioned, undelivered.privacy).collect()
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

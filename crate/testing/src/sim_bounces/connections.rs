//! Connections that are lost, and what becomes of what was sent over them.

use muc_cloud_notify_core::Instant;

use super::reference::Missed;
use super::simulation::{Simulation, nickname, privacy};
use super::{Link, ROOMS, USERS, user_of};
use crate::driver::Bounce;

impl Simulation {
    /// A connection is lost, and `lost` of what its client seemed to have got; or its server finds out.
    pub(super) fn lose(&mut self, number: usize, link: Link, lost: usize) {
        let session = &mut self.sessions[number];
        if session.link == Link::Hibernating || session.link == link {
            return;
        }
        if session.link == Link::Alive {
            let kept = session.sent.len().saturating_sub(lost);
            session.queue.extend(session.sent.drain(kept..));
            session.sent.clear();
            for &message in &session.queue {
                self.messages[message].got.remove(&number);
            }
        }
        session.link = link;
        self.look_at_session(number);
    }

    pub(super) fn resume(&mut self, number: usize) {
        let session = &mut self.sessions[number];
        if session.link == Link::Hibernating {
            session.link = Link::Alive;
            for message in std::mem::take(&mut session.queue) {
                self.send(number, message);
            }
            self.look_at_session(number);
        }
    }

    /// All that a session was sent bounces at once, and then it leaves the rooms that nothing bounced to.
    pub(super) fn end(&mut self, number: usize) {
        if self.sessions[number].link == Link::Hibernating {
            while self.bounce_next(number) {}
            for room in 0..ROOMS.len() {
                self.remove(number, room);
            }
        }
    }

    pub(super) fn bounce_from_dead(&mut self, number: usize) {
        if self.sessions[number].link == Link::Dead {
            self.bounce_next(number);
        }
    }

    /// The oldest message that a session has not got bounces, and the session is removed from its room.
    fn bounce_next(&mut self, session: usize) -> bool {
        let Some(message) = self.sessions[session].queue.pop_front() else { return false };
        self.tick();
        let room = self.messages[message].room;
        // Nobody knows when it was sent: most likely while its recipient was known to be absent.
        if self.messages[message].is_forgotten && self.sessions[session].link == Link::Hibernating {
            self.messages[message].owed.retain(|(user, _)| *user != user_of(session));
        } else {
            self.bounce(session, message);
        }
        self.remove(session, room);
        true
    }

    fn bounce(&mut self, session: usize, number: usize) {
        let (user, message) = (user_of(session), &self.messages[number]);
        let room = message.room;
        let others: Vec<_> = self.present(user, room).filter(|(other, _)| *other != session).collect();
        let gone =
            self.sessions[session].nicks[room].filter(|nick| others.iter().all(|(_, other)| other != nick));
        let gone = gone.map(|nick| nickname(user, nick));
        let name = ROOMS[room];
        let key = format!("{number} {}", message.is_forgotten);
        let bounce = Bounce {
            room: name,
            user: USERS[user],
            gone_nick: gone.as_deref(),
            sender: message.sender.filter(|_| !message.is_forgotten).map(|sender| USERS[sender]),
            reply_author: None,
            message: Some(&message.stanza).filter(|_| !message.is_forgotten),
            message_key: &key,
            sent: Some(Instant::from_seconds(message.sent)).filter(|_| !message.is_forgotten),
            privacy: privacy(room),
            keep_original: false,
        };
        let is_missed = match message.is_forgotten {
            true => room == 0,
            false => message.concerns(user) && !message.absent.contains(&user),
        };
        let mut concerned = 0;
        if is_missed && others.is_empty() && self.members[room].contains(&user) {
            let (at, missed) = match message.is_forgotten {
                true => (self.clock, Missed { room, message: number, text: None, is_mention: false }),
                false => (message.at, message.missed_by(number, user)),
            };
            for (_, device) in self.devices.iter_mut().filter(|((owner, _), _)| *owner == user) {
                concerned += usize::from(device.miss_bounced(at, missed.clone()));
            }
        }
        assert_eq!(self.service.handle_bounce(bounce), concerned);
        if self.messages[number].is_forgotten && room != 0 {
            // Nobody knows whom it mentions.
            self.messages[number].owed.retain(|(owner, _)| *owner != user);
        }
    }
}

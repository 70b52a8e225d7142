//! Whatever happens: what is pushed is in the store by then, and what is in the store once all is written is what is known.

use std::collections::BTreeMap;

use muc_cloud_notify_core::{Bounce, Instant, Options, Snapshot};
use muc_cloud_notify_testing::driver::{Handling, Outcome, Publish, Scope};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PRIVATE, ROMEO, push_identifier};
use muc_cloud_notify_testing::seeds::config;
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::{groupchat, xml};
use proptest::prelude::*;

const USERS: [&str; 3] = [JULIET, NURSE, "tybalt@capulet.example"];
const ROOMS: [&str; 2] = [ORCHARD, HALL];

/// Something that happens: what, to whom, where.
type Happening = (u8, usize, usize);

/// What is stored of a device in a room: how much is unread, and of how many messages a push is to tell, whether one of them
/// mentions the owner, and with which words.
type Unread = (u32, Option<(u32, bool, Option<String>)>);

/// A user, and the push identifier of a device.
type Name = (String, String);

/// What is known of a device: see known().
type Known = (u32, u32, bool, BTreeMap<String, Unread>);

/// What a snapshot says, but for the order and for ages: of each device the errors, the attempts, whether it is pinged, and what
/// is unread.
fn known(snapshot: &Snapshot) -> BTreeMap<Name, Known> {
    let words = |pending: &muc_cloud_notify_core::PendingState| {
        let of_message =
            pending.places.last().filter(|_| pending.words).map(|place| &snapshot.messages[place - 1]);
        pending.body.clone().or_else(|| of_message?.body.clone())
    };
    let unread = |device: &muc_cloud_notify_core::DeviceState| {
        let of_room = device.unread.iter().map(|unread| {
            let pending = unread.pending.as_ref();
            let pending = pending.map(|pending| (pending.messages, pending.mentioned, words(pending)));
            (unread.room.clone(), (unread.count, pending))
        });
        of_room.collect()
    };
    let device = |device: &muc_cloud_notify_core::DeviceState| {
        let name = (device.user.clone(), device.push_identifier.clone());
        (name, (device.errors, device.attempts, device.pinged, unread(device)))
    };
    snapshot.devices.iter().map(device).collect()
}

/// A service, and the pushes that are on their way.
struct World {
    service: Journaled,
    in_flight: Vec<Publish>,
    said: u32,
    /// A batch could not be written.
    has_failed: bool,
}

impl World {
    fn new() -> Self {
        let options = Options { members_at_once: 2, max_errors: 3, ..with_body() };
        let mut service = Service::new(options.clone());
        for user in USERS {
            service.enable(user, "phone");
            service.acquaint(user);
        }
        ROOMS.iter().for_each(|room| service.read(room, &USERS, &[]));
        World { service: Journaled::new(service, options), in_flight: Vec::new(), said: 0, has_failed: false }
    }

    fn happen(&mut self, (what, user, room): Happening) {
        let (jid, room) = (USERS[user], ROOMS[room]);
        let service = &mut self.service;
        match what {
            0..=2 => {
                self.said += 1;
                let stanza = xml(&format!(
                    "<message type='groupchat' from='{room}/Romeo' id='{}'><body>{} {}</body></message>",
                    self.said,
                    self.said,
                    if what == 0 { user.to_string() } else { String::new() },
                ));
                service.broadcast_stanza(room, Some(ROMEO), PRIVATE, &stanza);
            }
            3 => drop(service.mention(room, jid, "mention")),
            4 => {
                let id = self.said.saturating_sub(user as u32);
                let retract = format!("<retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>");
                service.broadcast(room, Some(ROMEO), PRIVATE, &retract);
            }
            5 => {
                let id = self.said.saturating_sub(user as u32);
                let replace =
                    format!("<body>other</body><replace xmlns='urn:xmpp:message-correct:0' id='{id}'/>");
                service.broadcast(room, Some(ROMEO), PRIVATE, &replace);
            }
            6 => service.occupant_present(room, jid, jid),
            7 => service.occupant_gone(room, jid, jid),
            8 => self.bounce(jid, room),
            9 => drop(service.handle_ping(jid)),
            10 | 11 => self.push(user + 1, Scope::AllRooms),
            12 => self.push(user + 1, Scope::OneRoom),
            13 => self.answer(user, Outcome::Delivered),
            14 => self.answer(user, [Outcome::Rejected, Outcome::Transient][self.said as usize % 2]),
            15 => {
                if let Some(push) = self.in_flight.pop() {
                    if room == ORCHARD { service.suppress(&push.id) } else { service.withdraw(&push.id) }
                }
            }
            16 => drop(service.enable(jid, if room == ORCHARD { "phone" } else { "tablet" })),
            17 => drop(service.disable(jid, Some("phone"))),
            18 => service.affiliation_changed(room, jid, self.said.is_multiple_of(2), None),
            19 if user == 0 => {
                service.room_destroyed(room);
                service.read(room, &USERS, &[]);
            }
            20 => drop(service.spread()),
            21..=23 => drop(service.write()),
            24 => {
                if service.poll_batch().is_some() {
                    service.batch_failed();
                    self.has_failed = true;
                }
            }
            25 => service.compact_when_written(),
            _ => service.wait(user as f64),
        }
    }

    /// Pushes leave, of which the store knows all that they tell.
    fn push(&mut self, at_most: usize, scope: Scope) {
        let pushes = self.service.take_due(at_most, scope).0;
        if !self.has_failed && !pushes.is_empty() {
            let stored = known(&self.service.killed().snapshot());
            for push in &pushes {
                let name = (push.user.clone(), push_identifier(push.node.as_deref().unwrap_or_default()));
                let counts = stored.get(&name).into_iter().flat_map(|(.., unread)| unread.values());
                let stored: u32 = counts.map(|(count, _)| count).sum();
                assert!(
                    stored >= push.count(),
                    "{name:?} is told of {} of which {stored} are stored",
                    push.count()
                );
            }
        }
        self.in_flight.extend(pushes);
    }

    fn bounce(&mut self, jid: &str, room: &str) {
        let message = groupchat(room, "<body>bounced</body>");
        let now = self.service.now;
        self.service.handle_bounce(Bounce {
            room,
            user: jid,
            gone_nick: Some(jid),
            sender: Some(ROMEO),
            reply_author: None,
            message: Some(&message),
            message_key: &self.said.to_string(),
            sent: Some(Instant::from_seconds(now - 0.5)),
            privacy: PRIVATE,
            keep_original: false,
        });
        self.service.occupant_gone(room, jid, jid);
    }

    fn answer(&mut self, which: usize, outcome: Outcome) {
        if which < self.in_flight.len() {
            let push = self.in_flight.remove(which);
            if let Handling::Disabled(disabled) = self.service.reply(&push, outcome) {
                let record = self.service.store.get_mut(&disabled.user);
                record.map(|record| record.remove_identified(&disabled.push_identifier));
            }
        }
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn what_is_written_is_what_is_known(
        happenings in prop::collection::vec((0..28_u8, 0..3_usize, 0..2_usize), 1..60),
        is_stopped in any::<bool>(),
    ) {
        let mut world = World::new();
        for happening in happenings {
            world.happen(happening);
        }
        if is_stopped {
            while world.service.spread() {}
            world.service.finish();
        } else {
            world.service.write_all();
        }
        let mut killed = world.service.killed();
        let (before, after) = (world.service.snapshot(), killed.snapshot());
        let (before, after) = (known(&before), known(&after));
        if is_stopped {
            prop_assert_eq!(before, after);
        } else {
            // What concerns the device alone is written when something else is.
            let unread = |known: BTreeMap<Name, Known>| {
                let of_each = known.into_iter().map(|(name, (.., unread))| (name, unread));
                of_each.filter(|(_, unread)| !unread.is_empty()).collect::<BTreeMap<_, _>>()
            };
            prop_assert_eq!(unread(before), unread(after));
        }
        killed.finish();
        let waiting: Vec<String> = killed.awaited_rooms();
        for room in &waiting {
            let is_any = killed.snapshot().devices.iter().flat_map(|device| &device.unread).any(|it| it.room == *room && it.pending.is_some());
            prop_assert!(is_any, "{} is awaited for nothing", room);
        }
    }
}

//! A shard: an engine with its devices, its rooms, and its journal.

use std::collections::HashSet;

use minidom::Element;
use rxml::xml_ncname;

use super::devices::SimDevice;
use super::layout::{Layout, SLOTS, room_jid, user_jid};
use super::load::Load;
use super::rooms::{SimRoom, Unread};
use super::simulation::World;
use super::store::{Checkpoint, SimJournal};
use super::timeline::Happening;
use crate::driver::{Broadcast, Coverage, Driver};
use crate::names::PRIVATE;

const CLIENT: &str = "jabber:client";

/// What a shard is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody reaches it.
    Down,
    /// What is said is held until all is known.
    Loading,
    Running,
}

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) number: usize,
    pub(super) state: State,
    /// Counts its processes, and since when the last one is there.
    pub(super) run: u32,
    pub(super) since: f64,
    pub(super) driver: Driver,
    /// It is busy up to then.
    pub(super) clock: f64,
    pub(super) timer: Option<f64>,
    pub(super) devices: Vec<SimDevice>,
    pub(super) rooms: Vec<SimRoom>,
    /// How many messages there were.
    pub(super) said: u32,
    /// The rooms of the messages that wait until all is known.
    pub(super) held: Vec<usize>,
    /// The rooms of which something is not in the store.
    pub(super) unstored: Vec<usize>,
    /// Who has read something of which the store may not know: the user, the room, and how much was read before.
    pub(super) unstored_reads: Vec<(u32, usize)>,
    /// Those of whom the engine may not know that they have read something before it was killed.
    pub(super) vague: HashSet<(u32, usize)>,
    pub(super) journal: SimJournal,
    /// When it was last looked whether all is in it.
    pub(super) looked: f64,
    /// How often the process is yet to end. Where it never is, nobody will read the journal.
    pub(super) ends_left: u32,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) loads: Vec<Load>,
}

impl Shard {
    /// What the owner of a device has not read.
    pub(super) fn unread(&self, layout: &Layout, user: usize) -> Unread {
        let device = &self.devices[user];
        let of = |slot: usize| match device.is_present[slot] {
            true => Unread::default(),
            false => self.rooms[layout.room(user, slot)].unread_after(device.read[slot]),
        };
        (0..SLOTS).map(of).fold(Unread::default(), Unread::and)
    }

    /// Whether the engine may not know of all that a user has read.
    pub(super) fn is_vague(&self, user: usize) -> bool {
        !self.vague.is_empty() && (0..SLOTS).any(|slot| self.vague.contains(&(user as u32, slot)))
    }

    /// Somebody says something in a room.
    pub(super) fn say(&mut self, room: usize, world: &mut World) {
        match self.state {
            State::Down => {}
            State::Loading => self.held.push(room),
            State::Running => self.tell(room, world),
        }
    }

    /// The engine is told what somebody has said in a room.
    pub(super) fn tell(&mut self, room: usize, world: &mut World) {
        self.read_room(room, &world.layout);
        self.said += 1;
        if self.rooms[room].say(self.said) {
            self.unstored.push(room);
        }
        world.tally.messages += 1;
        let jid = room_jid(self.number, room);
        let message = message(&jid);
        self.driver.now = self.clock;
        self.driver.handle_message(Broadcast {
            room: &jid,
            sender: None,
            reply_author: None,
            message: &message,
            privacy: PRIVATE,
            keep_original: false,
            present: &[],
        });
        self.plan(world);
    }

    /// Reads what is not known of a room.
    pub(super) fn read_room(&mut self, room: usize, layout: &Layout) {
        let (name, slot) = (room_jid(self.number, room), layout.slot(room));
        let jids = |users: &mut dyn Iterator<Item = usize>| -> Vec<String> { users.map(user_jid).collect() };
        if self.driver.coverage(&name) == Coverage::Nothing {
            let members = jids(&mut layout.members(room));
            self.driver.set_members(&name, members.iter().map(|jid| (jid.as_str(), None)));
        }
        if self.driver.coverage(&name) != Coverage::Complete {
            let devices = &self.devices;
            let occupants = jids(&mut layout.members(room).filter(|user| devices[*user].is_present[slot]));
            self.driver.now = self.clock;
            self.driver.set_occupants(&name, occupants.iter().map(|jid| (jid.as_str(), jid.as_str())));
        }
    }

    /// Somebody enters one of their rooms, if they can.
    pub(super) fn enter(&mut self, user: usize, slot: usize, world: &mut World) {
        let device = &mut self.devices[user];
        if self.state != State::Running || device.is_present[slot] {
            return;
        }
        device.is_present[slot] = true;
        self.vague.remove(&(user as u32, slot));
        self.unstored_reads.push((user as u32, slot));
        let (room, jid) = (room_jid(self.number, world.layout.room(user, slot)), user_jid(user));
        self.driver.now = self.clock;
        self.driver.occupant_present(&room, &jid, &jid);
        let leaves = self.clock + world.chance.between(1.0, 60.0);
        let happening = Happening::Leave { user: user as u32, slot: slot as u8 };
        world.timeline.add(leaves, self.number, Some(self.run), happening);
        self.plan(world);
    }

    /// They leave it.
    pub(super) fn leave(&mut self, user: usize, slot: usize, world: &mut World) {
        self.mark_read(user, slot, &world.layout);
        let (room, jid) = (room_jid(self.number, world.layout.room(user, slot)), user_jid(user));
        self.driver.now = self.clock;
        self.driver.occupant_gone(&room, &jid, &jid);
        self.plan(world);
    }

    /// Somebody was in a room until now.
    pub(super) fn mark_read(&mut self, user: usize, slot: usize, layout: &Layout) {
        let read = self.rooms[layout.room(user, slot)].len();
        let device = &mut self.devices[user];
        (device.is_present[slot], device.read[slot]) = (false, read);
        // What is left may be what they had been told of before the rest had come to them.
        device.told = device.told.max(device.partly_told);
    }

    /// Sets the timer.
    pub(super) fn plan(&mut self, world: &mut World) {
        self.driver.now = self.clock;
        let Some(deadline) = self.driver.next_deadline() else { return };
        let at = deadline.max(self.clock);
        if self.timer.is_none_or(|timer| at < timer) {
            self.timer = Some(at);
            world.timeline.add(at, self.number, Some(self.run), Happening::Turn);
        }
    }
}

/// A message as a room sends it.
fn message(room: &str) -> Element {
    Element::builder("message", CLIENT)
        .attr(xml_ncname!("type").into(), "groupchat")
        .attr(xml_ncname!("from").into(), format!("{room}/Somebody"))
        .append(Element::builder("body", CLIENT).append("When shall we three meet again?"))
        .build()
}

//! One run: what happens in all shards, one after the other.

use std::collections::HashSet;

use muc_cloud_notify_core::Options;

use super::app_servers::{KINDS, Kind, SimAppServer};
use super::devices::SimDevice;
use super::figures::{Figures, Tally};
use super::layout::{Layout, SLOTS, Size};
use super::load::Load;
use super::rooms::SimRoom;
use super::shard::{Shard, State};
use super::store::SimJournal;
use super::timeline::{End, Event, Happening, Timeline};
use crate::driver::Driver;
use crate::sim_chance::Chance;
use crate::sim_random::scatter;

/// How often something is said in each small room, and in each large one, in a run.
const MESSAGES_IN_DEN: f64 = 0.6;
const MESSAGES_IN_HALL: f64 = 1.0;

/// Of so many users, one looks into a room in a run.
const USERS_PER_VISIT: usize = 10;

/// How many devices of each shard a limited app server takes pushes for in a second.
const LIMITED: f64 = 0.0005;

/// How long after the end it may take until everybody has heard, in seconds.
const LONGEST: f64 = 4.0 * 3600.0;

/// What all shards share.
#[derive(Debug)]
pub(super) struct World {
    pub(super) layout: Layout,
    pub(super) options: Options,
    pub(super) chance: Chance,
    pub(super) timeline: Timeline,
    pub(super) app_servers: Vec<SimAppServer>,
    pub(super) tally: Tally,
    pub(super) ends_at: f64,
}

impl World {
    /// The app server of a user's device.
    pub(super) fn app_server_of(&self, shard: usize, user: usize) -> usize {
        let mut left = scatter((shard << 24 | user) as u64) % 1000;
        let find = |(_, share): &(Kind, u64)| {
            let is_it = left < *share;
            left = left.wrapping_sub(*share);
            is_it
        };
        KINDS.iter().position(find).unwrap_or_default()
    }
}

/// Many shards, and the app servers that they share.
#[derive(Debug)]
pub struct Simulation {
    pub(super) world: World,
    pub(super) shards: Vec<Shard>,
    pub(super) now: f64,
}

impl Simulation {
    /// A service of a size, in which everybody has registered and nothing was said so far.
    pub fn new(seed: u64, size: Size) -> Self {
        let mut chance = Chance::new(seed);
        let ends_at = size.minutes * 60.0;
        let limit = 1 + (LIMITED * (size.shards * size.devices) as f64) as u32;
        let app_servers =
            KINDS.iter().map(|(kind, _)| SimAppServer::new(*kind, ends_at, limit, &mut chance)).collect();
        let options =
            Options { members_at_once: chance.pick(&[50, 1000]).min(size.hall), ..Options::default() };
        let world = World {
            layout: Layout::new(size),
            options,
            chance,
            timeline: Timeline::default(),
            app_servers,
            tally: Tally::default(),
            ends_at,
        };
        let mut simulation = Simulation { world, shards: Vec::new(), now: 0.0 };
        (0..size.shards).for_each(|number| simulation.add_shard(number));
        simulation.plan();
        simulation
    }

    fn add_shard(&mut self, number: usize) {
        let layout = &self.world.layout;
        let mut shard = Shard {
            number,
            state: State::Running,
            run: 0,
            since: 0.0,
            driver: Driver::new(self.world.options.clone()),
            clock: 0.0,
            timer: None,
            devices: vec![SimDevice::default(); layout.size.devices],
            rooms: std::iter::repeat_with(SimRoom::default).take(layout.rooms()).collect(),
            said: 0,
            held: Vec::new(),
            unstored: Vec::new(),
            unstored_reads: Vec::new(),
            vague: HashSet::new(),
            journal: SimJournal::default(),
            looked: 0.0,
            ends_left: 0,
            checkpoint: None,
            loads: std::iter::repeat_with(Load::default).take(KINDS.len()).collect(),
        };
        shard.begin(&mut self.world);
        self.shards.push(shard);
    }

    /// All that is certain to happen.
    fn plan(&mut self) {
        let World { chance, timeline, app_servers, ends_at, .. } = &mut self.world;
        for (shard, state) in self.shards.iter_mut().enumerate() {
            timeline.add(chance.between(0.0, 1.0), shard, None, Happening::Say);
            timeline.add(chance.between(0.0, 1.0), shard, None, Happening::Enter);
            timeline.add(*ends_at / 2.0, shard, None, Happening::News);
            for _ in 0..2 {
                // Some in the midst of what is said everywhere at once.
                let at = match chance.below(3) {
                    0 => *ends_at / 2.0 + chance.between(0.0, 10.0),
                    _ => chance.between(10.0, *ends_at),
                };
                let end = chance.pick(&[End::Kill, End::TakeOver, End::Move]);
                if chance.one_in(4) {
                    timeline.add(at, shard, None, Happening::End(end));
                    state.ends_left += 1;
                    state.journal.is_kept = true;
                }
            }
            for (number, app_server) in app_servers.iter().enumerate() {
                for outage in &app_server.outages {
                    let back = outage.until + chance.between(0.0, 2.0);
                    let number = number as u8;
                    if app_server.is_announced() {
                        let lost = outage.from + chance.between(0.0, 1.0);
                        timeline.add(lost.min(outage.until), shard, None, Happening::LinkLost(number));
                        timeline.add(back, shard, None, Happening::LinkRestored(number));
                    } else {
                        timeline.add(outage.until, shard, None, Happening::Returned(number));
                    }
                }
            }
        }
    }

    /// All that is planned happens, and then nothing goes wrong any more until everybody has been told. Panics if somebody never is.
    pub fn run(&mut self) -> Figures {
        self.run_until(self.world.ends_at);
        let ended = self.now;
        let mut first = 0;
        // Who has been told has nothing new to hear of.
        while let Some((shard, user)) = self.owed(first) {
            assert!(self.now < ended + LONGEST, "never told: {}", self.describe(shard, user));
            first = shard;
            self.run_until(self.now + 30.0);
        }
        assert_eq!(self.owed(0), None, "everybody is told");
        let last = self.now;
        self.run_until(self.now + 300.0);
        self.assert_quiet();
        self.now = last;
        Figures::of(self)
    }

    fn describe(&self, shard: usize, user: usize) -> String {
        let (world, shard) = (&self.world, &self.shards[shard]);
        let app_server = world.app_server_of(shard.number, user);
        let (kind, load) = (world.app_servers[app_server].kind, &shard.loads[app_server]);
        let (device, unread) = (shard.devices[user], shard.unread(&world.layout, user));
        let (stats, is_vague) = (shard.driver.stats(), shard.is_vague(user));
        format!(
            "{user} of shard {}, {kind:?}: {device:?}, {unread:?}, vague {is_vague}, {load:?}, {stats:?}",
            shard.number
        )
    }

    fn run_until(&mut self, until: f64) {
        while let Some(event) = self.world.timeline.next(until) {
            self.now = event.at;
            self.happen(event);
        }
        self.now = until;
    }

    /// Somebody who has yet to hear of something: their shard, which is that or a later one, and their number.
    fn owed(&self, first: usize) -> Option<(usize, usize)> {
        let layout = &self.world.layout;
        let owed = self.shards.iter().skip(first).flat_map(|shard| {
            let users = (0..shard.devices.len()).filter(|user| {
                let is_owed = shard.unread(layout, *user).newest_sure > shard.devices[*user].told;
                is_owed && self.world.app_server_of(shard.number, *user) != silent()
            });
            users.map(|user| (shard.number, user))
        });
        owed.into_iter().next()
    }

    /// Nothing is left to be done, but for those whose app server has never answered.
    fn assert_quiet(&self) {
        for shard in &self.shards {
            let stats = shard.driver.stats();
            let users = 0..shard.devices.len();
            let silent =
                users.filter(|user| self.world.app_server_of(shard.number, *user) == silent()).count();
            assert!(stats.queued <= silent && stats.in_flight <= silent, "{stats:?}, {silent} are silent");
            assert_eq!((stats.spreading, stats.unstored), (0, 0), "{stats:?}");
            assert_eq!(shard.state, State::Running);
        }
    }

    fn happen(&mut self, event: Event) {
        let Simulation { world, shards, .. } = self;
        let shard = &mut shards[event.shard as usize];
        if event.run.is_some_and(|run| run != shard.run) {
            return;
        }
        shard.clock = shard.clock.max(event.at);
        match event.happening {
            Happening::Turn => shard.turn(event.at, world),
            Happening::Answer(answer) => shard.answered(*answer, world),
            Happening::Vanished(flight) => shard.vanished(&flight, world),
            Happening::Say => {
                let room = some_room(shard, world);
                shard.say(room, world);
                world.again(&event, MESSAGES_IN_DEN * world.layout.rooms() as f64);
            }
            Happening::News => (0..world.layout.halls()).for_each(|room| shard.say(room, world)),
            Happening::Enter => {
                let (user, slot) = (world.chance.below(shard.devices.len()), world.chance.below(SLOTS));
                shard.enter(user, slot, world);
                world.again(&event, (shard.devices.len() / USERS_PER_VISIT) as f64);
            }
            Happening::Leave { user, slot } => shard.leave(user as usize, slot as usize, world),
            Happening::LinkLost(number) => shard.link_lost(number as usize, world),
            Happening::LinkRestored(number) => shard.returned(number as usize, true, world),
            Happening::Returned(number) => shard.returned(number as usize, false, world),
            Happening::End(end) => shard.end(end, world),
            Happening::Up => shard.come_up(world),
            Happening::Loaded => shard.take_up(world),
            Happening::ReadRooms => shard.read_rooms(world),
            Happening::Checkpoint => shard.go_on_with_checkpoint(world),
        }
    }
}

impl World {
    /// What happens again and again, so often in a run, happens again after a while.
    fn again(&mut self, event: &Event, often: f64) {
        let at = event.at + self.chance.between(0.0, 2.0) * self.ends_at / often;
        let happening = match event.happening {
            Happening::Say => Happening::Say,
            _ => Happening::Enter,
        };
        if at < self.ends_at {
            self.timeline.add(at, event.shard as usize, None, happening);
        }
    }
}

/// The number of the app server that has never answered.
fn silent() -> usize {
    KINDS.iter().position(|(kind, _)| *kind == Kind::Silent).expect("there is one")
}

/// Large rooms are few, but have as many messages as any.
fn some_room(shard: &Shard, world: &mut World) -> usize {
    let (halls, rooms) = (world.layout.halls(), shard.rooms.len());
    let share = MESSAGES_IN_HALL * halls as f64 / (MESSAGES_IN_DEN * rooms as f64);
    if world.chance.fraction() < share {
        world.chance.below(halls)
    } else {
        halls + world.chance.below(rooms - halls)
    }
}

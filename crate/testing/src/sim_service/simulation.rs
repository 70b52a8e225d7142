//! One run: what happens, one after the other, and the checks in between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::app_servers::{Answer, Quirks, SimAppServer};
use super::bounces::Sessions;
use super::caps::Caps;
use super::journal::SimJournal;
use super::lifecycle::Loading;
use super::outbox_store::OutboxRecord;
use super::settings::{Happening, Settings};
use super::store::SimStore;
use super::texts::Texts;
use super::truth::{Affiliation, Key, Said, Truth, TruthRoom};
use super::ways::SimForwarding;
use crate::driver::{Driver, Forwarding, Way};
use crate::names::HOST;
use crate::sim_chance::Chance;
use muc_cloud_notify_core::{DeviceState, Record};

/// The process is killed: nothing follows.
#[derive(Debug)]
pub(super) struct Killed;

/// A message that waits until it is known whom it concerns.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) said: Said,
    /// Who was there when it was sent.
    pub(super) present: BTreeSet<usize>,
}

/// What is gone with the process.
#[derive(Debug)]
pub(super) struct SimModule {
    pub(super) driver: Driver,
    pub(super) timer: Option<f64>,
    /// What is left of the start, and when it goes on.
    pub(super) loading: Option<(Loading, f64)>,
    pub(super) held: Vec<Held>,
    pub(super) journal: SimJournal,
    pub(super) forwarding: SimForwarding,
}

/// How many lines a seed's trace has at most.
const TRACED: usize = 100_000;

/// A service in its surroundings, which all follow from one seed.
#[derive(Debug)]
pub struct Simulation {
    pub(super) settings: Settings,
    pub(super) chance: Chance,
    /// The monotonic clock.
    pub(super) now: f64,
    /// What the wall clock shows when that one shows 0.
    pub(super) wall_clock: f64,
    pub(super) module: SimModule,
    pub(super) registrations: SimStore<Record>,
    pub(super) outbox: SimStore<OutboxRecord>,
    pub(super) app_servers: Vec<SimAppServer>,
    pub(super) quirks: Quirks,
    /// Answers on their way, and when they arrive.
    pub(super) network: Vec<(f64, Answer)>,
    pub(super) truth: Truth,
    pub(super) texts: Texts,
    pub(super) sessions: Sessions,
    /// The newest messages.
    pub(super) log: VecDeque<Said>,
    /// No lease has begun before, on the wall clock.
    pub(super) leases_since: f64,
    pub(super) caps: Caps,
    pub(super) said: u32,
    pub(super) runs: u64,
    pub(super) is_in_turn: bool,
    pub(super) fruitless: usize,
    /// Whether the last turn has written a batch.
    pub(super) has_written: bool,
    /// Calls of the engine and of the stores.
    pub(super) steps: u64,
    pub(super) kill_at: Option<u64>,
    /// Nothing goes wrong for a while.
    pub(super) is_calm: bool,
    /// Whose accounts are disabled.
    pub(super) disabled_accounts: BTreeSet<usize>,
    /// Whose accounts have devices, whether or not anybody has noticed.
    pub(super) accounts: BTreeSet<usize>,
    /// Who has said what.
    pub(super) authors: BTreeMap<u32, Option<usize>>,
    /// Whether all could be read that the last run has left.
    pub(super) is_all_read: bool,
    /// How old the oldest of that was, in seconds, by the clocks of then and now.
    pub(super) oldest_age: f64,
    /// Something seemed to be so old once that it may not be said any more in what is stored later.
    pub(super) may_be_forgotten: bool,
    /// What the wall clock showed when the newest record was written.
    pub(super) newest_record: Option<f64>,
    pub(super) pushes: u64,
    pub(super) kills: u64,
    pub(super) messages: u64,
    pub(super) bounces: u64,
    pub(super) revisions: u64,
    pub(super) by_way: u64,
    pub(super) users: Vec<String>,
    pub(super) rooms: Vec<String>,
    trace: Option<VecDeque<String>>,
}

/// How much there was of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Calls of the engine and of the stores.
    pub steps: u64,
    /// Messages that the engine was told of.
    pub messages: u64,
    /// Pushes that left it.
    pub pushes: u64,
    /// Kills.
    pub kills: u64,
    /// Messages that came back from sessions, and were unread.
    pub bounces: u64,
    /// Messages that were taken back or corrected.
    pub revisions: u64,
    /// Pushes to accounts of the server, and messages that were forwarded to others.
    pub by_way: u64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.messages += other.messages;
        self.pushes += other.pushes;
        self.kills += other.kills;
        self.bounces += other.bounces;
        self.revisions += other.revisions;
        self.by_way += other.by_way;
    }
}

impl Simulation {
    /// A service where nobody has registered.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let settings = Settings::of(&mut chance);
        let room = |chance: &mut Chance| TruthRoom {
            affiliations: vec![Affiliation::None; settings.users],
            choices: vec![Forwarding::Unset; settings.users],
            is_known: false,
            occupants: BTreeSet::new(),
            is_private: !chance.one_in(4),
        };
        let rooms = (0..settings.rooms).map(|_| room(&mut chance)).collect();
        let mut app_servers: Vec<SimAppServer> =
            (0..settings.app_servers).map(|number| SimAppServer::new(number, chance.one_in(5))).collect();
        let users: Vec<String> = (0..settings.users).map(|user| settings.name_of(user)).collect();
        app_servers.push(SimAppServer::of_accounts_here(""));
        app_servers.extend(users.iter().map(|user| SimAppServer::of_account_elsewhere(user)));
        let now = chance.between(0.0, 1e6);
        let driver = Driver::seeded(now, settings.options.clone(), seed);
        let mut simulation = Simulation {
            now,
            wall_clock: 1.7e9,
            module: SimModule {
                driver,
                timer: None,
                loading: None,
                held: Vec::new(),
                journal: SimJournal::new(now),
                forwarding: SimForwarding::default(),
            },
            registrations: SimStore::new(settings.is_store_synced),
            outbox: SimStore::new(settings.is_store_synced),
            app_servers,
            quirks: settings.quirks,
            network: Vec::new(),
            truth: Truth::new(rooms, &settings),
            texts: Texts::default(),
            sessions: Sessions::default(),
            log: VecDeque::new(),
            leases_since: 0.0,
            caps: Caps::default(),
            said: 0,
            runs: 0,
            is_in_turn: false,
            fruitless: 0,
            has_written: false,
            steps: 0,
            kill_at: None,
            is_calm: false,
            disabled_accounts: BTreeSet::new(),
            accounts: BTreeSet::new(),
            authors: BTreeMap::new(),
            is_all_read: true,
            oldest_age: 0.0,
            may_be_forgotten: false,
            newest_record: None,
            pushes: 0,
            kills: 0,
            messages: 0,
            bounces: 0,
            revisions: 0,
            by_way: 0,
            users,
            rooms: (0..settings.rooms).map(|room| format!("room{room}@{HOST}")).collect(),
            trace: None,
            settings,
            chance,
        };
        simulation.plan_kill();
        simulation
    }

    /// From now on it is written down what happens.
    pub fn trace(&mut self) {
        self.trace = Some(VecDeque::new());
    }

    /// What has happened lately, if that was written down.
    pub fn traced(&self) -> impl Iterator<Item = &str> {
        self.trace.iter().flatten().map(String::as_str)
    }

    /// So many steps, after which all is well, and everybody has been told.
    pub fn run(&mut self, steps: u64) -> Figures {
        let calm_every = 1000.max(steps / 4);
        while self.steps < steps {
            let calm_at = self.steps + calm_every;
            while self.steps < calm_at.min(steps) {
                let happening = self.settings.happening(&mut self.chance);
                self.happen(happening);
            }
            self.settle();
        }
        self.figures()
    }

    /// How much there was so far.
    pub fn figures(&self) -> Figures {
        let Simulation { steps, messages, pushes, kills, bounces, revisions, by_way, .. } = *self;
        Figures { steps, messages, pushes, kills, bounces, revisions, by_way }
    }

    /// Something happens; there may be a kill on the way.
    fn happen(&mut self, happening: Happening) {
        self.note(|| format!("{happening:?}"));
        if let Err(Killed) = self.try_happen(happening) {
            self.kill();
        }
        self.find_idle_forwards();
        self.assert_bounded();
    }

    fn try_happen(&mut self, happening: Happening) -> Result<(), Killed> {
        // What is told to an engine that does not know yet what the last run has left, is another matter: see docs/reliability.md.
        let is_early = self.settings.options.journal && !self.truth.is_filled && !happening.is_for_anybody();
        match happening {
            _ if is_early => Ok(()),
            Happening::Enable => self.enable(),
            Happening::Disable => self.disable(),
            Happening::Suspend => self.suspend(),
            Happening::Affiliation => self.change_affiliation(),
            Happening::Enter => self.enter(),
            Happening::Leave => self.leave(),
            Happening::Message => self.say(),
            Happening::Ping => self.ping(),
            Happening::DestroyRoom => self.destroy_room(),
            Happening::RestoreRoom => self.restore_room(),
            Happening::Stop => self.stop_and_start(),
            Happening::Reload => self.reload(),
            Happening::LinkLost => self.lose_link(),
            Happening::LinkRestored => self.restore_link(),
            Happening::Leases => self.look_at_leases(),
            Happening::Revision => self.revise(),
            Happening::Bounce => self.bounce(),
            Happening::Account => self.change_account(),
            Happening::Choice => self.choose(),
            Happening::Block => self.change_blocking(),
            Happening::Wait => {
                let seconds = self.some_seconds();
                self.wait(seconds)
            }
            Happening::AppServerMood => {
                let number = self.some_address();
                self.app_servers[number].change_mood(&mut self.chance);
                let mood = self.app_servers[number].mood;
                self.note(|| format!("app server {number}: {mood:?}"));
                Ok(())
            }
            Happening::StoreMood => {
                self.change_store_mood();
                Ok(())
            }
            Happening::WallClock => {
                // Records of the outbox have their time by it: where it is set forward, what they hold may be too old.
                if self.settings.options.time_to_live.is_infinite() {
                    self.wall_clock += self.chance.between(-86400.0, 86400.0);
                }
                Ok(())
            }
        }
    }

    /// Most waits are short.
    fn some_seconds(&mut self) -> f64 {
        let longest = self.settings.longest_wait;
        if self.chance.one_in(20) {
            self.chance.between(0.0, longest)
        } else {
            self.chance.between(0.0, longest / 50.0)
        }
    }

    /// Time passes, and what is due in it happens.
    pub(super) fn wait(&mut self, seconds: f64) -> Result<(), Killed> {
        let end = self.now + seconds;
        while let Some(at) = self.next_due().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.do_due()?;
        }
        self.now = self.now.max(end);
        Ok(())
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<f64> {
        let answers = self.network.iter().map(|(at, _)| *at);
        let loading = self.module.loading.as_ref().map(|(_, at)| *at);
        let journal = self.module.journal.next_due();
        let forwarding = self.module.forwarding.next_due();
        let others = loading.into_iter().chain(journal).chain(forwarding);
        answers.chain(self.module.timer).chain(others).min_by(f64::total_cmp)
    }

    /// Does one thing that is due.
    pub(super) fn do_due(&mut self) -> Result<(), Killed> {
        let first =
            self.network.iter().enumerate().min_by(|(_, (one, _)), (_, (other, _))| one.total_cmp(other));
        if let Some(place) = first.filter(|(_, (at, _))| *at <= self.now).map(|(place, _)| place) {
            let (_, answer) = self.network.swap_remove(place);
            return self.arrive(&answer);
        }
        if self.module.loading.as_ref().is_some_and(|(_, at)| *at <= self.now) {
            return self.go_on_loading();
        }
        if self.module.timer.is_some_and(|at| at <= self.now) {
            return self.run_timer();
        }
        if self.module.forwarding.next_due().is_some_and(|at| at <= self.now) {
            return self.look_at_forwarded();
        }
        self.go_on_with_journal()?;
        Ok(())
    }

    fn change_store_mood(&mut self) {
        if !self.settings.can_store_fail {
            return;
        }
        for mood in [&mut self.registrations.mood, &mut self.outbox.mood] {
            mood.failing_reads = self.chance.pick(&[0, 0, 1, 3, 20]);
            mood.failing_writes = self.chance.pick(&[0, 0, 1, 3, 20]);
            mood.seconds = self.chance.pick(&[0.0, 0.0, 0.001, 0.2]);
        }
    }

    /// The device with this push identifier of a user.
    pub(super) fn key_of(&self, user: &str, push_identifier: &str) -> Key {
        let user = self.users.iter().position(|it| it == user).expect("one of the users");
        match push_identifier {
            "account" => return self.truth.way_key(user, Way::Account),
            "forward" => return self.truth.way_key(user, Way::Forward),
            _ => {}
        }
        let (app_server, node) = push_identifier.split_once('<').expect("a push identifier");
        let app_server = self.app_servers.iter().position(|it| it.jid == app_server).expect("one of them");
        (user, app_server, node.parse().expect("nodes are numbers"))
    }

    /// The device that a state is about.
    pub(super) fn key_of_state(&self, state: &DeviceState) -> Key {
        self.key_of(&state.user, &state.push_identifier)
    }

    pub(super) fn room_of(&self, jid: &str) -> usize {
        self.rooms.iter().position(|it| it == jid).expect("one of the rooms")
    }

    /// Writes down what happens, where somebody wants to know.
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACED {
                trace.pop_front();
            }
            trace.push_back(format!("{:>8} {:>14.3}  {}", self.steps, self.now, what()));
        }
    }
}

//! The one place that calls the engine: its construction, its clock, its randomness, and the loop that takes what is
//! due. Tests, simulations and benchmarks go through a [`Driver`], so that a change of the engine's interface is a
//! change of this module.

mod facts;
mod publishes;
mod steps;

pub use publishes::{Digest, Disabled, Due, Handling, Outcome, Publish};

use minidom::Element;
use muc_cloud_notify_core::{
    AgedDevice, Answered, Change, Deadline, EnableFacts, Engine, Event, Instant, Options, Push, Record,
    RequestError, Snapshot, Stats, UnixTime,
};

use crate::names::HOST;
use crate::sim_random::SimRandom;

pub use muc_cloud_notify_core::{
    Bounce, Broadcast, Coverage, Detail, Forgotten, Forwarding, Reason, Scope, Way,
};

/// More calls than it takes to see to all that is ever due in a test.
const ALL_DUE: usize = 200;

/// An engine with its clock and its randomness.
#[derive(Debug)]
pub struct Driver {
    engine: Engine,
    random: SimRandom,
    /// The time on all clocks of the engine, in seconds. It passes only when somebody moves it.
    pub now: f64,
    /// Whether there is a journal, whatever the options say: nearly all tests are about something else.
    has_journal: bool,
    answered: Vec<Answered>,
}

impl Driver {
    /// An engine for [`HOST`] with nobody registered, at a time that is not the first second of its clock. Whatever the options
    /// say, pushes do not keep a distance: nearly all tests send one message after the other, and expect a push for each.
    pub fn new(options: Options) -> Self {
        let random = SimRandom::default();
        let options = Options { push_interval: 0.0, journal: false, ..with_prepared_addresses(options) };
        let engine = Engine::new(HOST, options, random.clone());
        Driver { engine, random, now: 1000.0, has_journal: false, answered: Vec::new() }
    }

    /// As [`Driver::new`], at a time of the caller's.
    pub fn starting_at(now: f64, options: Options) -> Self {
        Driver { now, ..Driver::new(options) }
    }

    /// As [`Driver::starting_at`], where all options count, and ids and fractions follow from a seed.
    pub fn seeded(now: f64, options: Options, seed: u64) -> Self {
        Driver::seeded_for(HOST, now, options, seed)
    }

    /// As [`Driver::seeded`], for another service.
    pub fn seeded_for(host: &str, now: f64, options: Options, seed: u64) -> Self {
        let (random, has_journal) = (SimRandom::seeded(seed), options.journal);
        let engine = Engine::new(host, with_prepared_addresses(options), random.clone());
        Driver { engine, random, now, has_journal, answered: Vec::new() }
    }

    /// Every fraction that the engine draws from now on: where in its range a back-off lies.
    pub fn set_fraction(&mut self, fraction: f64) {
        self.random.set_fraction(fraction);
    }

    /// The options were read again. See [`Driver::new`].
    pub fn configure(&mut self, options: Options) {
        self.configure_all(Options { push_interval: 0.0, ..options });
    }

    /// The options were read again, and all of them count but that of the journal.
    pub fn configure_all(&mut self, options: Options) {
        let journal = self.has_journal;
        self.engine.configure(Options { journal, ..with_prepared_addresses(options) });
    }

    /// The options were read again, which say whether there is a journal. See [`Driver::new`].
    pub fn configure_journal(&mut self, options: Options) {
        self.has_journal = options.journal;
        self.configure(options);
    }

    /// What is said is kept for [`Driver::words`] from now on, or not.
    pub fn keep_words(&mut self, is_asked_for: bool) {
        self.engine.keep_words(is_asked_for);
    }

    /// Time passes.
    pub fn wait(&mut self, seconds: f64) {
        self.now += seconds;
    }

    /// Time passes until the engine wants to be polled. Returns whether it ever does.
    pub fn advance_to_deadline(&mut self) -> bool {
        let deadline = self.next_deadline();
        self.now = deadline.map_or(self.now, |at| self.now.max(at));
        deadline.is_some()
    }
}

/// A JID as a server prepares it; `None` where it is none.
pub fn prepared(jid: &str) -> Option<String> {
    jid::Jid::new(jid).ok().map(|jid| jid.to_string())
}

fn with_prepared_addresses(options: Options) -> Options {
    let app_servers = options.app_servers.map(|jids| jids.iter().filter_map(|jid| prepared(jid)).collect());
    Options { app_servers, ..options }
}

/// The `jid` attribute of a request, as a server prepares it.
fn app_server_of(iq: &Element) -> Option<String> {
    iq.children().find_map(|request| prepared(request.attr("jid")?))
}

/// Requests: nothing changes yet.
impl Driver {
    /// What an IQ with `<enable/>` makes of a user's record.
    ///
    /// # Errors
    ///
    /// The error to answer with.
    pub fn prepare_enable(&self, user: &str, iq: &Element, record: Record) -> Result<Change, RequestError> {
        let app_server = app_server_of(iq);
        let app_server = app_server.as_deref();
        self.prepare_enable_with(
            &EnableFacts { user, app_server, is_local: false, is_member: false },
            iq,
            record,
        )
    }

    /// The same with facts of the caller's.
    ///
    /// # Errors
    ///
    /// The error to answer with.
    pub fn prepare_enable_with(
        &self,
        facts: &EnableFacts<'_>,
        iq: &Element,
        record: Record,
    ) -> Result<Change, RequestError> {
        self.engine.prepare_enable(facts, iq, record, UnixTime::from_seconds(self.now))
    }

    /// What an IQ with `<disable/>` makes of a user's record.
    ///
    /// # Errors
    ///
    /// The error to answer with.
    pub fn prepare_disable(&self, iq: &Element, record: Record) -> Result<Change, RequestError> {
        self.engine.prepare_disable(iq, app_server_of(iq).as_deref(), record)
    }
}

/// Decisions.
impl Driver {
    /// Takes what is due, and at most `limit` pushes of it.
    pub fn poll(&mut self, limit: usize, scope: Scope) -> Due {
        // Each call sees to a part of what is due.
        for _ in 0..limit.min(ALL_DUE) {
            self.engine.handle_timeout(self.instant());
        }
        let pushes = std::iter::from_fn(|| self.engine.poll_push(Instant::from_seconds(self.now), scope));
        let pushes = pushes.take(limit).collect();
        Due { pushes, disabled: self.drain_events() }
    }

    /// The next batch of the journal, where one is due.
    pub fn poll_batch(&mut self) -> Option<Snapshot> {
        self.engine.poll_batch(self.instant())
    }

    /// The next batch of the journal before a stop.
    pub fn finish_batch(&mut self) -> Option<Snapshot> {
        self.engine.finish_batch(self.instant())
    }

    /// A push that has just left the outbox, with everything that is known of it.
    pub fn publish(&self, push: &Push) -> Publish {
        let id = push.id.to_string();
        let (user, registration) = self.engine.addressee(push.id.device()).expect("its device is there");
        let details = self.engine.push_details(&id).expect("it is on its way");
        Publish {
            user: user.to_owned(),
            app_server: registration.app_server.clone(),
            way: registration.way(),
            node: registration.node.clone(),
            publish_options: registration.publish_options.clone(),
            summary: self.engine.summary(push.summary).expect("it is a new one").clone(),
            mentioned: details.is_mention,
            judged_by: details
                .room
                .map(|room| Digest { room: room.to_owned(), original: details.original.as_deref().cloned() }),
            id,
        }
    }

    /// When the engine wants to be polled next.
    pub fn next_deadline(&self) -> Option<f64> {
        self.engine.next_deadline().map(|deadline| match deadline {
            Deadline::PushWaiting | Deadline::MessageSpreading => self.now,
            Deadline::AnswerOverdue(at) | Deadline::RetryDue(at) | Deadline::BatchDue(at) => at.as_seconds(),
        })
    }

    /// The devices whose lease has aged, where no lease has begun before `since`.
    pub fn aged_devices(&mut self, since: f64) -> Vec<AgedDevice> {
        self.aged_devices_at(UnixTime::from_seconds(self.now), UnixTime::from_seconds(since))
    }

    /// The same at a time of day of the caller's.
    pub fn aged_devices_at(&mut self, now: UnixTime, since: UnixTime) -> Vec<AgedDevice> {
        self.engine.begin_lease_check();
        std::iter::from_fn(|| self.engine.next_aged_devices(now, since)).flatten().collect()
    }

    /// Users and push identifiers of the devices that were to be noted as answered since this was last asked.
    pub fn take_answered(&mut self) -> Vec<(String, String)> {
        let answered = std::mem::take(&mut self.answered).into_iter();
        answered.map(|it| (it.user.to_string(), it.push_identifier.into())).collect()
    }

    /// What was said, for an app server that may know it whatever the options say: the author, the text, and whether the push is
    /// about a mention.
    pub fn words(&self, id: &str) -> Option<(Option<&str>, Option<&str>, bool)> {
        self.engine.words(id).map(|words| (words.sender, words.body, words.is_mention))
    }

    /// The room that a push tells of.
    pub fn room_told(&self, id: &str) -> Option<&str> {
        self.engine.words(id)?.room
    }

    /// Whether messages can be forwarded to one more user.
    ///
    /// # Errors
    ///
    /// The error to answer with.
    pub fn admit_forwarding(&self, user: &str) -> Result<(), RequestError> {
        self.engine.admit_forwarding(user)
    }

    /// Whether a push is to be sent still.
    pub fn is_wanted(&self, id: &str) -> bool {
        self.engine.is_wanted(id)
    }
}

/// A look inside.
impl Driver {
    /// Whether a user has a device.
    pub fn is_registered(&self, user: &str) -> bool {
        self.engine.is_registered(user)
    }

    /// How much of a room is known.
    pub fn coverage(&self, room: &str) -> Coverage {
        self.engine.coverage(room)
    }

    /// The members of a room with a device who are absent.
    pub fn absent(&self, room: &str) -> Vec<&str> {
        self.engine.absent_members(room)
    }

    /// Whether there are any of them.
    pub fn is_anybody_absent(&self, room: &str) -> bool {
        self.engine.is_anybody_absent(room)
    }

    /// Whether any member of a room has a device.
    pub fn has_devices(&self, room: &str) -> bool {
        self.engine.has_devices(room)
    }

    /// How much the engine holds.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// How much memory is taken by what has not come to all members of a room, in bytes.
    pub fn spreading_weight(&self) -> usize {
        self.engine.spreading_weight()
    }

    /// What outlives a restart, of what has come to the devices, in one part.
    pub fn snapshot(&self) -> Snapshot {
        let mut whole = Snapshot::default();
        for mut part in self.snapshot_parts(usize::MAX, Detail::Words) {
            let before = whole.messages.len();
            let unread = part.devices.iter_mut().flat_map(|device| &mut device.unread);
            for pending in unread.filter_map(|unread| unread.pending.as_mut()) {
                pending.places.iter_mut().chain(&mut pending.mentions).for_each(|place| *place += before);
            }
            whole.devices.append(&mut part.devices);
            whole.messages.append(&mut part.messages);
            whole.nicknames.append(&mut part.nicknames);
            whole.domains.append(&mut part.domains);
            whole.key = part.key;
        }
        whole
    }

    /// What outlives a restart, in parts of at most so many devices.
    pub fn snapshot_parts(&self, devices: usize, detail: Detail) -> Vec<Snapshot> {
        let mut plan = self.engine.plan_snapshot();
        std::iter::from_fn(|| self.engine.next_part(&mut plan, devices, detail, self.instant())).collect()
    }

    /// The rooms that are to be read, as something waits there since before a restart.
    pub fn awaited_rooms(&self) -> Vec<String> {
        let mut rooms: Vec<String> = self.engine.awaited_rooms().map(str::to_owned).collect();
        rooms.sort_unstable();
        rooms
    }
}

impl Driver {
    fn instant(&self) -> Instant {
        Instant::from_seconds(self.now)
    }

    /// What was disabled. That an addressee has changed is of no interest here: nothing is kept of any.
    fn drain_events(&mut self) -> Vec<Disabled> {
        let events = std::iter::from_fn(|| self.engine.poll_event());
        let (mut disabled, mut answered) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                Event::DeviceDisabled(device) => disabled.push(device.into()),
                Event::DeviceAnswered(device) => answered.push(device),
                Event::AddresseeChanged(_) => {}
            }
        }
        self.answered.append(&mut answered);
        disabled
    }
}

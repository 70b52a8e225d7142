//! The engine as the Lua files drive it: after each fact its events are carried out and the timer is set, and when that runs
//! pushes are sent. There can be a kill before each of these calls.

use muc_cloud_notify_core::{Event, Scope};

use super::devices::PushScope;
use super::simulation::{Killed, Simulation};
use super::texts::read_text;
use super::truth::{Key, Truth};
use crate::driver::{Driver, Handling, Outcome, Publish, Way};

/// The clock is looked at after so many pushes.
const PUSHES_PER_LOOK: usize = 5;

/// More turns in a row than it ever takes until there is something to show for it.
const FRUITLESS_TURNS: usize = 500;

impl Simulation {
    /// Something that may be the last thing that happens.
    pub(super) fn step(&mut self) -> Result<(), Killed> {
        self.steps += 1;
        if self.kill_at == Some(self.steps) { Err(Killed) } else { Ok(()) }
    }

    /// The engine is told something, and at once it is true.
    pub(super) fn fact<T>(
        &mut self,
        call: impl FnOnce(&mut Driver) -> T,
        then: impl FnOnce(&mut Truth),
    ) -> Result<T, Killed> {
        self.step()?;
        let driver = &mut self.module.driver;
        driver.now = self.now;
        let result = call(driver);
        then(&mut self.truth);
        self.after_fact()?;
        Ok(result)
    }

    /// Carries out what the engine has decided, and sets the timer.
    pub(super) fn after_fact(&mut self) -> Result<(), Killed> {
        let events = self.module.driver.take_events();
        let mut disabled = Vec::new();
        for event in events {
            if let Event::DeviceDisabled(device) = event {
                let key = self.key_of(&device.user, &device.push_identifier);
                assert!(self.truth.devices.contains_key(&key), "{key:?} is disabled once");
                self.note(|| format!("disabled {key:?}: {:?}", device.reason));
                self.truth.remove_device(key);
                disabled.push((key, device.push_identifier));
            }
        }
        for (key, push_identifier) in disabled {
            self.remove_stored(key, &push_identifier)?;
        }
        if !self.is_in_turn {
            self.plan();
        }
        Ok(())
    }

    pub(super) fn plan(&mut self) {
        self.module.driver.now = self.now;
        let deadline = self.module.driver.next_deadline();
        self.module.timer = match (self.module.timer, deadline) {
            (Some(before), Some(deadline)) => Some(before.min(deadline)),
            (before, deadline) => before.or(deadline),
        };
    }

    /// The timer runs.
    pub(super) fn run_timer(&mut self) -> Result<(), Killed> {
        self.module.timer = None;
        if !self.truth.is_filled {
            // Nothing is told before all is known.
            return Ok(());
        }
        self.is_in_turn = true;
        let sent = self.turn()?;
        self.is_in_turn = false;
        self.plan();
        let has_stopped =
            sent == 0 && !self.has_written && self.module.timer.is_some_and(|at| at <= self.now);
        self.fruitless = if has_stopped { self.fruitless + 1 } else { 0 };
        assert!(
            self.fruitless < FRUITLESS_TURNS,
            "turns end: {:?} at {}",
            self.module.driver.stats(),
            self.now
        );
        Ok(())
    }

    /// Sends what is due, as much of it as a turn may take. Returns how many pushes that were.
    fn turn(&mut self) -> Result<usize, Killed> {
        let most = 1 + self.chance.below(60);
        let scope = if self.settings.is_one_room { Scope::OneRoom } else { Scope::AllRooms };
        let (mut polled, mut has_stored) = (0, false);
        loop {
            if polled % PUSHES_PER_LOOK == 0 {
                if polled >= most {
                    return Ok(polled);
                }
                self.now += if polled > 0 { 0.001 } else { 0.0 };
                self.fact(Driver::handle_timeout, |_| ())?;
                if !has_stored {
                    has_stored = true;
                    self.has_written = self.write_due()?;
                }
            }
            self.step()?;
            let Some(push) = self.module.driver.poll_push(scope) else { return Ok(polled) };
            polled += 1;
            let publish = self.module.driver.publish(&push);
            let key = self.key_of_push(&publish);
            self.polled(key, &publish);
            self.send(key, &publish)?;
        }
    }

    fn key_of_push(&self, push: &Publish) -> Key {
        let user = self.users.iter().position(|it| *it == push.user).expect("one of the users");
        match push.way {
            Some(way) => self.truth.way_key(user, way),
            None => {
                let node = push.node.as_deref().unwrap_or_default();
                self.key_of(&push.user, &format!("{}<{node}", push.app_server.as_str()))
            }
        }
    }

    /// A push has left the engine. Panics where it must not.
    fn polled(&mut self, key: Key, push: &Publish) {
        let room = push.judged_by.as_ref().filter(|_| self.settings.is_one_room);
        let room = room.map(|digest| self.room_of(&digest.room));
        self.note(|| format!("push to {key:?}, {}: {:?}", push.id, push.summary));
        let scope = match room {
            Some(room) => PushScope::One(room),
            None if self.settings.is_one_room => PushScope::None,
            None => {
                PushScope::All { is_bit_by_bit: self.truth.is_bit_by_bit && self.settings.options.journal }
            }
        };
        self.truth.assert_stored(key, scope);
        let now = self.module.driver.now;
        let told = self.told(push).and_then(read_text);
        if let Some((number, version)) = told.filter(|_| self.settings.is_plain()) {
            self.texts.assert_told(number, version);
        }
        let number = told.map(|(number, _)| number);
        let options = &self.settings.options;
        let patience = (options.reply_timeout, options.way_interval);
        self.truth.push(key, push, (scope, number), now, patience);
        if push.way != Some(Way::Account) {
            self.caps.sent(&self.app_servers[key.1], &push.id, now, options);
        }
        self.pushes += 1;
    }

    /// What a push says of a message. By a way all of it is told.
    fn told<'a>(&'a self, push: &'a Publish) -> Option<&'a str> {
        match push.way {
            Some(_) => self.module.driver.words(&push.id).and_then(|(_, body, _)| body),
            None => push.body(),
        }
    }

    /// Sends a push, most often.
    fn send(&mut self, key: Key, push: &Publish) -> Result<(), Killed> {
        if let Some(way) = push.way {
            return self.hand_over(way, key, push);
        }
        match self.chance.below(400) {
            0 => {
                self.caps.taken_back(&push.id);
                let id = &push.id;
                return self.fact(|driver| driver.withdraw(id), |truth| truth.land(key, true));
            }
            1 if self.settings.is_plain() => {
                self.caps.taken_back(&push.id);
                let id = &push.id;
                return self.fact(|driver| driver.suppress(id), |truth| truth.suppress(key));
            }
            2 => return self.fail_to_send(push, key),
            _ => self.step()?,
        }
        let timeout = self.settings.options.reply_timeout;
        let app_server = &mut self.app_servers[key.1];
        let answers = app_server.answers(&push.id, self.quirks, timeout, &mut self.chance);
        if app_server.is_in_process {
            for (_, answer) in answers {
                self.arrive(&answer)?;
            }
        } else {
            self.network.extend(answers.into_iter().map(|(after, answer)| (self.now + after, answer)));
        }
        Ok(())
    }

    pub(super) fn fail_to_send(&mut self, push: &Publish, key: Key) -> Result<(), Killed> {
        self.caps.ended(&push.id);
        let (id, now) = (&push.id, self.now);
        self.step()?;
        self.module.driver.now = now;
        self.truth.land(key, push.way == Some(Way::Account));
        if let Some(disabled) = self.module.driver.handle_send_failure(id) {
            self.truth.remove_device(key);
            self.remove_stored(key, &disabled.push_identifier)?;
        }
        self.after_fact()
    }

    /// An answer comes in.
    pub(super) fn arrive(&mut self, answer: &super::app_servers::Answer) -> Result<(), Killed> {
        self.step()?;
        self.find_idle_forwards();
        self.module.driver.now = self.now;
        let key = self.truth.flying(&answer.id);
        let expected = key.filter(|key| self.app_servers[key.1].jid == answer.from);
        let handling = self.module.driver.handle_reply(&answer.id, &answer.from, answer.outcome);
        self.note(|| format!("answer {answer:?} for {key:?}: {handling:?}"));
        let is_late = |key: Key| {
            let flight = self.truth.devices[&key].flight.as_ref();
            flight.is_some_and(|flight| flight.since + self.settings.options.reply_timeout <= self.now)
        };
        // Whatever is said of what was forwarded, it was reached.
        let is_forward = expected.is_some_and(|key| self.truth.way(key).is_some());
        let reached =
            if is_forward && answer.outcome != Outcome::Silent { Outcome::Delivered } else { answer.outcome };
        let has_taken = reached == Outcome::Delivered && handling == Handling::Taken;
        if let Some(key) = expected.filter(|_| has_taken) {
            self.caps.taken(&self.app_servers[key.1].domain);
        }
        let sign_of_life = expected.filter(|_| has_taken && !is_forward);
        match (expected, handling) {
            (None, handling) => {
                assert_eq!(handling, Handling::Unknown, "nobody waits for {answer:?}");
            }
            (Some(key), Handling::Unknown) => {
                assert!(is_late(key), "{key:?} waits for {answer:?}");
                self.truth.land(key, false);
            }
            (Some(key), Handling::Taken) => self.ended(key, reached),
            (Some(key), Handling::Disabled(disabled)) => {
                assert!(!is_forward, "{key:?} is registered");
                self.ended(key, answer.outcome);
                self.truth.remove_device(key);
                self.remove_stored(key, &disabled.push_identifier)?;
            }
        }
        let was_on_its_way = answer.from != "evil.example" && self.caps.ended(&answer.id);
        // What was forwarded is waited for some more time once it was taken for arrived, or was lost with a link.
        let has_reached_account = self.is_account(&answer.from) && answer.outcome != Outcome::Silent;
        if was_on_its_way && answer.outcome == Outcome::Delivered || has_reached_account {
            self.note_taken(&answer.from);
        }
        self.after_fact()?;
        self.note_sign_of_life(sign_of_life)
    }

    fn is_account(&self, jid: &str) -> bool {
        self.users.iter().any(|user| user == jid)
    }

    /// An app server has taken a publish: so has its domain.
    pub(super) fn note_taken(&mut self, jid: &str) {
        let domain = self.app_servers.iter().find(|it| it.jid == jid).map(|it| it.domain.clone());
        self.app_servers
            .iter_mut()
            .filter(|it| Some(&it.domain) == domain.as_ref())
            .for_each(|it| it.has_taken_any = true);
    }

    fn ended(&mut self, key: Key, outcome: Outcome) {
        self.truth.land(key, matches!(outcome, Outcome::Delivered | Outcome::Rejected));
    }
}

//! What becomes of pushes: they leave the outbox, are answered or not, and are told again or not.

use std::sync::Arc;

use crate::app_server::AppServer;
use crate::circuit_breaker::Permit;
use crate::device::{Device, InFlight, State, Trouble};
use crate::engine::Engine;
use crate::ids::DeviceId;
use crate::outbox::Random;
use crate::outcome::Outcome;
use crate::summary::{Push, PushId, Summary};

/// A device that is not pushed to any more; the store is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// The bare JID of the user.
    pub user: Arc<str>,
    /// The push identifier of the device.
    pub key: Box<str>,
    /// The app server.
    pub app_server: AppServer,
    /// Why.
    pub reason: Reason,
}

/// Why a device was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// This many persistent errors in a row.
    Rejected(u32),
    /// Nothing but transient errors for as long as the operator puts up with.
    Unreachable,
}

/// What there is to do in a turn of the event loop.
#[derive(Debug, Default)]
pub struct Turn {
    /// What is to be sent.
    pub pushes: Vec<Push>,
    /// What was disabled.
    pub disabled: Vec<Disabled>,
    /// The devices among those pushed to whose addressee is not that of their last push.
    pub changed: Vec<DeviceId>,
}

/// How the answer to a publish was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handling {
    /// It answers nothing of ours: no publish has this id, or it went to somebody else.
    Unknown,
    /// It was expected.
    Taken,
    /// It was expected, and it was one error too many.
    Disabled(Disabled),
}

/// How many rooms a push may be about.
#[derive(Debug, Clone, Copy)]
enum Telling {
    AllRooms,
    OneRoom,
}

impl Engine {
    /// Does what is due at `now`, and hands out at most `limit` pushes. When they are handed out they count
    /// as sent; the caller sends them when it has left the engine.
    pub fn turn(&mut self, now: f64, limit: usize, random: &mut dyn Random) -> Turn {
        self.turn_telling(Telling::AllRooms, now, limit, random)
    }

    /// As [`Engine::turn`], but no push is about more than one room: other modules judge each by a message of
    /// its room, and what they stop must not take the other rooms with it.
    pub fn turn_by_room(&mut self, now: f64, limit: usize, random: &mut dyn Random) -> Turn {
        self.turn_telling(Telling::OneRoom, now, limit, random)
    }

    fn turn_telling(&mut self, telling: Telling, now: f64, limit: usize, random: &mut dyn Random) -> Turn {
        let mut turn = Turn::default();
        for _ in 0..limit {
            match self.outbox.due(&mut self.devices, now, self.options.reply_timeout) {
                Some(device) => turn.disabled.extend(self.deadline_passed(device, now, random)),
                None => break,
            }
        }
        turn.pushes.reserve_exact(limit.min(self.outbox.queued()));
        for _ in 0..limit {
            match self.outbox.pop() {
                Some(device) => turn.pushes.extend(self.push(device, telling, now, random)),
                None => break,
            }
        }
        let pushed = turn.pushes.iter().map(|push| push.id.device);
        turn.changed.extend(pushed.filter(|&id| {
            let device = self.devices.get_mut(id);
            device.is_some_and(|device| std::mem::take(&mut device.is_changed))
        }));
        turn
    }

    /// When [`Engine::turn`] is next to be called: at once where that time is past; `None`: when there is
    /// news.
    pub fn next_turn(&self) -> Option<f64> {
        self.outbox.next_turn()
    }

    /// A reply came: its `id`, who it is `from`, and what it means.
    pub fn reply(
        &mut self,
        id: &str,
        from: &str,
        outcome: Outcome,
        now: f64,
        random: &mut dyn Random,
    ) -> Handling {
        let Ok(id) = id.parse::<PushId>() else { return Handling::Unknown };
        let Some(device) = self.devices.get(id.device) else { return Handling::Unknown };
        let is_expected = device.in_flight().is_some_and(|in_flight| in_flight.id == id);
        if !is_expected || device.registration.app_server.as_str() != from {
            return Handling::Unknown;
        }
        match self.outcome(id, outcome, now, random) {
            Some(disabled) => Handling::Disabled(disabled),
            None => Handling::Taken,
        }
    }

    /// Whether a push that was handed out still is to be sent: its device may be gone by now, and its user
    /// back.
    pub fn is_wanted(&self, id: &str) -> bool {
        let Ok(id) = id.parse::<PushId>() else { return false };
        let in_flight = self.devices.get(id.device).and_then(Device::in_flight);
        in_flight
            .is_some_and(|in_flight| in_flight.id == id && (in_flight.pinged || !in_flight.told.is_empty()))
    }

    /// A push that was handed out is not sent after all. With `is_unwanted`, because another module has
    /// stopped it: then what it would have told does not count as missed.
    pub fn withdraw(&mut self, id: &str, is_unwanted: bool) {
        let Ok(id) = id.parse::<PushId>() else { return };
        let Some(device) = self.devices.get_mut(id.device) else { return };
        let Some(in_flight) = device.land(id) else { return };
        if is_unwanted {
            device.uncount(&in_flight.told);
        }
        self.outbox.landed(in_flight);
        self.settle(id.device);
    }

    /// A push that was handed out could not be sent, as when an app server in the same process fails: it is
    /// told again later.
    pub fn sending_failed(&mut self, id: &str, now: f64, random: &mut dyn Random) -> Option<Disabled> {
        self.outcome(id.parse().ok()?, Outcome::Silent, now, random)
    }

    /// A publish was not answered in time, or the time of a retry has come.
    fn deadline_passed(&mut self, id: DeviceId, now: f64, random: &mut dyn Random) -> Option<Disabled> {
        let device = self.devices.get_mut(id)?;
        if let Some(id) = device.in_flight().map(|in_flight| in_flight.id) {
            return self.outcome(id, Outcome::Silent, now, random);
        }
        device.state = State::Idle;
        self.outbox.announce(id, device);
        None
    }

    /// The push that a device of the queue is to get, if there still is anything to tell it.
    fn push(&mut self, id: DeviceId, telling: Telling, now: f64, random: &mut dyn Random) -> Option<Push> {
        let device = self.devices.get_mut(id)?;
        device.state = State::Idle;
        device.expire(now - self.options.time_to_live);
        if !device.has_pending() {
            return None;
        }
        if let Permit::Denied { until } =
            self.circuits.ask(&device.registration.app_server, now, &self.options)
        {
            // Not all at once when the rest is over.
            let until = until + self.options.retry_delay * random.fraction();
            self.outbox.rest(id, device, until);
            return None;
        }
        let told = match telling {
            Telling::AllRooms => device.take_pending(),
            Telling::OneRoom => device.take_oldest_pending(),
        };
        let pinged = std::mem::take(&mut device.pinged);
        let pending = told.iter().map(|(_, pending)| pending);
        let newest = pending.clone().max_by(|one, other| one.cmp_sent(other));
        let content = newest.map(|pending| &pending.content);
        let mentions = pending.filter(|pending| pending.mention.is_some());
        let mention =
            mentions.max_by(|one, other| one.cmp_sent(other)).and_then(|pending| pending.mention.as_ref());
        let important_body = Some(&self.important_body).filter(|_| content.is_some());
        let body = content.and_then(|content| content.body.as_ref()).or(important_body);
        let push = Push {
            id: PushId { device: id, secret: random.secret() },
            summary: Summary {
                message_count: device.count(),
                last_message_sender: content.and_then(|content| content.sender.clone()),
                last_message_body: body.filter(|body| !body.is_empty()).cloned(),
            },
            mentioned: mention.is_some(),
            judged_by: mention.or(content).cloned(),
        };
        let in_flight = InFlight { id: push.id, since: now, told, pinged };
        self.outbox.sent(device, in_flight, now + self.options.reply_timeout);
        Some(push)
    }

    /// A publish has ended one way or another.
    fn outcome(
        &mut self,
        id: PushId,
        outcome: Outcome,
        now: f64,
        random: &mut dyn Random,
    ) -> Option<Disabled> {
        let device = self.devices.get_mut(id.device)?;
        let mut in_flight = device.land(id)?;
        let (told, pinged) = (std::mem::take(&mut in_flight.told), in_flight.pinged);
        self.outbox.landed(in_flight);
        match outcome {
            Outcome::Silent => self.circuits.silent(&device.registration.app_server, now, &self.options),
            _ => self.circuits.answered(&device.registration.app_server),
        }
        match outcome {
            Outcome::Delivered => device.trouble = None,
            Outcome::Rejected => {
                let errors = device.trouble.as_ref().map_or(0, |trouble| trouble.errors).saturating_add(1);
                if errors >= self.options.max_errors {
                    return self.disable_device(id.device, Reason::Rejected(errors));
                }
                device.trouble = Some(Box::new(Trouble { errors, ..Trouble::default() }));
            }
            Outcome::Transient | Outcome::Silent => {
                device.pinged |= pinged;
                device.put_back(told);
                return self.retry_later(id.device, now, random);
            }
        }
        self.settle(id.device);
        None
    }

    /// Back-off with jitter: between half of the delay and all of it. A device that has failed for too long
    /// is disabled; two errors with nothing between them but weeks without a message prove nothing.
    fn retry_later(&mut self, id: DeviceId, now: f64, random: &mut dyn Random) -> Option<Disabled> {
        let device = self.devices.get_mut(id)?;
        let trouble = device.trouble.get_or_insert_default();
        let delay = self.options.back_off(trouble.attempts);
        trouble.attempts = trouble.attempts.saturating_add(1);
        let failing_for = now - *trouble.failing_since.get_or_insert(now);
        if trouble.attempts >= self.options.max_errors && failing_for >= self.options.give_up_after {
            return self.disable_device(id, Reason::Unreachable);
        }
        self.outbox.rest(id, device, now + delay * (0.5 + random.fraction() / 2.0));
        None
    }

    /// Nothing is on its way to a device any more: what has come up meanwhile is next.
    fn settle(&mut self, id: DeviceId) {
        if let Some(device) = self.devices.get_mut(id) {
            device.state = State::Idle;
            self.outbox.announce(id, device);
        }
    }

    fn disable_device(&mut self, id: DeviceId, reason: Reason) -> Option<Disabled> {
        let (user, registration) = self.remove_device(id)?;
        let key = registration.key().into();
        Some(Disabled { user, key, app_server: registration.app_server, reason })
    }
}

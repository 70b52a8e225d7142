//! What becomes of pushes: they leave the outbox, are answered or not, and are tried again or not.

use std::fmt;
use std::sync::Arc;

use crate::circuit_breaker::{CircuitBreakers, PROBE_PAUSE, PROBE_TIMEOUT, Permit};
use crate::device::{Device, InFlight, Notification, Notifications, Scope};
use crate::devices::Devices;
use crate::domains::{Concern, Landing, Publisher, Relation};
use crate::event::Reason;
use crate::ids::{DeviceId, PushId, RoomId};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::random::Random;
use crate::summary::{Summaries, Summary};
use crate::time::Instant;
use crate::way::Way;

use super::Engine;
use super::pace::Paces;

/// How many devices are looked at for one push, and how many deadlines are seen to at once. A device can be disabled by its
/// deadline, which the caller then writes to the store: nobody is to wait for many of those.
const LOOKED_AT: usize = 100;
const DUE_AT_ONCE: usize = 5;

/// A publish that is to be sent now. Where it goes is known by its device: see
/// [`Engine::addressee`](crate::Engine::addressee).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// The id of the IQ.
    pub id: PushId,
    /// What it says: see [`Engine::summary`](crate::Engine::summary). Pushes that say the same have the same number.
    pub summary: u64,
}

/// Sends pushes, and takes in what becomes of them.
pub(super) struct Delivery {
    breakers: CircuitBreakers,
    summaries: Summaries,
    paces: Paces,
    random: Box<dyn Random>,
    /// [`Options::important_body`], to be shared by all pushes.
    important_body: Arc<str>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Delivery").field("breakers", &self.breakers).finish_non_exhaustive()
    }
}

impl Delivery {
    pub(super) fn new(options: &Options, random: Box<dyn Random>) -> Self {
        Delivery {
            breakers: CircuitBreakers::default(),
            summaries: Summaries::default(),
            paces: Paces::default(),
            random,
            important_body: options.important_body.as_str().into(),
        }
    }

    /// The options were read again.
    pub(super) fn configure(&mut self, options: &Options) {
        self.important_body = options.important_body.as_str().into();
    }

    /// The owner of a device has read a room.
    pub(super) fn end_pace(&mut self, device: DeviceId, room: RoomId) {
        self.paces.end(device, room);
    }

    /// A push was not sent after all.
    pub(super) fn take_back(&mut self, id: PushId, in_flight: &InFlight) {
        self.paces.take_back(id.device(), &in_flight.notifications);
    }

    /// The summary with this number.
    pub(super) fn summary(&self, number: u64) -> Option<&Summary> {
        self.summaries.get(number)
    }

    /// The next push, which counts as sent. before() is called with each device that is looked at, and says whether that can have one
    /// already.
    pub(super) fn poll_push(
        &mut self,
        devices: &mut Devices,
        before: impl FnMut(&mut Devices, DeviceId) -> bool,
        scope: Scope,
        now: Instant,
        options: &Options,
    ) -> Option<Push> {
        devices.poll(LOOKED_AT, now, options, before, |device_id, device, relation| {
            let (notifications, is_ping, known, patience) =
                self.take_pending((device_id, device), relation, scope, now, options)?;
            self.paces.start(device_id, device.has_answered(), &notifications, now, options);
            if device.registration().way().is_some() {
                self.paces.start_way(device_id, now, options);
            }
            let id = PushId::new(device_id, self.random.secret());
            let summary = self.summarize(&notifications, known, options);
            let push = Push { id, summary: self.summaries.number(summary) };
            let (deadline, until) = (now + patience, now + options.reply_timeout);
            Some((InFlight { id, notifications, is_ping, sent: now, deadline, until, flight: None }, push))
        })
    }

    /// Takes what is pending for a device whose turn has come, unless nothing is left or its app server, which has taken something
    /// before or not, is to be spared. And says for how long the answer may be waited for.
    fn take_pending(
        &mut self,
        (id, device): (DeviceId, &mut Device),
        relation: Relation,
        scope: Scope,
        now: Instant,
        options: &Options,
    ) -> Option<(Notifications, bool, u32, f64)> {
        device.expire(now - options.time_to_live);
        if !device.has_pending() {
            return None;
        }
        let until = self.paces.all_wait(id, device.unread().pending(), now);
        if let Some(until) = until.filter(|_| !device.is_pinged()) {
            device.pace(until);
            return None;
        }
        if let Relation::Stranger { wait: Some(until) } = relation {
            // Where they are spared it is as with a breaker; otherwise one may be answered any time.
            let least = if until > now { 0.0 } else { 0.5 };
            device.back_off(until + options.retry_delay * (least + self.random.fraction() * (1.0 - least)));
            return None;
        }
        let is_known = relation == Relation::Known;
        let is_ready =
            |room, other: &Notification| self.paces.waits(id, room, other.is_mention(), now).is_none();
        if device.registration().way().is_some() {
            if let Some(until) = self.paces.way_waits(id, now) {
                device.pace(until);
                return None;
            }
            let (notifications, is_ping, known) = device.take_pending(scope, is_ready);
            return Some((notifications, is_ping, known, options.reply_timeout));
        }
        let has_failed = device.failing_since().is_some();
        match self.breakers.ask(&device.registration().app_server, has_failed, is_known, now, options) {
            permit @ (Permit::Granted | Permit::Probe) => {
                let (notifications, is_ping, known) = device.take_pending(scope, is_ready);
                let is_probe = is_known && permit == Permit::Probe;
                let patience =
                    if is_probe { options.reply_timeout.min(PROBE_TIMEOUT) } else { options.reply_timeout };
                Some((notifications, is_ping, known, patience))
            }
            Permit::Denied { until } => {
                // Not all at once when the breaker is half open.
                device.back_off(until + options.retry_delay * self.random.fraction());
                None
            }
        }
    }

    /// What app servers may know is what the options say now, whatever they said when the message was sent.
    fn summarize(&self, notifications: &Notifications, known: u32, options: &Options) -> Summary {
        let newest = notifications.newest();
        let important_body = newest.map(|_| &self.important_body);
        let body = newest.and_then(|message| message.body.as_ref()).filter(|_| options.with_body);
        let body = body.or(important_body);
        let sender = newest.and_then(|message| message.sender.as_ref()).filter(|_| options.with_sender);
        Summary {
            message_count: known,
            last_message_sender: sender.cloned(),
            last_message_body: body.filter(|body| !body.is_empty()).cloned(),
        }
    }

    /// A publish has ended one way or another. Returns a reason if its device is to be disabled.
    pub(super) fn handle_outcome(
        &mut self,
        devices: &mut Devices,
        id: PushId,
        outcome: Outcome,
        now: Instant,
        options: &Options,
    ) -> Option<Reason> {
        let landing = self.landing(outcome, now, options);
        let mut is_back = None;
        let ended = devices.end_push(id, Some(&landing), |device, in_flight, concern| {
            if outcome == Outcome::Delivered {
                self.paces.shorten(id.device(), &in_flight.notifications, now, options);
            }
            let has_answered = outcome != Outcome::Silent;
            if has_answered && self.breakers.record_answer(&device.registration().app_server) {
                is_back = Some(device.domain());
            }
            self.end(device, in_flight, concern, &landing)
        });
        if let Some(domain) = is_back {
            devices.domains_mut().wake(domain);
        }
        ended.flatten()
    }

    /// A push by a way is with the server of its user. Nobody answers it: so it is taken, unless the domain turns out to be out of
    /// reach.
    pub(super) fn hand_over(
        &mut self,
        devices: &mut Devices,
        id: PushId,
        way: Way,
        now: Instant,
        options: &Options,
    ) {
        let landing = self.landing(Outcome::Delivered, now, options);
        let until = (way == Way::Forward).then(|| now + options.reply_timeout);
        devices.hand_over(id, until, &landing, Device::note_delivered);
    }

    /// A push by a way cannot be handed over before a time, nor all of them at that very time.
    pub(super) fn put_off(&mut self, devices: &mut Devices, id: PushId, until: Instant, spread: f64) {
        let until = until + spread / 2.0 * self.random.fraction();
        devices.end_push(id, None, |device, in_flight, _| {
            self.take_back(id, in_flight);
            device.requeue(in_flight);
            device.back_off(until);
        });
    }

    /// The link to a domain is lost: what was on its way to app servers there is to be sent again.
    fn lose_link(
        &mut self,
        devices: &mut Devices,
        (domain, publisher): (&str, Option<Publisher>),
        now: Instant,
        options: &Options,
    ) {
        for domain in devices.domains().find_linked(domain) {
            devices.lose_link(domain, publisher, now, options, |device, in_flight| {
                self.take_back(in_flight.id, in_flight);
                device.requeue(in_flight);
            });
        }
    }

    /// A publish that no device waits for has ended, if it is one that this JID may answer. What is known of the domain does not
    /// go with its devices.
    pub(super) fn handle_orphaned(
        &mut self,
        devices: &mut Devices,
        (id, from): (PushId, &str),
        outcome: Outcome,
        now: Instant,
        options: &Options,
    ) {
        let landing = self.landing(outcome, now, options);
        if let Some((app_server, domain)) = devices.end_orphan(id, from, &landing)
            && outcome != Outcome::Silent
            && self.breakers.record_answer(&app_server)
        {
            devices.domains_mut().wake(domain);
        }
    }

    /// Sees to what is due at `now`, or a part of it. Returns the devices that are to be disabled.
    pub(super) fn handle_timeout(
        &mut self,
        devices: &mut Devices,
        now: Instant,
        options: &Options,
    ) -> Vec<(DeviceId, Reason)> {
        let silence = self.landing(Outcome::Silent, now, options);
        let ended = devices.handle_due(DUE_AT_ONCE, &silence, |device, in_flight, concern| {
            self.end(device, in_flight, concern, &silence)
        });
        ended.into_iter().filter_map(|(id, reason)| Some((id, reason?))).collect()
    }

    fn landing<'a>(&mut self, outcome: Outcome, now: Instant, options: &'a Options) -> Landing<'a> {
        let spread = if outcome == Outcome::Delivered { 0.0 } else { self.random.fraction() };
        Landing { outcome, now, spread, options }
    }

    fn end(
        &mut self,
        device: &mut Device,
        in_flight: &mut InFlight,
        concern: Concern,
        landing: &Landing<'_>,
    ) -> Option<Reason> {
        let &Landing { outcome, now, options, .. } = landing;
        if concern == Concern::Past {
            self.take_back(in_flight.id, in_flight);
            device.requeue(in_flight);
            return None;
        }
        // On first contact the domain stands for all that is at it.
        let is_first_contact = in_flight.flight.is_none_or(|flight| flight.is_first_contact);
        if outcome == Outcome::Silent
            && let Concern::AppServer { is_known } = concern
            && !is_first_contact
        {
            self.breakers.record_failure(&device.registration().app_server, is_known, now, options);
        }
        match outcome {
            Outcome::Delivered => {
                device.note_delivered();
                None
            }
            Outcome::Rejected => {
                let errors = device.count_error();
                (errors >= options.max_errors).then_some(Reason::Rejected(errors))
            }
            Outcome::Transient | Outcome::Silent => self.retry_later(device, in_flight, concern, landing),
        }
    }

    /// Back-off with jitter: between half of the delay and all of it. It grows with what has to do with the device: a domain
    /// that is away is asked again all the same. A device that has failed for too long is disabled; two errors with nothing
    /// between them but weeks without a message prove nothing.
    fn retry_later(
        &mut self,
        device: &mut Device,
        in_flight: &mut InFlight,
        concern: Concern,
        landing: &Landing<'_>,
    ) -> Option<Reason> {
        let &Landing { now, options, .. } = landing;
        let is_of_domain = concern == Concern::Domain;
        let failures = device.count_attempt(in_flight, is_of_domain);
        let failing_for = failures.since.map_or(0.0, |since| now.seconds_since(since));
        let is_registered = device.registration().way().is_none();
        if is_registered && failures.attempts >= options.max_errors && failing_for >= options.give_up_after {
            return Some(Reason::Unreachable);
        }
        let delay = options.back_off(failures.attempts.saturating_sub(failures.silences).saturating_sub(1));
        let delay = if is_of_domain { delay.min(PROBE_PAUSE) } else { delay };
        device.back_off(now + delay * (0.5 + self.random.fraction() / 2.0));
        None
    }
}

/// Links to app servers.
impl Engine {
    /// The server has lost its link to an app server's domain: answers to what is on its way there are not to be expected. It is
    /// due again, at once or when the link is there again.
    pub fn link_lost(&mut self, domain: &str, now: Instant) {
        self.delivery.lose_link(&mut self.devices, (domain, None), now, &self.options);
    }

    /// The same where only this host of the server has lost its link: what is on its way from others is not lost. See
    /// [`Engine::set_publisher`].
    pub fn link_of_host_lost(&mut self, host: &str, domain: &str, now: Instant) {
        let publisher =
            if *host == *self.host { Some(Publisher::default()) } else { self.devices.publisher(host) };
        if publisher.is_some() {
            self.delivery.lose_link(&mut self.devices, (domain, publisher), now, &self.options);
        }
    }

    /// The server has a link to an app server's domain again: whoever waits for that need not wait any longer.
    pub fn link_restored(&mut self, domain: &str, now: Instant) {
        self.devices.restore_link(domain, now, &self.options);
    }
}

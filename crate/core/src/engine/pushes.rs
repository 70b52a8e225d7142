//! Pushes that leave the engine, and what is asked about them.

use std::sync::Arc;

use minidom::Element;

use crate::device::Scope;
use crate::devices::Devices;
use crate::ids::PushId;
use crate::registration::Registration;
use crate::summary::Summary;
use crate::time::Instant;

use super::Engine;
use super::delivery::Push;
use super::fanout::{LOOKED_AT_ONCE, Told};

/// What other modules want to know of a push.
#[derive(Debug, Clone)]
pub struct PushDetails<'a> {
    /// What was registered for the device.
    pub registration: &'a Registration,
    /// Whether one of the messages it stands for mentions the user.
    pub is_mention: bool,
    /// The room of the message that it is to be judged by: the newest one that mentions the user, if there is any, else the
    /// newest one. `None` where another module has asked for a push without a message.
    pub room: Option<&'a str>,
    /// That message, where it was kept.
    pub original: Option<Arc<Element>>,
}

/// What was said in the newest message that a push is about, whatever app servers in general may know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words<'a> {
    /// The occupant JID of its author.
    pub sender: Option<&'a str>,
    /// Its text.
    pub body: Option<&'a str>,
    /// Whether one of the messages that the push stands for mentions the user.
    pub is_mention: bool,
    /// The bare JID of its room; `None` where another module has asked for a push without a message.
    pub room: Option<&'a str>,
}

/// What other modules want to know of a push that is on its way.
fn details(devices: &Devices, id: PushId) -> Option<PushDetails<'_>> {
    let device = devices.get(id.device())?;
    let in_flight = device.in_flight(id)?;
    let mention = in_flight.notifications.newest_mention();
    let shown = mention.or(in_flight.notifications.newest());
    Some(PushDetails {
        registration: device.registration(),
        is_mention: mention.is_some(),
        room: shown.map(|message| &*message.room),
        original: shown.and_then(|message| message.original.as_ref()?.upgrade()),
    })
}

/// Pushes that leave the engine.
impl Engine {
    /// The next push, which counts as sent from now on; the caller sends it when it has left the engine. `None` where there
    /// is none at the moment: with very much to look at there may be one a moment later, and then the deadline says so.
    pub fn poll_push(&mut self, now: Instant, scope: Scope) -> Option<Push> {
        let Engine { rooms, registrations, devices, fan_outs, delivery, without_consent, options, .. } = self;
        let mut at_most = LOOKED_AT_ONCE;
        let catch_up = |devices: &mut Devices, device| {
            let told = &mut Told { registrations, devices, without_consent, options };
            fan_outs.catch_up_device(device, &mut at_most, rooms, told)
        };
        delivery.poll_push(devices, catch_up, scope, now, options)
    }

    /// A push that was polled is sent from another host than the service: from that of its user's account.
    pub fn set_publisher(&mut self, id: &str, host: &str) {
        if let Ok(id) = id.parse() {
            self.devices.set_publisher(id, host);
        }
    }

    /// What a push says. `None` where it is too long ago.
    pub fn summary(&self, number: u64) -> Option<&Summary> {
        self.delivery.summary(number)
    }

    /// What other modules want to know of a push that was polled. `None` where it is not wanted any more.
    pub fn push_details(&self, id: &str) -> Option<PushDetails<'_>> {
        let id = id.parse().ok().filter(|id| self.is_in_demand(*id))?;
        details(&self.devices, id)
    }

    /// From now on what is said is kept for [`Engine::words`], or not.
    pub fn keep_words(&mut self, is_asked_for: bool) {
        self.options.keep_words = is_asked_for;
    }

    /// What is told to an app server that what is said does not leave the server by, only the caller knows which these are; or by a way.
    /// Nothing of it is in a snapshot, unless app servers in general may know it. `None` where the push is not on its way.
    pub fn words(&self, id: &str) -> Option<Words<'_>> {
        let id: PushId = id.parse().ok()?;
        let notifications = &self.devices.get(id.device())?.in_flight(id)?.notifications;
        let newest = notifications.newest();
        Some(Words {
            sender: newest.and_then(|message| message.sender.as_deref()),
            body: newest.and_then(|message| message.body.as_deref()),
            is_mention: notifications.newest_mention().is_some(),
            room: newest.map(|message| &*message.room),
        })
    }

    /// Whether a push that was polled still is to be sent: its device may be gone by now, and its user back.
    pub fn is_wanted(&self, id: &str) -> bool {
        id.parse().is_ok_and(|id| self.is_in_demand(id))
    }

    fn is_in_demand(&self, id: PushId) -> bool {
        let in_flight = self.devices.get(id.device()).and_then(|device| device.in_flight(id));
        in_flight.is_some_and(|in_flight| {
            // That a room is gone comes to its members bit by bit.
            in_flight.is_ping
                || in_flight.notifications.rooms().any(|(room, _)| self.rooms.get(room).is_some())
        })
    }
}

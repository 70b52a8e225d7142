//! Leases: a registration lasts for a time without a sign of life, which is a request, a result of the app server, or a
//! membership of its user in a room.
//!
//! The engine's caller looks at all leases from time to time, in slices. Where one has aged, the next result is an event, so
//! that it can be stored: that is once in a while for each device, not once for each result.

use std::sync::Arc;

use crate::app_server::AppServer;
use crate::devices::Devices;
use crate::event::{Answered, Event};
use crate::ids::DeviceId;
use crate::options::Options;
use crate::slots::Walk;
use crate::time::UnixTime;

use super::Engine;
use super::registrations::Registrations;

/// How many devices are looked at in one call.
const LOOKED_AT: usize = 1000;

/// A lease is as good as new until this part of it is over.
const NEW_PART: f64 = 0.1;

/// A device of which there was no sign of life for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgedDevice {
    /// The bare JID of the user.
    pub user: Arc<str>,
    /// The push identifier of the device.
    pub push_identifier: Box<str>,
    /// The app server.
    pub app_server: AppServer,
    /// Whether the lease is over.
    pub is_over: bool,
}

/// A look at all leases.
#[derive(Debug, Default)]
pub(super) struct LeaseCheck {
    /// Goes through the devices.
    walk: Walk,
}

impl LeaseCheck {
    /// Begins to look at all of them.
    pub(super) fn begin(&mut self, devices: &Devices) {
        self.walk = devices.slots().walk();
    }

    /// Looks at some. A lease that seems to have begun before `since` has begun then. `None`: all were looked at.
    pub(super) fn next(
        &mut self,
        devices: &mut Devices,
        registrations: &Registrations,
        now: UnixTime,
        since: UnixTime,
        options: &Options,
    ) -> Option<Vec<AgedDevice>> {
        if self.walk.is_over() {
            return None;
        }
        let some: Vec<DeviceId> = devices.slots().step(&mut self.walk, LOOKED_AT).map(|(id, _)| id).collect();
        let aged = some.into_iter().filter_map(|id| {
            let device = devices.get(id).filter(|device| device.registration().is_leased())?;
            let begin = device.registration().lease_begin().max(since);
            let age = now.seconds_since(begin);
            let is_aged = age >= options.lease * NEW_PART;
            let aged = is_aged.then(|| {
                Some(AgedDevice {
                    user: registrations.user(device.owner())?.jid().clone(),
                    push_identifier: device.registration().push_identifier().into(),
                    app_server: device.registration().app_server.clone(),
                    is_over: age >= options.lease,
                })
            });
            devices.set_aged(id, is_aged);
            aged.flatten()
        });
        Some(aged.collect())
    }
}

/// Leases of devices, which are looked at in slices.
impl Engine {
    /// Begins to look at the leases of all devices.
    pub fn begin_lease_check(&mut self) {
        self.lease_check.begin(&self.devices);
    }

    /// Looks at the leases of some devices, and returns those of which there was no sign of life for a while. `None` where all
    /// were looked at. No lease counts from before `since`. From then on, the next result of such a device is an event.
    pub fn next_aged_devices(&mut self, now: UnixTime, since: UnixTime) -> Option<Vec<AgedDevice>> {
        self.lease_check.next(&mut self.devices, &self.registrations, now, since, &self.options)
    }

    /// A device has had a result: where its lease has aged, that has to be stored.
    pub(super) fn note_sign_of_life(&mut self, id: DeviceId) {
        if self.devices.take_aged(id)
            && let Some((user, registration)) = self.addressee(id)
        {
            let push_identifier = registration.push_identifier().into();
            let answered = Answered { user: user.into(), push_identifier };
            self.events.push_back(Event::DeviceAnswered(answered));
        }
    }
}

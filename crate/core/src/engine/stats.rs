//! How much the engine holds.

use crate::devices::{Deadline, Devices};

use super::fanout::FanOuts;
use super::registrations::Registrations;

/// How much the engine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Users with a device.
    pub users: usize,
    /// Devices.
    pub devices: usize,
    /// Users who are reached by their accounts on this server, and not counted before.
    pub accounts: usize,
    /// Users whom messages are forwarded to, likewise.
    pub forwarded: usize,
    /// Devices whose push waits to be sent.
    pub queued: usize,
    /// Devices among those that wait for their app server's domain.
    pub parked: usize,
    /// Publishes that are not answered yet.
    pub in_flight: usize,
    /// Messages, and other things that have happened in rooms, that have not come to all members.
    pub spreading: usize,
    /// Changes of what is unread or waits that have yet to be written into the journal.
    pub unstored: usize,
    /// When the engine is to be asked again, and why.
    pub next_deadline: Option<Deadline>,
}

impl Stats {
    pub(super) fn of(
        registrations: &Registrations,
        devices: &Devices,
        fan_outs: &FanOuts,
        next_deadline: Option<Deadline>,
    ) -> Self {
        let stand_ins = devices.stand_ins(); // one for a user
        Stats {
            users: registrations.len() - stand_ins,
            devices: devices.len() - stand_ins - registrations.accounts() - registrations.forwards(),
            accounts: registrations.accounts(),
            forwarded: registrations.forwards(),
            queued: devices.queued(),
            parked: devices.queued().saturating_sub(devices.domains().ready()),
            in_flight: devices.in_flight(),
            spreading: fan_outs.len(),
            unstored: devices.journal().unstored(),
            next_deadline,
        }
    }
}

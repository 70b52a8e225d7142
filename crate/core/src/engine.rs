//! The engine of one MUC service: facts go in, decisions come out.
//!
//! Here is what it consists of, what it can do (see [`Engine`]), and what concerns all its parts. Each part has those methods
//! of the engine that begin with what it owns, and sees to it that the others hear of what concerns them.

mod answers;
mod awaited_rooms;
mod bequest;
mod blocking;
mod consent;
mod delivery;
mod digests;
mod fanout;
mod journal;
mod leases;
mod messages;
mod pace;
mod presumed_accounts;
mod pushes;
mod recent_revisions;
mod registrations;
mod requests;
mod revisions;
mod rooms;
mod snapshot;
mod stats;
mod ways;

pub use delivery::Push;
pub use leases::AgedDevice;
pub use messages::{Bounce, Broadcast, Forgotten};
pub use pushes::{PushDetails, Words};
pub use snapshot::{
    AccountsState, Detail, DeviceState, DomainState, MessageState, NicknameState, PendingState, Snapshot,
    SnapshotPlan, StanzaIdsState, StrangersState, UnreadEntry, UnreadState,
};
pub use stats::Stats;

use std::collections::VecDeque;

use crate::devices::{Deadline, Devices};
use crate::event::Event;
use crate::journal::Key;
use crate::options::Options;
use crate::random::Random;
use crate::time::Instant;
use awaited_rooms::AwaitedRooms;
use consent::PushesWithoutConsent;
use delivery::Delivery;
use digests::Digests;
use fanout::FanOuts;
use journal::Recovery;
use leases::LeaseCheck;
use presumed_accounts::PresumedAccounts;
use registrations::Registrations;
use rooms::Rooms;

/// The engine of one MUC service.
///
/// Users, rooms and occupants are named by JIDs as the server has prepared them.
///
/// **Requests** say what they make of a user's record, and change nothing:
/// [`prepare_enable`](Self::prepare_enable), [`prepare_disable`](Self::prepare_disable),
/// [`admit_forwarding`](Self::admit_forwarding).
///
/// **Facts** are the `handle_*` methods and those named after what has happened. After each of them there may be events, and
/// another deadline.
///
/// - Options: [`configure`](Self::configure), [`keep_words`](Self::keep_words).
/// - Users: [`set_registrations`](Self::set_registrations), [`await_registrations`](Self::await_registrations),
///   [`set_account`](Self::set_account), [`await_accounts`](Self::await_accounts), [`establish`](Self::establish),
///   [`set_suspended`](Self::set_suspended), [`set_blocked`](Self::set_blocked).
/// - Rooms as they are read: [`begin_members`](Self::begin_members), [`add_members`](Self::add_members),
///   [`end_members`](Self::end_members), [`set_occupants`](Self::set_occupants), [`forget_room`](Self::forget_room),
///   [`forget_rooms`](Self::forget_rooms).
/// - What happens in them: [`room_destroyed`](Self::room_destroyed), [`affiliation_changed`](Self::affiliation_changed),
///   [`occupant_present`](Self::occupant_present), [`occupant_gone`](Self::occupant_gone).
/// - What is to be pushed: [`handle_message`](Self::handle_message), [`handle_forgotten`](Self::handle_forgotten),
///   [`handle_bounce`](Self::handle_bounce), [`handle_ping`](Self::handle_ping).
/// - What becomes of a push: [`handle_result`](Self::handle_result), [`handle_error`](Self::handle_error),
///   [`handed_over`](Self::handed_over), [`put_off`](Self::put_off),
///   [`handle_send_failure`](Self::handle_send_failure), [`withdraw`](Self::withdraw), [`suppress`](Self::suppress).
/// - Links to app servers: [`set_publisher`](Self::set_publisher), [`link_lost`](Self::link_lost),
///   [`link_of_host_lost`](Self::link_of_host_lost), [`link_restored`](Self::link_restored).
/// - Time: [`handle_timeout`](Self::handle_timeout), [`spread`](Self::spread).
/// - The last run: [`prepare_restore`](Self::prepare_restore), [`restore`](Self::restore).
/// - The journal: [`batch_stored`](Self::batch_stored), [`batch_failed`](Self::batch_failed),
///   [`bequest_stored`](Self::bequest_stored).
///
/// **Decisions** are taken out: [`poll_batch`](Self::poll_batch), [`finish_batch`](Self::finish_batch),
/// [`bequest`](Self::bequest),
/// [`poll_push`](Self::poll_push), [`poll_event`](Self::poll_event),
/// [`presumed_account`](Self::presumed_account), [`begin_lease_check`](Self::begin_lease_check) and
/// [`next_aged_devices`](Self::next_aged_devices).
/// [`next_deadline`](Self::next_deadline) says when to ask again.
///
/// **Questions** change nothing.
///
/// - What the numbers mean: [`addressee`](Self::addressee), [`summary`](Self::summary).
/// - Pushes: [`push_details`](Self::push_details), [`words`](Self::words), [`is_wanted`](Self::is_wanted).
/// - Users: [`is_registered`](Self::is_registered).
/// - Messages: [`is_important`](Self::is_important).
/// - Rooms: [`coverage`](Self::coverage), [`is_anybody_absent`](Self::is_anybody_absent),
///   [`has_devices`](Self::has_devices), [`absent_members`](Self::absent_members),
///   [`awaited_rooms`](Self::awaited_rooms).
/// - The whole engine: [`stats`](Self::stats).
/// - What outlives a stop: [`plan_snapshot`](Self::plan_snapshot), [`go_on_with_plan`](Self::go_on_with_plan),
///   [`next_part`](Self::next_part).
#[derive(Debug)]
pub struct Engine {
    host: Box<str>,
    options: Options,
    registrations: Registrations,
    rooms: Rooms,
    awaited_rooms: AwaitedRooms,
    devices: Devices,
    digests: Digests,
    fan_outs: FanOuts,
    delivery: Delivery,
    lease_check: LeaseCheck,
    without_consent: PushesWithoutConsent,
    recovery: Recovery,
    presumed_accounts: PresumedAccounts,
    events: VecDeque<Event>,
}

impl Engine {
    /// The engine of the service `host`, with nobody registered.
    pub fn new(host: &str, options: Options, mut random: impl Random + 'static) -> Self {
        let mut devices = Devices::new(Key::new(random.secret()));
        devices.domains_mut().configure(options.app_server_domains());
        devices.journal_mut().configure(options.journal);
        Engine {
            host: host.into(),
            delivery: Delivery::new(&options, Box::new(random)),
            options,
            registrations: Registrations::default(),
            rooms: Rooms::default(),
            awaited_rooms: AwaitedRooms::default(),
            devices,
            digests: Digests::default(),
            lease_check: LeaseCheck::default(),
            without_consent: PushesWithoutConsent::default(),
            fan_outs: FanOuts::default(),
            recovery: Recovery::default(),
            presumed_accounts: PresumedAccounts::default(),
            events: VecDeque::new(),
        }
    }

    /// The options were read again.
    pub fn configure(&mut self, options: Options) {
        self.delivery.configure(&options);
        self.devices.domains_mut().configure(options.app_server_domains());
        self.devices.journal_mut().configure(options.journal);
        self.options = options;
    }

    /// Another module wants every device of a user to be pushed to, without a message. Returns how many there are.
    pub fn handle_ping(&mut self, user: &str) -> usize {
        let Some(user) = self.registrations.registered(user) else { return 0 };
        let devices = self.registrations.devices_of(user);
        for &id in &devices {
            self.devices.ping(id);
        }
        devices.len()
    }

    /// Sees to what is due at `now`: publishes without an answer, retries, and what has not come to all members of a room.
    /// Where much is due it does a part of it, and the next deadline is past.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.devices.journal_mut().set_now(now);
        self.spread();
        for (id, reason) in self.delivery.handle_timeout(&mut self.devices, now, &self.options) {
            self.disable(id, reason);
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Engine::handle_timeout`] and [`Engine::poll_push`] are to be called next; `None`: not before something happens.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let deadline = self.devices.next_deadline();
        let is_spreading = deadline != Some(Deadline::PushWaiting) && self.is_anything_left();
        if is_spreading { Some(Deadline::MessageSpreading) } else { deadline }
    }

    /// How much the engine holds.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.registrations, &self.devices, &self.fan_outs, self.next_deadline())
    }
}

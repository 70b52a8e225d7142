//! What one run is like: everything that its seed decides before it begins. Runs differ much, so that each finds something
//! else: some have no kills, in some all app servers are silent most of the time, in some rooms are told one member at a time.

use muc_cloud_notify_core::Options;

use super::app_servers::Quirks;
use crate::sim_chance::Chance;

/// What can happen, in the order of [`Settings::weights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    Enable,
    Disable,
    Suspend,
    Affiliation,
    Enter,
    Leave,
    Message,
    Ping,
    DestroyRoom,
    RestoreRoom,
    AppServerMood,
    StoreMood,
    WallClock,
    Wait,
    Stop,
    Reload,
    LinkLost,
    LinkRestored,
    Leases,
    Revision,
    Bounce,
    Account,
    Choice,
    Block,
}

use Happening::{
    Account, Affiliation, AppServerMood, Block, Bounce, Choice, DestroyRoom, Disable, Enable, Enter, Leases,
    Leave, LinkLost, LinkRestored, Message, Ping, Reload, RestoreRoom, Revision, Stop, StoreMood, Suspend,
    Wait, WallClock,
};

impl Happening {
    /// Whether nothing of it is about somebody in particular.
    pub(super) fn is_for_anybody(self) -> bool {
        matches!(
            self,
            Message | AppServerMood | StoreMood | WallClock | Wait | Stop | Reload | LinkLost | LinkRestored
        )
    }
}

/// All of them, and how often each happens in a run that is like most.
const HAPPENINGS: [(Happening, u32); 24] = [
    (Enable, 8),
    (Disable, 2),
    (Suspend, 2),
    (Affiliation, 6),
    (Enter, 10),
    (Leave, 10),
    (Message, 60),
    (Ping, 2),
    (DestroyRoom, 1),
    (RestoreRoom, 1),
    (AppServerMood, 3),
    (StoreMood, 2),
    (WallClock, 1),
    (Wait, 60),
    (Stop, 1),
    (Reload, 1),
    (LinkLost, 3),
    (LinkRestored, 3),
    (Leases, 1),
    (Revision, 12),
    (Bounce, 12),
    (Account, 6),
    (Choice, 8),
    (Block, 5),
];

/// How many of them are the matter of every run, before those of some.
const ALWAYS_THERE: usize = 21;

/// What one run is like.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) users: usize,
    pub(super) rooms: usize,
    pub(super) app_servers: usize,
    pub(super) options: Options,
    weights: Vec<u32>,
    pub(super) quirks: Quirks,
    /// After how many steps, on average, there is a kill; `None` for never.
    pub(super) steps_between_kills: Option<usize>,
    /// Of so many kills, one takes the power too.
    pub(super) power_cuts: usize,
    /// Whether what is written is on the disk when the store says so.
    pub(super) is_store_synced: bool,
    pub(super) can_store_fail: bool,
    /// Other modules look at pushes: each is about one room.
    pub(super) is_one_room: bool,
    /// Whether one user can make another one a member.
    pub(super) has_unconsenting: bool,
    /// After how many batches of the journal there is a checkpoint, and how many devices are in one part of it.
    pub(super) batches_between_checkpoints: usize,
    pub(super) devices_in_part: usize,
    /// The longest wait between two happenings, in seconds.
    pub(super) longest_wait: f64,
    /// Whether accounts of this server have devices of their own.
    pub(super) has_accounts: bool,
    /// Whether some users have their accounts elsewhere, and can ask for messages to be forwarded there.
    pub(super) has_forwards: bool,
    /// Whether users of this server block rooms and occupants.
    pub(super) has_blocking: bool,
}

impl Settings {
    pub(super) fn of(chance: &mut Chance) -> Self {
        let users = chance.pick(&[1, 2, 4, 8, 16, 24]);
        let members_at_once = chance.pick(&[1, 2, 3, ALL_AT_ONCE, ALL_AT_ONCE, ALL_AT_ONCE]);
        let weight = |chance: &mut Chance, (happening, usual): (Happening, u32)| match happening {
            Message | Wait => usual,
            // Some things never happen in a run, others often.
            _ => usual * chance.pick(&[0, 1, 1, 1, 4]),
        };
        let mut weights: Vec<u32> = HAPPENINGS[..ALWAYS_THERE].iter().map(|it| weight(chance, *it)).collect();
        weights[0] = weights[0].max(HAPPENINGS[0].1);
        let options = options(members_at_once, chance);
        let is_plain = !is_bit_by_bit(&options) && options.time_to_live.is_infinite();
        let mut settings = Settings {
            users,
            rooms: chance.pick(&[1, 2, 3, 6]),
            app_servers: chance.pick(&[1, 2, 4, 6]),
            options,
            weights,
            quirks: Quirks {
                twice: chance.pick(&[0, 10, 50]),
                late: chance.pick(&[0, 20, 100]),
                forged: chance.pick(&[0, 20]),
            },
            steps_between_kills: chance.pick(&[None, Some(100), Some(500), Some(3000)]),
            power_cuts: chance.pick(&[0, 2, 10]),
            is_store_synced: chance.one_in(2),
            can_store_fail: chance.one_in(2),
            is_one_room: is_plain && chance.one_in(4),
            has_unconsenting: members_at_once >= ALL_AT_ONCE,
            batches_between_checkpoints: chance.pick(&[3, 20, 500]),
            devices_in_part: chance.pick(&[1, 3, 500]),
            longest_wait: chance.pick(&[0.2, 5.0, 60.0, 1000.0]),
            has_accounts: false,
            has_forwards: false,
            has_blocking: false,
        };
        // Of their own chance: runs without them are what they would be if there were none.
        settings.add_ways(&mut Chance::new(chance.clone().number()));
        settings
    }

    /// Of three runs, one has accounts that have devices, one users elsewhere, and one blocklists.
    fn add_ways(&mut self, chance: &mut Chance) {
        self.has_accounts = chance.one_in(3);
        self.has_forwards = chance.one_in(3);
        self.has_blocking = chance.one_in(3);
        self.options.way_interval = chance.pick(&[0.0, 1.0, 20.0]);
        let [account, choice, block] = [ALWAYS_THERE, ALWAYS_THERE + 1, ALWAYS_THERE + 2].map(|place| {
            let (_, usual) = HAPPENINGS[place];
            usual * chance.pick(&[1, 1, 4])
        });
        if self.has_ways() && chance.one_in(2) {
            // Few register anything.
            self.weights[0] = 1;
        }
        let or_never = |happens, weight| if happens { weight } else { 0 };
        self.weights.push(or_never(self.has_accounts, account));
        self.weights.push(or_never(self.has_ways(), choice));
        self.weights.push(or_never(self.has_blocking, block));
    }

    /// What a user is called: some of those elsewhere have a server in common.
    pub(super) fn name_of(&self, user: usize) -> String {
        if self.is_elsewhere(user) {
            format!("user{user}@montague{}.example", user / 4)
        } else {
            format!("user{user}@capulet.example")
        }
    }

    /// Whether the account of a user is on another server.
    pub(super) fn is_elsewhere(&self, user: usize) -> bool {
        self.has_forwards && !user.is_multiple_of(2)
    }

    /// Whether anybody may be reached without a registered device.
    pub(super) fn has_ways(&self) -> bool {
        self.has_accounts || self.has_forwards
    }

    /// Whether what happens in a room comes to its members bit by bit.
    pub(super) fn is_bit_by_bit(&self) -> bool {
        is_bit_by_bit(&self.options)
    }

    /// Whether it is known of each push which messages it is about. Of what has become too old it is not known when that was, nor
    /// of what comes bit by bit how far it has come.
    pub(super) fn is_plain(&self) -> bool {
        !self.is_bit_by_bit() && self.options.time_to_live.is_infinite()
    }

    pub(super) fn happening(&self, chance: &mut Chance) -> Happening {
        HAPPENINGS[chance.weighted(&self.weights)].0
    }
}

/// More than there are members, those included that had a device once.
const ALL_AT_ONCE: usize = 1000;

fn is_bit_by_bit(options: &Options) -> bool {
    options.members_at_once < ALL_AT_ONCE
}

fn options(members_at_once: usize, chance: &mut Chance) -> Options {
    Options {
        members_at_once,
        devices_at_once: chance.pick(&[1, 5, ALL_AT_ONCE]),
        with_body: chance.one_in(2),
        with_sender: chance.one_in(2),
        max_errors: chance.pick(&[1, 3, 16]),
        max_devices: chance.pick(&[1, 2, 5]),
        push_interval: chance.pick(&[0.0, 1.0, 30.0]),
        max_in_flight: chance.pick(&[1, 3, 12, 500]),
        // As long as one that is not known to be there may take, at most: so it is the same for all.
        reply_timeout: chance.pick(&[5.0, 15.0]),
        retry_delay: chance.pick(&[1.0, 10.0]),
        max_retry_delay: chance.pick(&[20.0, 300.0, 3600.0]),
        time_to_live: chance.pick(&[f64::INFINITY, f64::INFINITY, 600.0]),
        lease: chance.pick(&[90.0 * 86400.0, 20_000.0, 500.0]),
        journal: !chance.one_in(4),
        give_up_after: chance.pick(&[f64::INFINITY, f64::INFINITY, 1000.0]),
        ..Options::default()
    }
}

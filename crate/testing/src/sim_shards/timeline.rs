//! What happens when, in all shards.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::devices::Flight;
use crate::driver::Outcome;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is killed, and started again on its machine.
    Kill,
    /// The machine is gone, and a standby takes over.
    TakeOver,
    /// It is stopped, and started elsewhere.
    Move,
}

/// Something that happens in a shard.
#[derive(Debug)]
pub(super) enum Happening {
    /// The timer of the engine runs.
    Turn,
    /// An answer comes in.
    Answer(Box<(Flight, String, Outcome)>),
    /// A push has vanished, and is not waited for any more.
    Vanished(Box<Flight>),
    /// Somebody says something somewhere.
    Say,
    /// Something is said in every large room at once.
    News,
    /// Somebody enters a room.
    Enter,
    /// They leave it.
    Leave {
        user: u32,
        slot: u8,
    },
    /// The link to an app server is lost, or there again.
    LinkLost(u8),
    LinkRestored(u8),
    /// An app server is back, which nobody is told.
    Returned(u8),
    /// The process ends.
    End(End),
    /// Clients can reach the shard again.
    Up,
    /// Its registrations are loaded, and nobody else serves.
    Loaded,
    /// Some rooms are read in which something waits.
    ReadRooms,
    /// The checkpoint goes on.
    Checkpoint,
}

/// When it happens, and where.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) at: f64,
    /// Of those that happen at the same time, the first comes first.
    order: u64,
    pub(super) shard: u32,
    /// The run of the shard in which it counts; `None` for any.
    pub(super) run: Option<u32>,
    pub(super) happening: Happening,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        // The earliest is the greatest.
        other.at.total_cmp(&self.at).then(other.order.cmp(&self.order))
    }
}

/// All that is to happen.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    events: BinaryHeap<Event>,
    added: u64,
}

impl Timeline {
    pub(super) fn add(&mut self, at: f64, shard: usize, run: Option<u32>, happening: Happening) {
        self.added += 1;
        self.events.push(Event { at, order: self.added, shard: shard as u32, run, happening });
    }

    /// What happens next, up to a time.
    pub(super) fn next(&mut self, until: f64) -> Option<Event> {
        if self.events.peek()?.at > until {
            return None;
        }
        self.events.pop()
    }
}

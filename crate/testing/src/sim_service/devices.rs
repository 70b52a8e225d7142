//! Devices as they are: what is unread and pending for each, and what is on its way.

use super::promises::InRoom;

/// A publish that is not answered yet, and whose device is registered.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) id: String,
    pub(super) since: f64,
}

/// A device.
#[derive(Debug, Clone)]
pub(super) struct TruthDevice {
    pub(super) rooms: Vec<InRoom>,
    /// A push without a message, as if it were a room of its own.
    pub(super) ping: InRoom,
    pub(super) flight: Option<Flight>,
    /// When the last push left that is not to be repeated, if this is a way.
    paced_since: Option<f64>,
    /// It was registered while the engine took up what the last run has left, some of which may be about an earlier one.
    pub(super) has_begun_early: bool,
    /// The store has in its name what it will take over, if it is registered with the record that is written next.
    pub(super) is_bequeathed: bool,
}

impl TruthDevice {
    pub(super) fn new(rooms: usize) -> Self {
        TruthDevice {
            rooms: vec![InRoom::default(); rooms],
            ping: InRoom::ping(),
            flight: None,
            paced_since: None,
            has_begun_early: false,
            is_bequeathed: false,
        }
    }

    /// It takes the place of another one: it has yet to hear of all that this one had, what was on its way included. The store does not
    /// know that, if it does not have it in its name.
    pub(super) fn inherit(&mut self, other: &TruthDevice) {
        let is_bequeathed = std::mem::take(&mut self.is_bequeathed);
        self.parts().zip(other.all()).for_each(|(part, other)| part.inherit(other, is_bequeathed));
    }

    /// All of it waits for the store. may_be_too_old: or need not be told any more.
    pub(super) fn hold(&mut self, may_be_too_old: bool) {
        self.rooms.iter_mut().for_each(|room| room.hold(may_be_too_old));
    }

    /// What another one has is about to be written in its name.
    pub(super) fn begin_bequest(&mut self, from: &TruthDevice) {
        self.parts().zip(from.all()).for_each(|(part, from)| part.begin_bequest(from));
    }

    /// That is in the store.
    pub(super) fn bequest_stored(&mut self, from: &TruthDevice) {
        self.parts().zip(from.all()).for_each(|(part, from)| part.bequest_stored(from));
        self.is_bequeathed = true;
    }

    /// A push leaves, by a way. Panics where that is too early.
    pub(super) fn pace(&mut self, at: f64, interval: f64, key: super::truth::Key) {
        if let Some(before) = self.paced_since {
            // Times are rounded.
            assert!(at - before > interval - 1e-6, "pushes to {key:?} at {before} and {at}");
        }
        self.paced_since = Some(at);
    }

    /// The server is gone.
    pub(super) fn stop(&mut self) {
        (self.flight, self.paced_since) = (None, None);
        (self.has_begun_early, self.is_bequeathed) = (false, false);
    }

    fn all(&self) -> impl Iterator<Item = &InRoom> {
        self.rooms.iter().chain([&self.ping])
    }

    pub(super) fn parts(&mut self) -> impl Iterator<Item = &mut InRoom> {
        self.rooms.iter_mut().chain([&mut self.ping])
    }

    /// How many messages are unread.
    pub(super) fn count(&self) -> u32 {
        self.rooms.iter().map(|room| room.count).sum()
    }

    /// Whether there is something to be pushed that is not on its way.
    pub(super) fn is_pending(&self) -> bool {
        self.all().any(|part| part.pending > 0)
    }

    /// A push leaves, of which it is known how many messages it counts, and perhaps one that it tells of. Panics where that cannot be.
    pub(super) fn fly(&mut self, count: u32, scope: PushScope, told: Option<u32>) {
        let all = self.count();
        let pending: u32 = self.rooms.iter().map(|room| room.pending).sum();
        match scope {
            PushScope::All { is_bit_by_bit } => {
                let least: u32 = self.rooms.iter().map(|room| room.unstored).sum();
                let most = least + self.rooms.iter().map(|room| room.stored).sum::<u32>();
                let range = if is_bit_by_bit { 0..=all } else { least..=most.min(pending) };
                let left = all.checked_sub(count).filter(|left| range.contains(left));
                let left = left.unwrap_or_else(|| panic!("{count} is exact, less {range:?}: {self:#?}"));
                self.fly_all_but(left, told);
            }
            PushScope::One(number) => {
                let room = &self.rooms[number];
                let range = room.unstored..=(room.unstored + room.stored).min(room.pending);
                let left =
                    (all + room.pending).checked_sub(pending + count).filter(|left| range.contains(left));
                let left = left.unwrap_or_else(|| panic!("{count} is exact, less {range:?}: {self:#?}"));
                self.rooms[number].fly_all_but(left);
            }
            PushScope::None => assert_eq!(count, all - pending, "the count of a ping: {self:#?}"),
        }
        self.ping.fly_all_but(0);
    }

    fn fly_all_but(&mut self, newest: u32, told: Option<u32>) {
        if newest == 0 {
            self.rooms.iter_mut().for_each(|room| room.fly_all_but(0));
            return;
        }
        // What comes to a room bit by bit may be later than what has come to another one after it.
        let mut numbers: Vec<u32> = self.rooms.iter().flat_map(InRoom::to_be_told).collect();
        numbers.retain(|number| Some(*number) != told);
        numbers.sort_unstable();
        let left = numbers.split_off(numbers.len().saturating_sub(newest as usize));
        for room in &mut self.rooms {
            let waits = room.to_be_told().filter(|number| left.contains(number)).count();
            room.fly_all_but(waits as u32);
        }
    }

    /// Its publish was answered: with a result, or an error that ends it.
    pub(super) fn end_flight(&mut self) {
        self.flight = None;
        self.parts().for_each(InRoom::land);
    }

    /// Its publish is to be repeated.
    pub(super) fn fail_flight(&mut self) {
        (self.flight, self.paced_since) = (None, None);
        self.parts().for_each(InRoom::fail);
    }
}

/// What a push is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum PushScope {
    /// All that the device has yet to hear of, and need not wait for the store.
    All { is_bit_by_bit: bool },
    /// The same of one room.
    One(usize),
    /// Nothing, where each push is about one room.
    None,
}

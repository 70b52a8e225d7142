//! Rooms as they are: what was said there, and what of it the store knows.

/// A room of a shard.
#[derive(Debug, Default)]
pub(super) struct SimRoom {
    /// The numbers of the messages, in their order.
    messages: Vec<u32>,
    /// So many of the first are in the store, or need not be.
    stored: u32,
    /// Places of those that may have been lost: the process was killed before they were in the store, and nobody was told.
    doubtful: Vec<u32>,
}

/// What somebody has not read of a room.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unread {
    /// How many messages, and how many of them the engine knows of for sure.
    pub(super) all: u32,
    pub(super) sure: u32,
    /// The newest of each; 0 where there is none.
    pub(super) newest: u32,
    pub(super) newest_sure: u32,
}

impl Unread {
    /// What of two rooms is unread.
    pub(super) fn and(self, other: Unread) -> Unread {
        Unread {
            all: self.all + other.all,
            sure: self.sure + other.sure,
            newest: self.newest.max(other.newest),
            newest_sure: self.newest_sure.max(other.newest_sure),
        }
    }
}

impl SimRoom {
    /// How many messages there are.
    pub(super) fn len(&self) -> u32 {
        self.messages.len() as u32
    }

    /// Somebody says something. Returns whether there was nothing else that the store may not know of.
    pub(super) fn say(&mut self, number: u32) -> bool {
        self.messages.push(number);
        self.stored + 1 == self.len()
    }

    /// What is unread for somebody who has read so many of the first.
    pub(super) fn unread_after(&self, read: u32) -> Unread {
        let all = self.len() - read;
        if all == 0 {
            return Unread::default();
        }
        let doubtful = self.doubtful.len() - self.doubtful.partition_point(|place| *place < read);
        let sure = all - doubtful as u32;
        let newest = self.messages.last().copied().unwrap_or_default();
        let newest_sure = if doubtful == 0 { newest } else { self.newest_sure(read) };
        Unread { all, sure, newest, newest_sure }
    }

    fn newest_sure(&self, read: u32) -> u32 {
        let mut places = (read..self.len()).rev();
        let place = places.find(|place| self.doubtful.binary_search(place).is_err());
        place.map_or(0, |place| self.messages[place as usize])
    }

    /// Whether somebody who has read so many, and was told up to one message, has yet to hear of one up to another.
    pub(super) fn is_any_between(&self, read: u32, told: u32, upto: u32) -> bool {
        let first = self.messages.partition_point(|number| *number <= told).max(read as usize);
        let last = self.messages.partition_point(|number| *number <= upto);
        (first..last).any(|place| self.doubtful.binary_search(&(place as u32)).is_err())
    }

    /// All is in the store.
    pub(super) fn set_stored(&mut self) {
        self.stored = self.len();
    }

    /// The process was killed. What is not in the store may be lost.
    pub(super) fn doubt(&mut self) {
        self.doubtful.extend(self.stored..self.len());
        self.set_stored();
    }
}

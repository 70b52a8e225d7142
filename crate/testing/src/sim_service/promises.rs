//! What a device was told of a room, and what of it outlives a crash.

use std::fmt;

/// What a device has yet to hear of a room, and which states of that the store may hold.
#[derive(Clone, Default)]
pub(super) struct InRoom {
    /// Messages that its owner has not read.
    pub(super) count: u32,
    /// Those of them that are to be pushed, and are not on their way.
    pub(super) pending: u32,
    /// Those that are on their way.
    pub(super) flying: u32,
    /// The newest of them, by number, and those before.
    heard: Vec<u32>,
    /// Those up to this one are read, as far as the engine can know.
    read_up_to: u32,
    /// When the newest was sent.
    pub(super) newest_at: f64,
    /// It is a push without a message, which is asked for or not.
    is_ping: bool,
    kept: Kept,
}

/// Between what the store holds for sure and what is true now: how many messages are unread, and how many of them are to be
/// pushed.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    counts: (u32, u32),
    pending: (u32, u32),
}

/// Of so many messages it is known which they are.
const HEARD: usize = 64;

impl fmt::Debug for InRoom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InRoom { count, pending, flying, heard, read_up_to, kept, .. } = self;
        let last = heard.last();
        write!(formatter, "{count} unread, {pending} to be told, {flying} on their way, ")?;
        write!(formatter, "the last {last:?}, read up to {read_up_to}, {kept:?}")
    }
}

impl InRoom {
    /// A push without a message.
    pub(super) fn ping() -> Self {
        InRoom { is_ping: true, ..InRoom::default() }
    }

    /// What is to be pushed, on its way or not.
    fn all_pending(&self) -> u32 {
        let all = self.pending + self.flying;
        if self.is_ping { all.min(1) } else { all }
    }

    /// There is a message more.
    pub(super) fn hear(&mut self, number: u32, at: f64) {
        self.count += 1;
        self.pending += 1;
        self.newest_at = at;
        if self.heard.len() == HEARD {
            self.heard.remove(0);
        }
        self.heard.push(number);
        self.note();
    }

    /// A push is asked for, without a message.
    pub(super) fn ask(&mut self) {
        self.pending = 1;
        self.note();
    }

    /// Whether a message is one of these.
    pub(super) fn has_heard(&self, number: u32) -> bool {
        self.heard.contains(&number) && number > self.read_up_to
    }

    /// Its owner has read all of it, and the engine knows what that is.
    pub(super) fn read(&mut self, is_known: bool) {
        (self.count, self.pending, self.flying) = (0, 0, 0);
        if is_known {
            self.read_up_to = self.heard.last().copied().unwrap_or_default();
        }
        self.note();
    }

    /// A push about it leaves.
    pub(super) fn fly(&mut self) {
        self.flying += std::mem::take(&mut self.pending);
    }

    /// The push has ended.
    pub(super) fn land(&mut self) {
        self.flying = 0;
        self.note();
    }

    /// The push is to be repeated.
    pub(super) fn fail(&mut self) {
        self.pending += std::mem::take(&mut self.flying);
        self.pending = self.all_pending();
    }

    /// The push was stopped, and what it was about is not unread.
    pub(super) fn discount(&mut self) {
        let stopped = std::mem::take(&mut self.flying);
        self.count = self.count.saturating_sub(stopped);
        if self.count == 0 {
            self.pending = 0;
        }
        self.note();
    }

    fn note(&mut self) {
        let (count, pending) = (self.count, self.all_pending());
        let Kept { counts, pending: all } = self.kept;
        self.kept.counts = (counts.0.min(count), counts.1.max(count));
        self.kept.pending = (all.0.min(pending), all.1.max(pending));
    }

    /// What is true is in the store, and nothing else.
    pub(super) fn keep(&mut self) {
        let pending = self.all_pending();
        self.kept = Kept { counts: (self.count, self.count), pending: (pending, pending) };
    }

    /// The store may have nothing of it.
    pub(super) fn lose(&mut self) {
        (self.kept.counts.0, self.kept.pending.0) = (0, 0);
    }

    /// What waits may have become too old.
    pub(super) fn lose_pending(&mut self) {
        self.kept.pending.0 = 0;
    }

    /// The engine is a new one, and has not looked into the store.
    pub(super) fn forget(&mut self) {
        self.adopt(0, 0);
        (self.flying, self.read_up_to) = (0, 0);
    }

    /// What the engine has found in the store is what it goes on with.
    pub(super) fn adopt(&mut self, count: u32, pending: u32) {
        (self.count, self.pending) = (count, pending.saturating_sub(self.flying));
    }

    /// What the engine has found is all that there is. Panics where that cannot be.
    pub(super) fn assert_kept(&mut self, whose: &dyn std::fmt::Debug) {
        let Kept { counts, pending } = self.kept;
        let all = self.all_pending();
        assert!((counts.0..=counts.1).contains(&self.count), "{whose:?} after a restart: {self:?}");
        assert!((pending.0..=pending.1).contains(&all), "{whose:?} after a restart: {self:?}");
    }
}

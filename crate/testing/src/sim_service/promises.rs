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
    /// Those that are to be pushed once they are in the store; and those of them that are in the batch that is being written.
    pub(super) unstored: u32,
    in_batch: u32,
    /// Those that are in the store, but may not have been let go yet.
    pub(super) stored: u32,
    /// The newest of them, by number, and those before.
    heard: Vec<u32>,
    /// Those up to this one are read, as far as the engine can know.
    read_up_to: u32,
    /// Of those up to this one it is not known what the engine has found of them in the store.
    unclear_up_to: u32,
    /// Those that have come back from a session since the last were read, each with the number under which it counts.
    come_back: Vec<(u32, u32)>,
    /// Those that were taken back.
    taken_back: Vec<u32>,
    /// The store does not know yet that it has taken the place of another one.
    is_inherited: bool,
    /// It is a push without a message, which is asked for or not.
    is_ping: bool,
    kept: Kept,
    /// The same since the batch was made that is being written.
    since_batch: Kept,
}

/// Between what the store holds for sure and what is true now: how many messages are unread, and how many of them are to be
/// pushed.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    counts: (u32, u32),
    pending: (u32, u32),
}

/// What is known of a message that a device has heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// It was not told, and the engine knows which it is.
    Untold,
    /// It was told, or read.
    Told,
    /// One or the other.
    Unclear,
}

/// Of so many messages that wait the engine knows at least which they are.
const KNOWN: usize = 30;

/// Of so many messages it is known which they are.
const HEARD: usize = 1000;

impl fmt::Debug for InRoom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InRoom { count, pending, flying, unstored, heard, read_up_to, kept, .. } = self;
        let last = heard.last();
        write!(
            formatter,
            "{count} unread, {pending} to be told, {flying} on their way, {unstored} not stored, "
        )?;
        write!(formatter, "the last {last:?}, read up to {read_up_to}, {kept:?}")
    }
}

impl Kept {
    fn of(count: u32, pending: u32) -> Self {
        Kept { counts: (count, count), pending: (pending, pending) }
    }

    fn extend(&mut self, count: u32, pending: u32) {
        self.counts = (self.counts.0.min(count), self.counts.1.max(count));
        self.pending = (self.pending.0.min(pending), self.pending.1.max(pending));
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

    /// There is a message more, which is pushed once it is in the store, or at any time.
    pub(super) fn hear(&mut self, number: u32, has_to_be_stored: bool) {
        self.unstored += u32::from(has_to_be_stored);
        self.count += 1;
        self.pending += 1;
        if self.heard.len() == HEARD {
            self.heard.remove(0);
        }
        self.heard.push(number);
        self.note();
    }

    /// It takes the place of another one, with all that was to be told there, on its way or not. is_bequeathed: the store has that under
    /// its name.
    pub(super) fn inherit(&mut self, other: &InRoom, is_bequeathed: bool) {
        let before = std::mem::replace(self, other.clone());
        // A store that has lost the newest with the power may still speak of these.
        self.may_be_spoken_of(before.heard.into_iter().chain(before.taken_back));
        self.fail();
        self.in_batch = 0;
        self.note();
        if is_bequeathed {
            self.kept = Kept::of(self.count, self.all_pending());
            return;
        }
        self.lose();
        // As long as nothing is written, the store says what it has said of the one that was there before.
        self.kept.counts.1 = self.kept.counts.1.max(before.kept.counts.1);
        self.kept.pending.1 = self.kept.pending.1.max(before.kept.pending.1);
        self.is_inherited = true;
    }

    /// The store may speak of these messages.
    fn may_be_spoken_of(&mut self, messages: impl Iterator<Item = u32>) {
        self.taken_back.extend(messages);
        self.taken_back.sort_unstable();
        self.taken_back.dedup();
    }

    /// What is so of another one is about to be written in its name.
    pub(super) fn begin_bequest(&mut self, from: &InRoom) {
        self.may_be_spoken_of(from.heard.iter().chain(&from.taken_back).copied());
        self.kept.extend(from.count, from.all_pending());
    }

    /// That is in the store.
    pub(super) fn bequest_stored(&mut self, from: &InRoom) {
        let before = std::mem::replace(self, from.clone());
        self.may_be_spoken_of(before.heard.into_iter().chain(before.taken_back));
        self.forget();
        self.kept = Kept::of(from.count, from.all_pending());
    }

    /// All of it waits until the store knows of it. may_be_too_old: or need not be told any more.
    pub(super) fn hold(&mut self, may_be_too_old: bool) {
        (self.unstored, self.stored) = if may_be_too_old { (0, self.pending) } else { (self.pending, 0) };
    }

    /// A push is asked for, without a message.
    pub(super) fn ask(&mut self) {
        self.pending = 1;
        self.note();
    }

    /// Whether a message is one of these.
    pub(super) fn has_heard(&self, number: u32) -> bool {
        // Where that is lost with a crash, it is the texts that are not to be told.
        let is_known = self.heard.contains(&number) || self.taken_back.contains(&number);
        // A store that has lost the newest with the power may speak of one that is so old that it is not known here.
        let may_be_forgotten =
            self.heard.len() == HEARD && self.heard.first().is_some_and(|first| number < *first);
        (is_known || may_be_forgotten) && number > self.read_up_to
    }

    /// What is known of a message, should it be taken back now.
    pub(super) fn knowledge(&self, number: u32) -> Knowledge {
        let Some(newer) = self.heard.iter().rev().position(|other| *other == number) else {
            return if self.taken_back.contains(&number) { Knowledge::Unclear } else { Knowledge::Told };
        };
        if number <= self.unclear_up_to {
            Knowledge::Unclear
        } else if newer >= (self.pending + self.flying) as usize {
            Knowledge::Told
        } else if self.waits_before(number, newer) < KNOWN {
            Knowledge::Untold
        } else {
            Knowledge::Unclear
        }
    }

    /// How many messages wait at most that are newer than this one, which so many have followed: one that has come back is as old as it
    /// was when it was sent.
    fn waits_before(&self, number: u32, newer: usize) -> usize {
        let has_come_back = self.come_back.iter().any(|(_, again)| *again == number);
        if has_come_back { (self.pending + self.flying) as usize } else { newer }
    }

    /// All messages that are known here.
    pub(super) fn all_heard(&self) -> impl Iterator<Item = u32> {
        self.heard.iter().copied()
    }

    /// Some of it was dropped, and it is not known which.
    pub(super) fn reduce(&mut self, count: u32, pending: u32) {
        self.adopt(count, pending);
        self.note();
    }

    /// Whether a message has come back from a session.
    pub(super) fn has_come_back(&self, number: u32) -> bool {
        self.come_back.iter().any(|(before, _)| *before == number)
    }

    /// A message has come back from a session, and counts as another one.
    pub(super) fn come_back(&mut self, number: u32, again: u32) {
        self.come_back.push((number, again));
    }

    /// A message is taken back, and does not count any more.
    pub(super) fn take_back(&mut self, number: u32) {
        self.count -= 1;
        let place = self.heard.iter().rposition(|other| *other == number);
        let newer = place.map_or(u32::MAX, |place| (self.heard.len() - 1 - place) as u32);
        place.into_iter().for_each(|place| _ = self.heard.remove(place));
        self.taken_back.push(number);
        if newer < self.unstored {
            self.in_batch -= u32::from(newer >= self.unstored - self.in_batch);
            self.unstored -= 1;
        } else if newer < self.unstored + self.stored {
            self.stored -= 1;
        }
        let waiting =
            if newer < self.pending || self.flying == 0 { &mut self.pending } else { &mut self.flying };
        *waiting = waiting.saturating_sub(1);
        if self.count == 0 {
            (self.pending, self.flying) = (0, 0);
        }
        self.note();
    }

    /// Its owner has read all of it, and the engine knows what that is.
    pub(super) fn read(&mut self, is_known: bool) {
        (self.count, self.pending, self.flying) = (0, 0, 0);
        self.come_back.clear();
        (self.unstored, self.in_batch, self.stored) = (0, 0, 0);
        if is_known {
            self.read_up_to = self.heard.last().copied().unwrap_or_default();
        }
        self.note();
    }

    /// A push leaves about all of it but for so many of the newest messages.
    pub(super) fn fly_all_but(&mut self, newest: u32) {
        let waiting = newest.min(self.pending);
        self.flying += self.pending - waiting;
        self.pending = waiting;
        self.stored = self.stored.min(waiting);
    }

    /// The messages that are to be pushed, the newest first, as far as it is known which they are.
    pub(super) fn to_be_told(&self) -> impl Iterator<Item = u32> {
        self.heard.iter().rev().copied().take(self.pending as usize)
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
        self.kept.extend(count, pending);
        self.since_batch.extend(count, pending);
    }

    /// What is true is in the store, and nothing else.
    pub(super) fn keep(&mut self) {
        self.kept = Kept::of(self.count, self.all_pending());
        self.is_inherited = false;
    }

    /// What is true is in the batch that is about to be written.
    pub(super) fn begin_batch(&mut self) {
        self.since_batch = Kept::of(self.count, self.all_pending());
        self.in_batch = self.unstored;
    }

    /// The batch is in the store.
    pub(super) fn batch_stored(&mut self) {
        self.kept = self.since_batch;
        self.is_inherited = false;
        let stored = std::mem::take(&mut self.in_batch).min(self.unstored);
        self.unstored -= stored;
        self.stored += stored;
    }

    /// The batch could not be written: nothing waits for the store.
    pub(super) fn batch_failed(&mut self) {
        self.stored += std::mem::take(&mut self.unstored);
    }

    /// Whether the store knows of a message, and of all before it.
    pub(super) fn is_stored(&self, number: u32) -> bool {
        let later = self.heard.iter().rev().take_while(|other| **other > number).count();
        let is_concerned = self.has_heard(number);
        !is_concerned || self.is_inherited || self.kept.counts.0.saturating_add(later as u32) >= self.count
    }

    /// The newest message that need not wait for the store.
    pub(super) fn newest_stored(&self) -> u32 {
        self.heard.iter().rev().nth(self.unstored as usize).copied().unwrap_or_default()
    }

    /// Whether the store knows that it is to be told.
    pub(super) fn is_pending_stored(&self) -> bool {
        self.kept.pending.0 > 0
    }

    /// The store may have nothing of it.
    pub(super) fn lose(&mut self) {
        (self.kept.counts.0, self.kept.pending.0) = (0, 0);
    }

    /// Nobody knows what the store has.
    pub(super) fn lose_track(&mut self) {
        self.kept = Kept { counts: (0, u32::MAX), pending: (0, u32::MAX) };
    }

    /// What waits may have become too old.
    pub(super) fn lose_pending(&mut self) {
        self.kept.pending.0 = 0;
    }

    /// The engine is a new one, and has not looked into the store.
    pub(super) fn forget(&mut self) {
        self.unclear_up_to = self.heard.last().copied().unwrap_or_default().max(self.unclear_up_to);
        self.come_back.clear();
        self.is_inherited = false;
        self.adopt(0, 0);
        (self.flying, self.read_up_to) = (0, 0);
        (self.unstored, self.in_batch, self.stored) = (0, 0, 0);
    }

    /// What the engine has found in the store is what it goes on with.
    pub(super) fn adopt(&mut self, count: u32, pending: u32) {
        (self.count, self.pending) = (count, pending.saturating_sub(self.flying));
    }

    /// What the engine has found is all that there is. Panics where that cannot be. is_exact: it is known which messages each push
    /// was about.
    pub(super) fn assert_kept(&mut self, is_exact: bool, whose: &dyn fmt::Debug) {
        let Kept { counts, pending } = self.kept;
        let all = self.all_pending();
        assert!((counts.0..=counts.1).contains(&self.count), "{whose:?} after a restart: {self:?}");
        // What was told may be told again.
        let is_kept = !is_exact || pending.0 <= all;
        assert!(is_kept, "{whose:?} after a restart: {self:?}");
    }
}

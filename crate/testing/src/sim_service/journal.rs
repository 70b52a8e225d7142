//! The journal in the store: batches, each under a name of its own, and checkpoints that take their place.

use muc_cloud_notify_core::SnapshotPlan;

use super::outbox_store::OutboxRecord;
use super::promises::InRoom;
use super::simulation::{Killed, Simulation};
use crate::driver::Detail;

/// How many seconds lie between two parts of a checkpoint, and how long what it has replaced is kept.
const BETWEEN_PARTS: f64 = 0.02;
const UNTIL_REMOVAL: f64 = 60.0;

/// When a checkpoint is tried again that could not be written.
const AFTER_FAILURE: f64 = 10.0;

/// So many batches may be written at once, and a second.
const BURST: f64 = 4.0;
const A_SECOND: f64 = 4.0;

/// A checkpoint that is being made.
#[derive(Debug)]
struct Checkpoint {
    plan: SnapshotPlan,
    is_planned: bool,
    first: String,
    parts: usize,
    /// When it goes on.
    at: f64,
}

/// What is known of the journal in this run.
#[derive(Debug, Default)]
pub(super) struct SimJournal {
    /// How many names were given.
    names: usize,
    /// When the run has begun, and how many batches it has written.
    since: f64,
    batches: usize,
    /// How many there are since the last checkpoint.
    since_checkpoint: usize,
    checkpoint: Option<Checkpoint>,
    not_before: f64,
    /// When what a checkpoint has replaced is removed, and up to which name.
    removal: Option<(f64, String)>,
}

impl SimJournal {
    pub(super) fn new(now: f64) -> Self {
        SimJournal { since: now, ..SimJournal::default() }
    }

    /// There is one record more.
    pub(super) fn count(&mut self) {
        self.since_checkpoint += 1;
    }

    /// When it has something to do.
    pub(super) fn next_due(&self) -> Option<f64> {
        let checkpoint = self.checkpoint.as_ref().map(|checkpoint| checkpoint.at);
        let removal = self.removal.as_ref().map(|(at, _)| *at);
        checkpoint.into_iter().chain(removal).min_by(f64::total_cmp)
    }
}

impl Simulation {
    pub(super) fn next_name(&mut self) -> String {
        self.module.journal.names += 1;
        format!("{:08}-{:08}", self.runs, self.module.journal.names)
    }

    /// What the wall clock shows.
    pub(super) fn unix_time(&self) -> f64 {
        self.wall_clock + self.now
    }

    /// Writes a batch, if one is due. Returns whether there was one.
    pub(super) fn write_due(&mut self) -> Result<bool, Killed> {
        if !self.settings.options.journal {
            return Ok(false);
        }
        self.step()?;
        self.module.driver.now = self.now;
        let Some(batch) = self.module.driver.poll_batch() else { return Ok(false) };
        self.module.journal.batches += 1;
        // Those that hold what has not fit into the one before do not count: with ways there are more of these.
        let with_rest = if self.settings.has_ways() { 2.0 } else { 1.0 };
        let most = with_rest * (BURST + A_SECOND * (self.now - self.module.journal.since));
        assert!(
            self.module.journal.batches as f64 <= most,
            "a few batches a second: {} of {most}",
            self.module.journal.batches
        );
        self.store_batch(batch)?;
        Ok(true)
    }

    /// Stores a batch that was just made. Returns whether that could be done.
    fn store_batch(&mut self, batch: muc_cloud_notify_core::Snapshot) -> Result<bool, Killed> {
        // What is on its way through a large room is in none.
        let is_all = !self.truth.is_bit_by_bit || self.module.driver.stats().spreading == 0;
        self.truth.device_parts().for_each(InRoom::begin_batch);
        self.texts.begin_batch();
        let (name, started) = (self.next_name(), self.now);
        self.note(|| format!("batch {name}: {:?}", batch.unread));
        let record = OutboxRecord::Batch(batch, self.unix_time());
        let is_stored = self.write_outbox(&name, Some(record))?;
        let seconds = self.now - started;
        if is_stored {
            self.texts.batch_stored();
            if is_all {
                self.truth.device_parts().for_each(InRoom::batch_stored);
            }
            self.truth.is_strict = true;
            self.module.journal.count();
            self.fact(|driver| driver.batch_stored(seconds), |_| ())?;
            self.look_for_checkpoint()?;
        } else {
            self.fail_batch()?;
        }
        Ok(is_stored)
    }

    fn fail_batch(&mut self) -> Result<(), Killed> {
        self.fact(
            |driver| driver.batch_failed(),
            |truth| {
                truth.is_strict = false;
                truth.parts().for_each(InRoom::batch_failed);
            },
        )
    }

    fn look_for_checkpoint(&mut self) -> Result<(), Killed> {
        let journal = &self.module.journal;
        let is_due = journal.since_checkpoint > self.settings.batches_between_checkpoints;
        if !is_due || journal.checkpoint.is_some() || self.now < journal.not_before {
            return Ok(());
        }
        self.step()?;
        let plan = self.module.driver.plan_snapshot();
        let journal = &mut self.module.journal;
        let first = format!("{:08}-{:08}", self.runs, journal.names + 1);
        journal.since_checkpoint = 0;
        journal.checkpoint =
            Some(Checkpoint { plan, is_planned: false, first, parts: 0, at: self.now + BETWEEN_PARTS });
        Ok(())
    }

    /// Goes on with what is due of the journal. Returns whether anything was.
    pub(super) fn go_on_with_journal(&mut self) -> Result<bool, Killed> {
        if let Some((_, name)) = self.module.journal.removal.take_if(|(at, _)| *at <= self.now) {
            self.remove_before(&name)?;
            return Ok(true);
        }
        let Some(checkpoint) = self.module.journal.checkpoint.take_if(|it| it.at <= self.now) else {
            return Ok(false);
        };
        self.write_part(checkpoint)?;
        Ok(true)
    }

    fn write_part(&mut self, mut checkpoint: Checkpoint) -> Result<(), Killed> {
        self.step()?;
        if !checkpoint.is_planned {
            checkpoint.is_planned = self.module.driver.go_on_with_plan(&mut checkpoint.plan);
            checkpoint.at = self.now + BETWEEN_PARTS;
            self.module.journal.checkpoint = Some(checkpoint);
            return Ok(());
        }
        self.module.driver.now = self.now;
        let devices = self.settings.devices_in_part;
        let part = self.module.driver.next_part(&mut checkpoint.plan, devices, Detail::Words);
        let name = self.next_name();
        self.note(|| format!("checkpoint {name}: {:?}", part.as_ref().map(|part| &part.devices)));
        let is_end = part.is_none();
        let record = match part {
            Some(part) => OutboxRecord::CheckpointPart(part, self.unix_time()),
            None => OutboxRecord::CheckpointEnd(checkpoint.first.clone(), checkpoint.parts),
        };
        if !self.write_outbox(&name, Some(record))? {
            self.module.journal.not_before = self.now + AFTER_FAILURE;
            self.module.journal.since_checkpoint = usize::MAX / 2;
            return Ok(());
        }
        if is_end {
            self.module.journal.removal = Some((self.now + UNTIL_REMOVAL, checkpoint.first));
        } else {
            checkpoint.parts += 1;
            checkpoint.at = self.now + BETWEEN_PARTS;
            self.module.journal.checkpoint = Some(checkpoint);
        }
        Ok(())
    }

    fn remove_before(&mut self, first: &str) -> Result<(), Killed> {
        self.step()?;
        let Ok(names) = self.outbox.names(&mut self.chance) else {
            self.module.journal.removal = Some((self.now + AFTER_FAILURE, first.to_owned()));
            return Ok(());
        };
        for name in names.into_iter().filter(|name| name.as_str() < first) {
            if !self.write_outbox(&name, None)? {
                self.module.journal.removal = Some((self.now + AFTER_FAILURE, first.to_owned()));
            }
        }
        Ok(())
    }

    /// A clean stop: what is not in the store is written.
    pub(super) fn finish_journal(&mut self) -> Result<(), Killed> {
        self.module.journal.checkpoint = None;
        loop {
            self.step()?;
            self.module.driver.now = self.now;
            let Some(batch) = self.module.driver.finish_batch() else { return Ok(()) };
            if !self.store_batch(batch)? {
                return Ok(());
            }
        }
    }

    /// The names of what is to be read, in their order; an error where they cannot be.
    pub(super) fn list_journal(&mut self) -> Result<Result<Vec<String>, ()>, Killed> {
        self.step()?;
        let Ok(names) = self.outbox.names(&mut self.chance) else { return Ok(Err(())) };
        self.newest_record = None;
        for name in names.iter().rev() {
            match self.outbox.peek(name) {
                Some(OutboxRecord::CheckpointEnd(first, parts)) => {
                    let is_part = |other: &&String| {
                        **other >= *first
                            && *other < name
                            && self.outbox.peek(other).is_some_and(OutboxRecord::is_part)
                    };
                    if names.iter().filter(is_part).count() == *parts {
                        let first = first.clone();
                        self.module.journal.since_checkpoint =
                            names.iter().filter(|other| *other > name).count();
                        self.begin_removal(&first);
                        return Ok(Ok(names.into_iter().filter(|name| *name >= first).collect()));
                    }
                }
                Some(OutboxRecord::Batch(_, time) | OutboxRecord::CheckpointPart(_, time)) => {
                    self.newest_record = self.newest_record.or(Some(*time));
                }
                _ => {}
            }
        }
        self.module.journal.since_checkpoint = names.len();
        Ok(Ok(names))
    }

    fn begin_removal(&mut self, first: &str) {
        self.module.journal.removal = Some((self.now + UNTIL_REMOVAL, first.to_owned()));
    }
}

impl OutboxRecord {
    fn is_part(&self) -> bool {
        matches!(self, OutboxRecord::CheckpointPart(..))
    }
}

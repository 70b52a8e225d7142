//! The journal of a shard, as it is in the store: batches, and checkpoints that take their place.

use std::collections::VecDeque;

use muc_cloud_notify_core::{Snapshot, SnapshotPlan};

/// After how many batches there is a checkpoint.
const BATCHES: usize = 500;

/// A record.
#[derive(Debug)]
enum Record {
    Part(Snapshot),
    /// A checkpoint that begins with this record is complete.
    End(u64),
}

/// A checkpoint that is being made.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) plan: SnapshotPlan,
    first: u64,
}

/// All records, each with its number and the time at which it was written.
#[derive(Debug, Default)]
pub(super) struct SimJournal {
    /// Where nobody will read them, there are none.
    pub(super) is_kept: bool,
    records: VecDeque<(u64, f64, Record)>,
    written: u64,
    batches: usize,
}

impl SimJournal {
    fn push(&mut self, now: f64, record: Record) {
        if !self.is_kept {
            return;
        }
        self.written += 1;
        self.records.push_back((self.written, now, record));
    }

    /// Nobody will read it again.
    pub(super) fn drop_all(&mut self) {
        *self = SimJournal::default();
    }

    /// A batch is written. Returns whether a checkpoint is due.
    pub(super) fn write(&mut self, now: f64, batch: Snapshot) -> bool {
        self.push(now, Record::Part(batch));
        self.batches += 1;
        self.batches >= BATCHES
    }

    /// A checkpoint begins.
    pub(super) fn begin(&mut self, plan: SnapshotPlan) -> Checkpoint {
        self.batches = 0;
        Checkpoint { plan, first: self.written + 1 }
    }

    /// A part of a checkpoint is written.
    pub(super) fn write_part(&mut self, now: f64, part: Snapshot) {
        self.push(now, Record::Part(part));
    }

    /// A checkpoint is complete: what it replaces is removed.
    pub(super) fn end(&mut self, now: f64, checkpoint: &Checkpoint) {
        self.push(now, Record::End(checkpoint.first));
        while self.records.front().is_some_and(|(number, ..)| *number < checkpoint.first) {
            self.records.pop_front();
        }
    }

    /// What is to be taken up, and how long before the last record each was written.
    pub(super) fn records(&self) -> impl Iterator<Item = (f64, &Snapshot)> {
        let newest = self.records.back().map_or(0.0, |(_, at, _)| *at);
        let ends = self.records.iter().rev().find_map(|(.., record)| match record {
            Record::End(first) => Some(*first),
            Record::Part(_) => None,
        });
        let first = ends.unwrap_or_default();
        let counting = self.records.iter().filter(move |(number, ..)| *number >= first);
        counting.filter_map(move |(_, at, record)| match record {
            Record::Part(part) => Some((newest - at, part)),
            Record::End(_) => None,
        })
    }
}

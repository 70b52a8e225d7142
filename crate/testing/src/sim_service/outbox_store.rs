//! What outlives a stop: in parts, with an index that says which of them count.

use muc_cloud_notify_core::Snapshot;

use super::promises::InRoom;
use super::simulation::{Killed, Simulation};
use crate::driver::Detail;

/// A record of the outbox.
#[derive(Debug, Clone)]
pub(super) enum OutboxRecord {
    /// The names of the parts.
    Index(Vec<String>),
    /// A part.
    Part(Snapshot),
    /// A part of a checkpoint of the journal, and what the wall clock showed.
    CheckpointPart(Snapshot, f64),
    /// The end of a checkpoint: the name with which it begins, and how many parts it has.
    CheckpointEnd(String, usize),
    /// A batch of the journal, and what the wall clock showed.
    Batch(Snapshot, f64),
}

/// The name of the index.
const INDEX: &str = "";

impl Simulation {
    pub(super) fn write_outbox(&mut self, name: &str, record: Option<OutboxRecord>) -> Result<bool, Killed> {
        self.step()?;
        self.now += self.outbox.mood.seconds;
        if let Err(Killed) = self.step() {
            self.outbox.tear(name, record, true, &mut self.chance);
            return Err(Killed);
        }
        Ok(self.outbox.set(name, record, true, &mut self.chance))
    }

    pub(super) fn read_outbox(&mut self, name: &str) -> Result<Result<Option<OutboxRecord>, ()>, Killed> {
        self.step()?;
        self.now += self.outbox.mood.seconds;
        Ok(self.outbox.get(name, &mut self.chance))
    }

    /// A clean stop: what is true is in the store, if that can be written to.
    pub(super) fn save_outbox(&mut self) -> Result<(), Killed> {
        while self.fact(crate::driver::Driver::spread, |_| ())? {}
        if self.settings.options.journal {
            return self.finish_journal();
        }
        let mut names = Vec::new();
        let is_complete = self.write_parts(&mut names)?;
        if names.is_empty() && !is_complete {
            self.truth.parts().for_each(InRoom::lose);
            return Ok(());
        }
        let index = (!names.is_empty()).then(|| OutboxRecord::Index(names.clone()));
        if !self.write_outbox(INDEX, index)? || !is_complete {
            self.truth.parts().for_each(InRoom::lose);
        } else if self.outbox.is_synced() {
            self.truth.parts().for_each(InRoom::keep);
            self.texts.keep();
            self.truth.bury();
        }
        if is_complete { self.remove_all_but(&names) } else { Ok(()) }
    }

    fn write_parts(&mut self, names: &mut Vec<String>) -> Result<bool, Killed> {
        self.runs += 1;
        let (devices, detail) =
            (self.chance.pick(&[1, 3, 500]), self.chance.pick(&[Detail::Words, Detail::Counts]));
        self.module.driver.now = self.now;
        let mut plan = self.module.driver.plan_snapshot();
        loop {
            self.step()?;
            let Some(part) = self.module.driver.next_part(&mut plan, devices, detail) else {
                return Ok(true);
            };
            let name = format!("{:08}-{}", self.runs, names.len() + 1);
            if !self.write_outbox(&name, Some(OutboxRecord::Part(part)))? {
                return Ok(false);
            }
            names.push(name);
        }
    }

    fn remove_all_but(&mut self, kept: &[String]) -> Result<(), Killed> {
        self.step()?;
        let Ok(names) = self.outbox.names(&mut self.chance) else { return Ok(()) };
        for name in names.into_iter().filter(|name| name != INDEX && !kept.contains(name)) {
            self.write_outbox(&name, None)?;
        }
        Ok(())
    }

    /// The names of what the last run has left; an error where they cannot be read.
    pub(super) fn list_outbox(&mut self) -> Result<Result<Vec<String>, ()>, Killed> {
        if self.settings.options.journal {
            return self.list_journal();
        }
        Ok(match self.read_outbox(INDEX)? {
            Ok(Some(OutboxRecord::Index(names))) => Ok(names),
            Ok(_) => Ok(Vec::new()),
            Err(()) if self.outbox.is_torn(INDEX) => {
                self.is_all_read = false;
                Ok(Vec::new())
            }
            Err(()) => Err(()),
        })
    }

    /// Takes up a part. Returns whether it could be read; an error where that is to be tried again.
    pub(super) fn restore_part(&mut self, name: &str) -> Result<Result<bool, ()>, Killed> {
        let (part, time) = match self.read_outbox(name)? {
            Ok(Some(OutboxRecord::Part(part))) => (part, None),
            Ok(Some(OutboxRecord::Batch(part, time) | OutboxRecord::CheckpointPart(part, time))) => {
                (part, Some(time))
            }
            Ok(Some(OutboxRecord::CheckpointEnd(..))) => return Ok(Ok(true)),
            Err(()) if !self.outbox.is_torn(name) => return Ok(Err(())),
            // A batch that was being written was not acknowledged.
            Err(()) if self.settings.options.journal => return Ok(Ok(true)),
            _ => return Ok(Ok(false)),
        };
        self.note(|| format!("restore {name}"));
        let age = time.zip(self.newest_record).map_or(0.0, |(time, newest)| (newest - time).max(0.0));
        self.oldest_age = self.oldest_age.max(age);
        let now = self.now;
        let passed_over = self.fact(
            |driver| {
                driver.now = now - age;
                driver.restore_part(&part)
            },
            |_| (),
        )?;
        assert_eq!(passed_over, 0, "what was written can be read");
        Ok(Ok(true))
    }

    /// Nothing of the last run is needed any more.
    pub(super) fn clear_outbox(&mut self) -> Result<(), Killed> {
        self.truth.parts().for_each(InRoom::lose);
        self.write_outbox(INDEX, None)?;
        self.remove_all_but(&[])
    }
}

//! A store of records by name, that fails, is slow, and loses what was not synced when the power is cut.

use std::collections::BTreeMap;

use crate::sim_chance::Chance;

/// What is stored under a name.
#[derive(Debug, Clone)]
pub(super) enum Stored<V> {
    /// As it was written.
    Whole(V),
    /// There was a kill in the middle of it: it cannot be read.
    Torn,
}

/// How a store behaves at the moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StoreMood {
    /// Of so many reads, one fails; 0 for none.
    pub(super) failing_reads: usize,
    /// Of so many writes, one fails.
    pub(super) failing_writes: usize,
    /// How long each of them takes.
    pub(super) seconds: f64,
}

/// A store of records by name.
#[derive(Debug)]
pub(super) struct SimStore<V> {
    records: BTreeMap<String, Stored<V>>,
    /// What stood there before each write that is not on the disk yet, the last write last.
    unsynced: Vec<(String, Option<Stored<V>>)>,
    /// Whether a write is on the disk when it returns.
    is_synced: bool,
    pub(super) mood: StoreMood,
    pub(super) writes: u64,
}

/// The operating system writes it to the disk after so many other writes at the latest.
const UNSYNCED: usize = 20;

impl<V: Clone> SimStore<V> {
    pub(super) fn new(is_synced: bool) -> Self {
        SimStore {
            records: BTreeMap::new(),
            unsynced: Vec::new(),
            is_synced,
            mood: StoreMood::default(),
            writes: 0,
        }
    }

    /// Whether nothing that was written is lost with the power.
    pub(super) fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// What is stored under a name; an error where it cannot be read.
    pub(super) fn get(&self, name: &str, chance: &mut Chance) -> Result<Option<V>, ()> {
        if chance.one_in(self.mood.failing_reads) {
            return Err(());
        }
        match self.records.get(name) {
            Some(Stored::Whole(value)) => Ok(Some(value.clone())),
            Some(Stored::Torn) => Err(()),
            None => Ok(None),
        }
    }

    /// What is stored under a name, whatever the mood.
    pub(super) fn peek(&self, name: &str) -> Option<&V> {
        match self.records.get(name)? {
            Stored::Whole(value) => Some(value),
            Stored::Torn => None,
        }
    }

    /// Whether what is stored under a name can never be read.
    pub(super) fn is_torn(&self, name: &str) -> bool {
        matches!(self.records.get(name), Some(Stored::Torn))
    }

    /// All names.
    pub(super) fn names(&self, chance: &mut Chance) -> Result<Vec<String>, ()> {
        if chance.one_in(self.mood.failing_reads) {
            Err(())
        } else {
            Ok(self.records.keys().cloned().collect())
        }
    }

    /// Writes something, or removes it. Returns whether it says that it is done. is_vague: what it says it has not done, may be.
    pub(super) fn set(&mut self, name: &str, value: Option<V>, is_vague: bool, chance: &mut Chance) -> bool {
        let fails = chance.one_in(self.mood.failing_writes);
        if !fails || is_vague && chance.one_in(4) {
            self.write(name, value.map(Stored::Whole));
        }
        !fails
    }

    /// A kill comes in the middle of a write: nothing, all, or, where that can be, half of it is written.
    pub(super) fn tear(&mut self, name: &str, value: Option<V>, can_tear: bool, chance: &mut Chance) {
        match chance.below(3) {
            0 => {}
            1 => self.write(name, value.map(Stored::Whole)),
            _ if can_tear && value.is_some() => self.write(name, Some(Stored::Torn)),
            _ => {}
        }
    }

    /// The machine loses its power: of what is not on the disk, what was written last is lost.
    pub(super) fn cut_power(&mut self, chance: &mut Chance) {
        let kept = chance.below(self.unsynced.len() + 1);
        for (name, before) in self.unsynced.split_off(kept).into_iter().rev() {
            self.put(name, before);
        }
        self.unsynced.clear();
    }

    /// How many records there are that can be read.
    pub(super) fn len(&self) -> usize {
        self.records.values().filter(|record| matches!(record, Stored::Whole(_))).count()
    }

    fn write(&mut self, name: &str, value: Option<Stored<V>>) {
        self.writes += 1;
        let before = self.put(name.to_owned(), value);
        if !self.is_synced {
            self.unsynced.push((name.to_owned(), before));
            if self.unsynced.len() > UNSYNCED {
                self.unsynced.remove(0);
            }
        }
    }

    fn put(&mut self, name: String, value: Option<Stored<V>>) -> Option<Stored<V>> {
        match value {
            Some(value) => self.records.insert(name, value),
            None => self.records.remove(&name),
        }
    }
}

//! The users by their JIDs: in many small tables, as a large one is moved as a whole when it grows, which takes long.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::ids::UserId;

/// How many tables there are: of a million users each has four thousand.
const TABLES: usize = 256;

/// All users by their JIDs.
#[derive(Debug)]
pub(super) struct ByJid {
    /// Says which table a JID is in.
    hasher: RandomState,
    tables: Box<[HashMap<Arc<str>, UserId>]>,
}

impl Default for ByJid {
    fn default() -> Self {
        let tables = std::iter::repeat_with(HashMap::new).take(TABLES).collect();
        ByJid { hasher: RandomState::new(), tables }
    }
}

impl ByJid {
    fn place(&self, jid: &str) -> usize {
        let hash = self.hasher.hash_one(jid) % TABLES as u64;
        usize::try_from(hash).unwrap_or_default()
    }

    /// The user with a JID.
    pub(super) fn get(&self, jid: &str) -> Option<UserId> {
        self.tables.get(self.place(jid))?.get(jid).copied()
    }

    /// A user with a JID that no other one has.
    pub(super) fn insert(&mut self, jid: Arc<str>, id: UserId) {
        let place = self.place(&jid);
        if let Some(table) = self.tables.get_mut(place) {
            table.insert(jid, id);
        }
    }

    /// The user with a JID is gone.
    pub(super) fn remove(&mut self, jid: &str) -> Option<UserId> {
        let place = self.place(jid);
        self.tables.get_mut(place)?.remove(jid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_is_large_however_many_there_are() {
        let mut by_jid = ByJid::default();
        let jid = |number: usize| format!("{number}@capulet.example");
        for number in 0..100_000 {
            by_jid.insert(jid(number).into(), UserId::default());
        }
        let largest = by_jid.tables.iter().map(HashMap::len).max();
        assert!(largest.is_some_and(|largest| largest < 600), "{largest:?}");
        for number in (0..100_000).step_by(2) {
            assert!(by_jid.remove(&jid(number)).is_some());
        }
        assert!((0..100_000).all(|number| by_jid.get(&jid(number)).is_some() == (number % 2 == 1)));
    }
}

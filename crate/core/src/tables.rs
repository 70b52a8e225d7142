//! A map of very many things: in many small tables, as a large one is moved as a whole when it grows, which takes long.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

/// How many tables there are: of a million things each has four thousand.
const TABLES: usize = 256;

/// Such a map.
#[derive(Debug)]
pub(crate) struct Tables<K, V> {
    /// Says which table a key is in.
    hasher: RandomState,
    tables: Box<[HashMap<K, V>]>,
}

impl<K, V> Default for Tables<K, V> {
    fn default() -> Self {
        let tables = std::iter::repeat_with(HashMap::new).take(TABLES).collect();
        Tables { hasher: RandomState::new(), tables }
    }
}

impl<K: Hash + Eq, V: Copy> Tables<K, V> {
    fn place<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        let hash = self.hasher.hash_one(key) % TABLES as u64;
        usize::try_from(hash).unwrap_or_default()
    }

    /// What has this key.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.tables.get(self.place(key))?.get(key).copied()
    }

    /// Something has this key from now on.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let place = self.place(&key);
        if let Some(table) = self.tables.get_mut(place) {
            table.insert(key, value);
        }
    }

    /// What has this key is gone.
    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        self.tables.get_mut(place)?.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;
    use std::sync::Arc;

    #[test]
    fn no_table_is_large_however_many_there_are() {
        let mut by_jid: Tables<Arc<str>, UserId> = Tables::default();
        let jid = |number: usize| format!("{number}@capulet.example");
        for number in 0..100_000 {
            by_jid.insert(jid(number).into(), UserId::default());
        }
        let largest = by_jid.tables.iter().map(HashMap::len).max();
        assert!(largest.is_some_and(|largest| largest < 600), "{largest:?}");
        for number in (0..100_000).step_by(2) {
            assert!(by_jid.remove(&*jid(number)).is_some());
        }
        assert!((0..100_000).all(|number| by_jid.get(&*jid(number)).is_some() == (number % 2 == 1)));
    }
}

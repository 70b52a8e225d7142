//! Things under ids of their own. All of them can be gone through bit by bit, whatever comes and goes meanwhile: nobody has to
//! list them first, which takes long where there are very many.

use std::marker::PhantomData;

use slotmap::{Key, KeyData};

use crate::work::count;

/// A place for a thing.
#[derive(Debug)]
struct Slot<V> {
    value: Option<V>,
    /// That of the id under which it is found, or will be. An odd number.
    version: u32,
}

/// Things of a kind. An id of what is gone finds nothing.
#[derive(Debug)]
pub(crate) struct Slots<K, V> {
    slots: Vec<Slot<V>>,
    /// Those without a thing.
    free: Vec<u32>,
    keys: PhantomData<K>,
}

/// A way through all things, the last one first. What comes in meanwhile may be passed over.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Walk {
    /// How many slots have yet to be looked at.
    left: usize,
}

impl Walk {
    /// Whether all were looked at.
    pub(crate) fn is_over(self) -> bool {
        self.left == 0
    }
}

impl<K, V> Default for Slots<K, V> {
    fn default() -> Self {
        Slots { slots: Vec::new(), free: Vec::new(), keys: PhantomData }
    }
}

fn key<K: Key>(index: usize, version: u32) -> K {
    KeyData::from_ffi(u64::from(version) << 32 | index as u64).into()
}

fn parts<K: Key>(key: K) -> (usize, u32) {
    let number = key.data().as_ffi();
    let index = number & u64::from(u32::MAX);
    // Both halves fit.
    (usize::try_from(index).unwrap_or(usize::MAX), u32::try_from(number >> 32).unwrap_or_default())
}

impl<K: Key, V> Slots<K, V> {
    /// Something comes in.
    pub(crate) fn insert(&mut self, value: V) -> K {
        let free = self.free.pop().map(|index| index as usize);
        if let Some((index, slot)) = free.and_then(|index| Some((index, self.slots.get_mut(index)?))) {
            slot.value = Some(value);
            return key(index, slot.version);
        }
        self.slots.push(Slot { value: Some(value), version: 1 });
        key(self.slots.len() - 1, 1)
    }

    /// What has this id.
    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let (index, version) = parts(key);
        self.slots.get(index).filter(|slot| slot.version == version)?.value.as_ref()
    }

    /// What has this id, to be changed.
    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let (index, version) = parts(key);
        self.slots.get_mut(index).filter(|slot| slot.version == version)?.value.as_mut()
    }

    /// Two things, both to be changed.
    pub(crate) fn get_both_mut(&mut self, keys: [K; 2]) -> Option<[&mut V; 2]> {
        let [(one, one_version), (other, other_version)] = keys.map(parts);
        let [one, other] = self.slots.get_disjoint_mut([one, other]).ok()?;
        let is_found = one.version == one_version && other.version == other_version;
        is_found.then(|| Some([one.value.as_mut()?, other.value.as_mut()?])).flatten()
    }

    /// Something is gone.
    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let (index, version) = parts(key);
        let slot = self.slots.get_mut(index).filter(|slot| slot.version == version)?;
        let value = slot.value.take()?;
        slot.version = version.wrapping_add(2);
        // There are no more than half as many ids.
        self.free.extend(u32::try_from(index).ok());
        Some(value)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Begins to go through all of them.
    pub(crate) fn walk(&self) -> Walk {
        Walk { left: self.slots.len() }
    }

    /// Goes on, by so many slots at most: of those some may be empty.
    pub(crate) fn step(
        &self,
        walk: &mut Walk,
        at_most: usize,
    ) -> impl Iterator<Item = (K, &V)> + use<'_, K, V> {
        let end = walk.left.min(self.slots.len());
        walk.left = end.saturating_sub(at_most);
        count(end - walk.left);
        let some = self.slots.get(walk.left..end).unwrap_or_default();
        let indexed = (walk.left..end).zip(some).rev();
        indexed.filter_map(|(index, slot)| Some((key(index, slot.version), slot.value.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    fn rest(slots: &Slots<UserId, u32>, walk: &mut Walk) -> Vec<u32> {
        let mut found = Vec::new();
        while !walk.is_over() {
            let before = found.len();
            found.extend(slots.step(walk, 10).map(|(id, value)| {
                assert_eq!(slots.get(id), Some(value));
                *value
            }));
            assert!(found.len() <= before + 10, "a bit at a time");
        }
        found
    }

    #[test]
    fn an_id_of_what_is_gone_finds_nothing() {
        let mut slots: Slots<UserId, u32> = Slots::default();
        let [one, other] = [1, 2].map(|value| slots.insert(value));
        assert_eq!(slots.remove(one), Some(1));
        let third = slots.insert(3);
        assert_eq!((slots.get_mut(one).copied(), slots.remove(one), slots.get(one)), (None, None, None));
        assert_eq!((slots.get(other), slots.get(third), slots.len()), (Some(&2), Some(&3), 2));
        assert_eq!(slots.slots.len(), 2, "its place is taken");
        assert_eq!((slots.remove(UserId::default()), slots.get(UserId::default())), (None, None));
        for keys in [[one, other], [other, one], [other, other], [other, UserId::default()]] {
            assert_eq!(slots.get_both_mut(keys), None);
        }
        assert_eq!(slots.get_both_mut([other, third]), Some([&mut 2, &mut 3]));
    }

    #[test]
    fn all_that_stay_are_come_to_once_and_what_comes_or_goes_at_most_once() {
        let mut slots: Slots<UserId, u32> = Slots::default();
        let ids: Vec<UserId> = (0..100).map(|value| slots.insert(value)).collect();
        let mut walk = slots.walk();
        let mut found: Vec<u32> = slots.step(&mut walk, 30).map(|(_, value)| *value).collect();
        assert_eq!(found, (70..100).rev().collect::<Vec<u32>>(), "the last one first");
        for gone in [10, 20, 80] {
            assert_eq!(slots.remove(ids[gone]), Some(gone as u32));
        }
        for new in 200..210 {
            slots.insert(new);
        }
        found.extend(rest(&slots, &mut walk));
        assert_eq!(slots.step(&mut walk, 10).count(), 0);
        let staying = |value: &u32| *value < 100 && ![10, 20, 80].contains(value);
        assert_eq!(found.iter().filter(|value| staying(value)).count(), 97);
        let before = found.len();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), before);
    }

    #[test]
    fn nobody_is_come_to_where_there_is_nobody() {
        let slots: Slots<UserId, u32> = Slots::default();
        assert!(slots.walk().is_over());
        assert_eq!(slots.step(&mut Walk::default(), 10).count(), 0);
    }

    #[test]
    fn a_thing_takes_no_more_than_its_size_and_a_word() {
        assert_eq!(size_of::<Slot<Box<u32>>>(), 16);
    }
}

//! Lists of which any item can be taken out at once, wherever it is. All lists of a kind share their memory: there are many,
//! most of them short, and they come and go.

use std::num::NonZeroU32;

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(NonZeroU32);

impl Slot {
    fn of(index: usize) -> Option<Self> {
        u32::try_from(index + 1).ok().and_then(NonZeroU32::new).map(Slot)
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A list: where its ends are. All else is in the [`Lists`] that it belongs to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct List {
    first: Option<Slot>,
    last: Option<Slot>,
}

impl List {
    /// Where the first item is.
    pub(crate) fn first(&self) -> Option<Slot> {
        self.first
    }

    /// Whether it has none.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

#[derive(Debug)]
struct Item<T> {
    value: T,
    before: Option<Slot>,
    /// In a list; of one that is in none, the next of those.
    after: Option<Slot>,
}

/// The items of all lists of a kind.
#[derive(Debug)]
pub(crate) struct Lists<T> {
    items: Vec<Item<T>>,
    /// The first item that is in no list.
    free: Option<Slot>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Lists { items: Vec::new(), free: None }
    }
}

impl<T: Copy> Lists<T> {
    /// What is there.
    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        self.items.get(slot.index()).map(|item| &item.value)
    }

    /// What is there.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.items.get_mut(slot.index()).map(|item| &mut item.value)
    }

    /// Appends an item. `None` where there are four billion already.
    pub(crate) fn push(&mut self, list: &mut List, value: T) -> Option<Slot> {
        let item = Item { value, before: list.last, after: None };
        let slot = match self.free.and_then(|slot| Some((slot, self.items.get_mut(slot.index())?))) {
            Some((slot, place)) => {
                self.free = place.after;
                *place = item;
                slot
            }
            None => {
                let slot = Slot::of(self.items.len())?;
                self.items.push(item);
                slot
            }
        };
        self.append(list, slot);
        Some(slot)
    }

    /// Takes an item out of its list.
    pub(crate) fn remove(&mut self, list: &mut List, slot: Slot) -> Option<T> {
        self.unlink(list, slot);
        let item = self.items.get_mut(slot.index())?;
        item.after = self.free;
        self.free = Some(slot);
        Some(item.value)
    }

    /// Those of a list, from the first to the last.
    pub(crate) fn each(&self, list: &List) -> impl Iterator<Item = T> {
        let at = |slot: Slot| self.items.get(slot.index());
        std::iter::successors(list.first.and_then(at), move |item| item.after.and_then(at))
            .map(|item| item.value)
    }

    /// Moves the first item of a list to its end.
    pub(crate) fn rotate(&mut self, list: &mut List) {
        if let Some(first) = list.first.filter(|_| list.first != list.last) {
            self.unlink(list, first);
            if let Some(item) = self.items.get_mut(first.index()) {
                (item.before, item.after) = (list.last, None);
            }
            self.append(list, first);
        }
    }

    /// An item that knows the one before it becomes the last.
    fn append(&mut self, list: &mut List, slot: Slot) {
        match list.last.and_then(|last| self.items.get_mut(last.index())) {
            Some(last) => last.after = Some(slot),
            None => list.first = Some(slot),
        }
        list.last = Some(slot);
    }

    fn unlink(&mut self, list: &mut List, slot: Slot) {
        let Some((before, after)) = self.items.get(slot.index()).map(|item| (item.before, item.after)) else {
            return;
        };
        match before.and_then(|before| self.items.get_mut(before.index())) {
            Some(item) => item.after = after,
            None => list.first = after,
        }
        match after.and_then(|after| self.items.get_mut(after.index())) {
            Some(item) => item.before = before,
            None => list.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(lists: &Lists<u32>, list: &List) -> Vec<u32> {
        lists.each(list).collect()
    }

    #[test]
    fn any_item_can_be_taken_out_and_its_place_is_used_again() {
        let (mut lists, mut odd, mut even) = (Lists::default(), List::default(), List::default());
        let slots: Vec<Slot> = (0..10)
            .filter_map(|number| lists.push(if number % 2 == 0 { &mut even } else { &mut odd }, number))
            .collect();
        for taken in [0, 4, 8] {
            assert_eq!(lists.remove(&mut even, slots[taken]), Some(taken as u32));
        }
        assert_eq!((contents(&lists, &even), contents(&lists, &odd)), (vec![2, 6], vec![1, 3, 5, 7, 9]));
        for number in [10, 12, 14] {
            lists.push(&mut even, number);
        }
        assert_eq!(contents(&lists, &even), [2, 6, 10, 12, 14]);
        assert_eq!(lists.items.len(), 10, "no more memory than at once");
    }

    #[test]
    fn the_first_can_become_the_last() {
        let (mut lists, mut list) = (Lists::default(), List::default());
        lists.rotate(&mut list);
        assert!(list.is_empty());
        for number in 0..3 {
            lists.push(&mut list, number);
            lists.rotate(&mut list);
        }
        assert_eq!(
            contents(&lists, &list),
            [0, 2, 1],
            "what is new goes behind the others, then the first does"
        );
        while let Some(first) = list.first() {
            lists.remove(&mut list, first);
        }
        assert!(list.is_empty() && list.last.is_none());
    }
}

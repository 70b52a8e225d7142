//! What waits to be written, each once, in the order in which it came up.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// See above.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    in_order: VecDeque<T>,
    known: HashSet<T>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Waiting { in_order: VecDeque::new(), known: HashSet::new() }
    }
}

/// For how many memory is kept where nothing waits.
const KEPT: usize = 1000;

impl<T: Clone + Eq + Hash> Waiting<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.in_order.len()
    }

    pub(super) fn push(&mut self, value: T) {
        if self.known.insert(value.clone()) {
            self.in_order.push_back(value);
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let value = self.in_order.pop_front();
        match &value {
            Some(value) => drop(self.known.remove(value)),
            None => self.shrink(),
        }
        value
    }

    /// Takes out so many at most.
    pub(super) fn take(&mut self, at_most: usize) -> Vec<T> {
        std::iter::from_fn(|| self.pop()).take(at_most).collect()
    }

    /// This waits no more.
    pub(super) fn remove(&mut self, value: &T) {
        if self.known.remove(value) {
            self.in_order.retain(|other| other != value);
        }
    }

    /// What was taken out waits again, before all else.
    pub(super) fn put_back(&mut self, values: Vec<T>) {
        for value in values.into_iter().rev() {
            if self.known.insert(value.clone()) {
                self.in_order.push_front(value);
            }
        }
    }

    /// What a burst took is given back.
    fn shrink(&mut self) {
        if self.in_order.capacity() > KEPT {
            self.in_order.shrink_to(KEPT);
            self.known.shrink_to(KEPT);
        }
    }
}

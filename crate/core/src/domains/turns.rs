//! Whose turn it is: the families of domains have their turns one after the other, and within each family its domains. Who owns a
//! domain can make as many below it as they like, and has one turn for all of them.

use std::collections::{HashMap, VecDeque};

use super::DomainId;
use super::untried::family;

/// A family of domains that are known. It is that of another one only when none is known any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct FamilyId(u32);

#[derive(Debug, Default)]
struct Family {
    name: Box<str>,
    /// How many domains are known of it.
    known: u32,
    /// Those that are ready. The one whose turn it is comes first.
    ready: VecDeque<DomainId>,
}

/// The domains that are ready, by families.
#[derive(Debug, Default)]
pub(super) struct Turns {
    families: Vec<Family>,
    /// Those that stand for no family.
    free: Vec<FamilyId>,
    ids: HashMap<Box<str>, FamilyId>,
    /// The families of which any domain is ready. The one whose turn it is comes first.
    ready: VecDeque<FamilyId>,
}

impl FamilyId {
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Turns {
    /// A domain is known from now on.
    pub(super) fn enter(&mut self, domain: &str) -> FamilyId {
        let name = family(domain);
        let id = self.ids.get(name).copied().unwrap_or_else(|| self.add(name));
        if let Some(family) = self.families.get_mut(id.index()) {
            family.known += 1;
        }
        id
    }

    fn add(&mut self, name: &str) -> FamilyId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.families.push(Family::default());
            // There are fewer of them than devices.
            FamilyId(u32::try_from(self.families.len() - 1).unwrap_or(u32::MAX))
        });
        if let Some(family) = self.families.get_mut(id.index()) {
            family.name = name.into();
        }
        self.ids.insert(name.into(), id);
        id
    }

    /// A domain of this family is forgotten. It is not ready.
    pub(super) fn leave(&mut self, id: FamilyId) {
        let Some(family) = self.families.get_mut(id.index()) else { return };
        family.known = family.known.saturating_sub(1);
        if family.known == 0 {
            let Family { name, .. } = std::mem::take(family);
            self.ids.remove(&name);
            self.free.push(id);
        }
    }

    /// Whether no domain is ready.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// All domains that are ready.
    pub(super) fn iter(&self) -> impl Iterator<Item = DomainId> {
        let families = self.ready.iter().filter_map(|id| self.families.get(id.index()));
        families.flat_map(|family| family.ready.iter().copied())
    }

    /// A domain of this family is ready.
    pub(super) fn push(&mut self, family: FamilyId, domain: DomainId) {
        let Some(of_family) = self.families.get_mut(family.index()) else { return };
        of_family.ready.push_back(domain);
        if of_family.ready.len() == 1 {
            self.ready.push_back(family);
        }
    }

    /// The domain whose turn it is.
    pub(super) fn first(&self) -> Option<DomainId> {
        self.families.get(self.ready.front()?.index())?.ready.front().copied()
    }

    /// The domain whose turn it is cannot take it, and is not ready any more: it is the turn of the next one of its family.
    pub(super) fn pop(&mut self) {
        let Some(id) = self.ready.front() else { return };
        let Some(family) = self.families.get_mut(id.index()) else { return };
        family.ready.pop_front();
        if family.ready.is_empty() {
            self.ready.pop_front();
        }
    }

    /// The domain whose turn it is has had it, and is ready still: it is the turn of the next family.
    pub(super) fn rotate(&mut self) {
        let Some(id) = self.ready.front() else { return };
        let Some(family) = self.families.get_mut(id.index()) else { return };
        if family.ready.len() > 1 {
            family.ready.rotate_left(1);
        }
        if self.ready.len() > 1 {
            self.ready.rotate_left(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_forgotten_with_the_last_of_its_domains() {
        let mut turns = Turns::default();
        let families: Vec<FamilyId> =
            (0..10).map(|number| turns.enter(&format!("d{number}.evil.test"))).collect();
        assert!(families.iter().all(|family| *family == families[0]));
        let other = turns.enter("push.example");
        assert_ne!(other, families[0]);
        families.into_iter().for_each(|family| turns.leave(family));
        assert_eq!(turns.enter("push.other"), FamilyId(0));
        assert_eq!((turns.ids.len(), turns.families.len(), turns.free.len()), (2, 2, 0));
    }
}

//! The domains that no device has its app server at any more, and of which something is remembered.

use std::collections::BTreeMap;

use super::DomainId;

/// How much memory they may take, in bytes: some thousands of them. To make the service forget a domain that does not answer,
/// as many others have to be asked meanwhile, of which a few a minute are.
const MOST: usize = 2 << 20;

/// Those domains, the oldest first, with the memory that each takes.
#[derive(Debug, Default)]
pub(super) struct Unused {
    /// Those that have taken a publish: they would again.
    known: BTreeMap<u64, (DomainId, usize)>,
    others: BTreeMap<u64, (DomainId, usize)>,
    bytes: usize,
    added: u64,
}

impl Unused {
    /// A domain that takes so much memory has no device any more. Returns what to name it by.
    pub(super) fn add(&mut self, id: DomainId, is_known: bool, bytes: usize) -> u64 {
        self.added += 1;
        let domains = if is_known { &mut self.known } else { &mut self.others };
        domains.insert(self.added, (id, bytes));
        self.bytes += bytes;
        self.added
    }

    /// It has one again.
    pub(super) fn remove(&mut self, since: u64) {
        if let Some((_, bytes)) = self.known.remove(&since).or_else(|| self.others.remove(&since)) {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }

    /// The one to be forgotten next, if any has to be.
    pub(super) fn excess(&self) -> Option<DomainId> {
        let oldest = || self.known.values().chain(self.others.values()).next().map(|(id, _)| *id);
        (self.bytes > MOST).then(oldest).flatten()
    }
}

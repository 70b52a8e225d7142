//! What share of a service the users of a domain have, and whether there is any left for one more.
//!
//! A device that is there can be renewed whatever the shares are: what is bounded is how many there are. A domain is no proof of good
//! will, so of users nobody has seen in a room, each domain has a few devices only.

use std::collections::HashMap;

use crate::error::RequestError;
use crate::options::Options;
use crate::request::EnableFacts;

/// How many devices a domain may have of strangers.
pub(super) const STRANGERS_DEVICES: usize = 100;

/// Which part of the users that there may be is kept for those with accounts on this server: others have no say in whether these find a
/// place.
const RESERVED_PART: usize = 10;

/// What there is of a user, or of all users of a domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) users: usize,
    /// Devices of strangers: of users who have registered since the start, have no account on this server, and were not seen
    /// as a member of any room.
    pub(super) strangers_devices: usize,
}

/// The shares of domains with users.
#[derive(Debug, Default)]
pub(super) struct Shares {
    of_domains: HashMap<Box<str>, Share>,
    /// How many users there are in all.
    users: usize,
}

/// A user as far as their request is not about a device they have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newcomer {
    /// They had no device before.
    pub(super) is_new: bool,
    /// They may be a stranger.
    pub(super) is_stranger: bool,
}

fn domain_of(jid: &str) -> &str {
    jid.split_once('@').map_or(jid, |(_, domain)| domain)
}

impl Shares {
    /// What there is of a user has changed.
    pub(super) fn update(&mut self, jid: &str, before: Share, after: Share) {
        if before == after {
            return;
        }
        self.users = self.users.saturating_sub(before.users) + after.users;
        let domain = domain_of(jid);
        let mut share = self.of(domain);
        share.users = share.users.saturating_sub(before.users) + after.users;
        share.strangers_devices =
            share.strangers_devices.saturating_sub(before.strangers_devices) + after.strangers_devices;
        if share == Share::default() {
            self.of_domains.remove(domain);
        } else if let Some(known) = self.of_domains.get_mut(domain) {
            *known = share;
        } else {
            self.of_domains.insert(domain.into(), share);
        }
    }

    /// Whether there is room for another device.
    pub(super) fn admit(
        &self,
        newcomer: Newcomer,
        facts: &EnableFacts<'_>,
        options: &Options,
    ) -> Result<(), RequestError> {
        let share = self.of(domain_of(facts.user));
        let reserved = if facts.is_local { 0 } else { options.max_users / RESERVED_PART };
        if newcomer.is_new && self.users >= options.max_users - reserved {
            return Err(RequestError::TooManyUsers);
        }
        if facts.is_local {
            return Ok(());
        }
        if newcomer.is_new && share.users >= options.max_users_per_domain {
            return Err(RequestError::TooManyUsersOfDomain);
        }
        if newcomer.is_stranger && !facts.is_member && share.strangers_devices >= STRANGERS_DEVICES {
            return Err(RequestError::TooManyStrangers);
        }
        Ok(())
    }

    fn of(&self, domain: &str) -> Share {
        self.of_domains.get(domain).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_without_users_is_not_remembered() {
        let mut shares = Shares::default();
        let one = Share { users: 1, strangers_devices: 2 };
        shares.update("ann@a.example", Share::default(), one);
        shares.update("ben@a.example", Share::default(), one);
        assert_eq!(shares.of("a.example"), Share { users: 2, strangers_devices: 4 });
        shares.update("ann@a.example", one, Share { users: 1, strangers_devices: 0 });
        shares.update("ben@a.example", one, Share::default());
        assert_eq!(shares.of("a.example"), Share { users: 1, strangers_devices: 0 });
        shares.update("ann@a.example", Share { users: 1, strangers_devices: 0 }, Share::default());
        assert!(shares.of_domains.is_empty());
    }
}

//! Accounts of this server of which only the last run says that they have devices, as the store that knows could not be listed.

use std::collections::HashMap;

use crate::ids::UserId;
use crate::way::host_of_account;

/// Those that are presumed to have devices, by host, until it is known.
#[derive(Debug, Default)]
pub(super) struct PresumedAccounts(HashMap<Box<str>, Vec<UserId>>);

impl PresumedAccounts {
    /// Of the accounts of this host it is not known which have devices.
    pub(super) fn expect(&mut self, host: &str) {
        self.0.entry(host.into()).or_default();
    }

    /// Whether that is so for any accounts of this host.
    pub(super) fn expects_any(&self, host: &str) -> bool {
        self.0.contains_key(host)
    }

    /// Whether that is so for the account of this bare JID.
    pub(super) fn expects(&self, user: &str) -> bool {
        host_of_account(user).is_some_and(|(_, host)| self.expects_any(host))
    }

    /// This one is presumed to have some.
    pub(super) fn add(&mut self, user: &str, id: UserId) {
        if let Some(of_host) = host_of_account(user).and_then(|(_, host)| self.0.get_mut(host)) {
            of_host.push(id);
        }
    }

    /// Takes out one of a host, who may be no user any more. With the last one, nothing is kept of the host.
    pub(super) fn take(&mut self, host: &str) -> Option<UserId> {
        let next = self.0.get_mut(host)?.pop();
        if next.is_none() {
            self.0.remove(host);
        }
        next
    }
}

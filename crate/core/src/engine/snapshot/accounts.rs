//! Who the devices of a batch stand for that are ways to accounts of this server: nobody else knows of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::way::host_of_account;

use super::devices::is_bare_jid;

/// Accounts of a host of this server that the same part says something of, by hashes of their names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountsState {
    /// The host.
    pub host: String,
    /// Their names, without the host.
    pub names: Vec<String>,
}

impl AccountsState {
    /// Their bare JIDs.
    pub(in crate::engine) fn users(&self) -> impl Iterator<Item = String> {
        let jids = self.names.iter().map(|name| format!("{name}@{}", self.host));
        jids.filter(|user| is_bare_jid(user))
    }
}

/// The accounts that a batch names.
#[derive(Default)]
pub(in crate::engine) struct Accounts(BTreeMap<String, Vec<String>>);

impl Accounts {
    /// Adds that of this bare JID. Returns about how many bytes it takes.
    pub(in crate::engine) fn add(&mut self, user: &str) -> usize {
        let Some((name, host)) = host_of_account(user) else { return 0 };
        match self.0.get_mut(host) {
            Some(names) => names.push(name.to_owned()),
            None => _ = self.0.insert(host.to_owned(), vec![name.to_owned()]),
        }
        name.len() + 3
    }

    /// All of them.
    pub(in crate::engine) fn finish(self) -> Vec<AccountsState> {
        self.0.into_iter().map(|(host, names)| AccountsState { host, names }).collect()
    }
}

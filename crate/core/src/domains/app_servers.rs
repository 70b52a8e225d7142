//! Which app servers of a domain have taken publishes.

use std::collections::HashSet;

use crate::app_server::{AppServer, canonical};

/// How many are remembered: nearly all domains have one, and whoever can make many may be taken for a stranger.
const REMEMBERED: usize = 100;

/// The longest JID, in bytes, and what one takes beside them.
const LONGEST: usize = 3071;
const SHARED: usize = 32;

/// The app servers of a domain that have taken publishes.
#[derive(Debug, Default)]
pub(super) struct KnownAppServers {
    /// The one that has done so last.
    latest: Option<AppServer>,
    /// All of them, where there is more than one.
    all: HashSet<AppServer>,
}

impl KnownAppServers {
    /// An app server has taken a publish. Returns whether it is one more.
    pub(super) fn add(&mut self, app_server: &AppServer) -> bool {
        if self.is_latest(app_server) {
            return false;
        }
        let is_new = !self.all.contains(app_server);
        if let Some(before) = self.latest.replace(app_server.clone()) {
            for known in [before, app_server.clone()] {
                if self.all.len() < REMEMBERED {
                    self.all.insert(known);
                }
            }
        }
        is_new
    }

    /// Those that a snapshot tells of, the latest first, for which so many bytes are left.
    pub(super) fn some(&self, left: &mut usize) -> Vec<String> {
        let others = self.all.iter().filter(|app_server| !self.is_latest(app_server));
        let all = self.latest.iter().chain(others).map(AppServer::as_str);
        all.map_while(|jid| {
            *left = left.checked_sub(jid.len())?;
            Some(jid.to_owned())
        })
        .collect()
    }

    /// Takes up which ones a snapshot tells of, of a domain with this name.
    pub(super) fn restore(&mut self, domain: &str, jids: &[String]) {
        let jids = jids.iter().take(REMEMBERED).filter(|jid| jid.len() <= LONGEST).rev();
        for app_server in jids.map(|jid| AppServer::prepared(jid)) {
            if canonical(app_server.domain()) == domain {
                self.add(&app_server);
            }
        }
    }

    /// How much memory they take, if no device has any of them.
    pub(super) fn bytes(&self) -> usize {
        let others = self.all.iter().filter(|app_server| !self.is_latest(app_server));
        let jids: usize = self.latest.iter().chain(others).map(|it| it.as_str().len() + SHARED).sum();
        jids + self.all.capacity() * 2 * size_of::<AppServer>()
    }

    /// Whether none has.
    pub(super) fn is_empty(&self) -> bool {
        self.latest.is_none()
    }

    /// Whether it has taken one, as far as that is remembered.
    pub(super) fn contains(&self, app_server: &AppServer) -> bool {
        self.is_latest(app_server) || self.all.contains(app_server)
    }

    /// Whether it is the one that has taken the last one.
    pub(super) fn is_latest(&self, app_server: &AppServer) -> bool {
        self.latest.as_ref().is_some_and(|latest| latest == app_server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_remembered_and_the_latest_always() {
        let mut known = KnownAppServers::default();
        let name = |number: usize| AppServer::prepared(&format!("push.example/{number}"));
        assert!(!known.contains(&name(0)));
        assert!(known.is_empty() && (0..1000).all(|number| known.add(&name(number))));
        assert!(!known.add(&name(999)) && !known.is_empty());
        assert!((0..100).chain([999]).all(|number| known.contains(&name(number))));
        assert!(!known.contains(&name(500)));
        assert!(known.is_latest(&name(999)) && !known.is_latest(&name(998)));
        assert_eq!(known.all.len(), REMEMBERED);
    }

    #[test]
    fn what_outlives_a_stop_is_of_the_domain_and_has_a_bound() {
        let mut known = KnownAppServers::default();
        (0..200).for_each(|number| _ = known.add(&AppServer::prepared(&format!("push.example/{number:03}"))));
        let mut left = 16 * 10;
        let some = known.some(&mut left);
        assert_eq!((some.len(), some[0].as_str(), left), (10, "push.example/199", 0));
        let (mut after, mut of_others) = (KnownAppServers::default(), KnownAppServers::default());
        after.restore("push.example", &some);
        of_others.restore("example", &some);
        assert!(after.is_latest(&AppServer::prepared("push.example/199")) && after.all.len() == 10);
        assert!(of_others.is_empty());
    }
}

//! Which app servers of a domain have taken publishes.

use std::collections::HashSet;

use crate::app_server::AppServer;

/// How many are remembered: nearly all domains have one, and whoever can make many may be taken for a stranger.
const REMEMBERED: usize = 100;

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
}

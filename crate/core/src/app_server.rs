//! The address of an app server: where the publishes of a device go (XEP-0357, section 3).

use std::collections::HashSet;
use std::sync::Arc;

/// The JID of an app server as the server has prepared it, so that it can be compared with the `from` of what the app
/// server answers. Which addresses there are, and how they are spelled, is for the server to say, and for nobody else.
///
/// Many devices share one app server, hence the shared string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppServer(Arc<str>);

impl AppServer {
    /// An address that the server has prepared.
    pub fn prepared(jid: &str) -> Self {
        AppServer(jid.into())
    }

    /// The JID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The JID without its resource.
    pub(crate) fn bare(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(bare, _)| bare)
    }

    /// Whether it is what this bare JID stands for, or an address below that.
    pub(crate) fn is_of(&self, user: &str) -> bool {
        let (of_user, of_this) = (user.split_once('@'), self.bare().split_once('@'));
        of_user.zip(of_this).map_or(self.bare() == user, |((user, domain), (name, other))| {
            user == name && canonical(domain) == canonical(other)
        })
    }

    /// Whether it is at this domain.
    pub(crate) fn is_at(&self, domain: &str) -> bool {
        canonical(self.domain()) == canonical(domain)
    }

    /// The domain of the JID.
    pub(crate) fn domain(&self) -> &str {
        let bare = self.bare();
        bare.split_once('@').map_or(bare, |(_, domain)| domain)
    }
}

/// The name of a domain without the dots that may end it: there is one domain of all these names. One of dots alone is left as it is.
pub(crate) fn canonical(domain: &str) -> &str {
    Some(domain.trim_end_matches('.')).filter(|name| !name.is_empty()).unwrap_or(domain)
}

/// The app servers in use, so that all devices of one share its address.
#[derive(Debug, Default)]
pub(crate) struct AppServers {
    shared: HashSet<AppServer>,
    /// How many there may be before those out of use are let go.
    limit: usize,
}

impl AppServers {
    /// Replaces an address by the equal one that others use already.
    pub(crate) fn share(&mut self, app_server: &mut AppServer) {
        if let Some(known) = self.shared.get(app_server) {
            *app_server = known.clone();
            return;
        }
        if self.shared.len() >= self.limit {
            self.shared.retain(|known| Arc::strong_count(&known.0) > 1);
            self.limit = self.shared.len() * 2 + 16;
        }
        self.shared.insert(app_server.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_domain_and_a_bare_jid() {
        for (jid, bare, domain) in [
            ("push.example", "push.example", "push.example"),
            ("push.example/Some Where", "push.example", "push.example"),
            ("pusher@push.example", "pusher@push.example", "push.example"),
            ("pusher@push.example/a@b/c", "pusher@push.example", "push.example"),
            ("ab--cd.example", "ab--cd.example", "ab--cd.example"),
        ] {
            let app_server = AppServer::prepared(jid);
            assert_eq!((app_server.as_str(), app_server.bare(), app_server.domain()), (jid, bare, domain));
        }
    }

    #[test]
    fn is_the_same_whatever_dots_end_its_domain() {
        for dots in ["", ".", "..", "....."] {
            let of_service = AppServer::prepared(&format!("conference.example{dots}/x"));
            assert!(
                of_service.is_at("conference.example") && of_service.is_at("conference.example."),
                "{dots}"
            );
            assert!(!of_service.is_at("example") && !of_service.is_at("other.conference.example"), "{dots}");
            let of_user = AppServer::prepared(&format!("juliet@capulet.example{dots}/x"));
            assert!(
                of_user.is_of("juliet@capulet.example") && !of_user.is_of("nurse@capulet.example"),
                "{dots}"
            );
            assert!(
                !of_user.is_of("capulet.example") && !of_service.is_of("juliet@capulet.example"),
                "{dots}"
            );
        }
        for (name, expected) in [("", ""), (".", "."), ("..", ".."), ("a..", "a"), ("a.b", "a.b")] {
            assert_eq!(canonical(name), expected);
        }
    }

    #[test]
    fn is_shared_while_it_is_in_use() {
        let mut app_servers = AppServers::default();
        let mut first = AppServer::prepared("push.example");
        let mut second = AppServer::prepared("push.example");
        app_servers.share(&mut first);
        app_servers.share(&mut second);
        assert!(Arc::ptr_eq(&first.0, &second.0));
        for number in 0..1000 {
            app_servers.share(&mut AppServer::prepared(&format!("push-{number}.example")));
        }
        assert!(app_servers.shared.len() < 50);
        let mut third = AppServer::prepared("push.example");
        app_servers.share(&mut third);
        assert!(Arc::ptr_eq(&first.0, &third.0));
    }
}

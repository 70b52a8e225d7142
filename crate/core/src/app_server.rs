//! The address of an app server: where the publishes of a device go (XEP-0357, section 3).

use std::collections::HashSet;
use std::sync::Arc;

use jid::Jid;

use crate::error::RequestError;

/// The JID of an app server, normalised as the server routes it, so that it can be compared with the
/// `from` of what the app server answers.
///
/// Many devices share one app server, hence the shared string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppServer(Arc<str>);

impl AppServer {
    /// Reads the `jid` attribute that a client wrote.
    ///
    /// # Errors
    ///
    /// [`RequestError::MalformedAppServer`] where it is no JID.
    pub(crate) fn parse(jid: &str) -> Result<Self, RequestError> {
        let jid = Jid::new(jid).map_err(RequestError::MalformedAppServer)?;
        Ok(AppServer(jid.as_str().into()))
    }

    /// Reads the address from a stored record. What is stored was accepted once: an address that is no
    /// longer understood is kept as it stands.
    pub fn stored(jid: &str) -> Self {
        Self::parse(jid).unwrap_or_else(|_| AppServer(jid.into()))
    }

    /// The JID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The JID without its resource.
    pub(crate) fn bare(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(bare, _)| bare)
    }

    /// The domain of the JID.
    pub(crate) fn domain(&self) -> &str {
        let bare = self.bare();
        bare.split_once('@').map_or(bare, |(_, domain)| domain)
    }
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
    fn is_normalised() {
        let app_server = AppServer::parse("Pusher@Push.Example/Some Where").unwrap();
        assert_eq!(app_server.as_str(), "pusher@push.example/Some Where");
        assert_eq!(app_server.bare(), "pusher@push.example");
        assert_eq!(app_server.domain(), "push.example");
    }

    #[test]
    fn refuses_what_is_no_jid() {
        for jid in ["", "@", "push.example/", "a@", "@push.example"] {
            assert!(matches!(AppServer::parse(jid), Err(RequestError::MalformedAppServer(_))), "{jid:?}");
        }
    }

    #[test]
    fn keeps_a_stored_address_that_it_does_not_understand() {
        assert_eq!(AppServer::stored("ab--cd.example").as_str(), "ab--cd.example");
    }

    #[test]
    fn is_shared_while_it_is_in_use() {
        let mut app_servers = AppServers::default();
        let mut first = AppServer::stored("push.example");
        let mut second = AppServer::stored("push.example");
        app_servers.share(&mut first);
        app_servers.share(&mut second);
        assert!(Arc::ptr_eq(&first.0, &second.0));
        for number in 0..1000 {
            app_servers.share(&mut AppServer::stored(&format!("push-{number}.example")));
        }
        assert!(app_servers.shared.len() < 50);
        let mut third = AppServer::stored("push.example");
        app_servers.share(&mut third);
        assert!(Arc::ptr_eq(&first.0, &third.0));
    }
}

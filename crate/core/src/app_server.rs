//! The address of an app server: where the publishes of a device go (XEP-0357, section 3).

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
    pub fn parse(jid: &str) -> Result<Self, RequestError> {
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
    pub fn bare(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(bare, _)| bare)
    }

    /// The domain of the JID.
    pub fn domain(&self) -> &str {
        let bare = self.bare();
        bare.split_once('@').map_or(bare, |(_, domain)| domain)
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
}

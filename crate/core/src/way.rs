//! Ways: how a user without a registered device is reached by their own server.

/// A way to reach a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Their account on this server has devices, which the server pushes to itself.
    Account,
    /// Messages are forwarded to the bare JID of their account elsewhere.
    Forward,
}

impl Way {
    /// The push identifier of the device that stands for it. That of a registration is made of an app server and a node, with a `<`
    /// between them.
    pub(crate) fn push_identifier(self) -> &'static str {
        match self {
            Way::Account => "account",
            Way::Forward => "forward",
        }
    }
}

/// The name under which it is known how a domain takes what is forwarded to accounts there.
pub(crate) fn forwarding_domain(domain: &str) -> String {
    format!("forward {domain}")
}

/// The name and the host of an account, by its bare JID. Nobody has the account of a host itself.
pub(crate) fn host_of_account(user: &str) -> Option<(&str, &str)> {
    user.rsplit_once('@')
}

/// What a member has said of the messages of a room being forwarded to their account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// Nothing: what their account on this server gets, it gets.
    #[default]
    Unset,
    /// They have asked for it.
    Asked,
    /// They do not want it, nor that the account on this server is told.
    Refused,
}

impl Forwarding {
    /// Whether a member is told of the messages of a room by a way.
    pub(crate) fn allows(self, way: Way) -> bool {
        match way {
            Way::Account => self != Forwarding::Refused,
            Way::Forward => self == Forwarding::Asked,
        }
    }
}

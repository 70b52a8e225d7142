//! The push services that may be sent to.

use crate::endpoint::{Endpoint, HTTPS_PORT, parse_host, split_port};

/// What the operator's list has to say of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is at a push service, which is somewhere in the public internet.
    Public,
    /// It is where the operator wants a push service to be, wherever that is.
    Anywhere,
}

/// An entry of the list: `host`, `*.domain`, or either with a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    host: String,
    is_address: bool,
    /// Whether it stands for all hosts in the domain.
    is_domain: bool,
    port: Option<u16>,
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = split_port(text).ok()?;
        let domain = host.strip_prefix("*.");
        let (host, is_address) = parse_host(domain.unwrap_or(host))?;
        let is_domain = domain.is_some();
        // A top-level domain as a whole is no list of push services.
        (!is_domain || !is_address && host.contains('.')).then_some(Entry {
            host,
            is_address,
            is_domain,
            port,
        })
    }

    fn matches(&self, endpoint: &Endpoint) -> bool {
        let is_host = if self.is_domain {
            !endpoint.is_address()
                && endpoint.host().strip_suffix(&self.host).is_some_and(|rest| rest.ends_with('.'))
        } else {
            self.is_address == endpoint.is_address() && self.host == endpoint.host()
        };
        is_host && self.port.unwrap_or(HTTPS_PORT) == endpoint.port()
    }
}

/// The list of push services that the operator allows.
#[derive(Debug, Clone, Default)]
pub struct PushServices(Vec<Entry>);

impl PushServices {
    /// The list with these entries; those that are none are passed over.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> Self {
        PushServices(entries.into_iter().filter_map(Entry::parse).collect())
    }

    /// Whether a text is an entry of such a list.
    pub fn is_entry(text: &str) -> bool {
        Entry::parse(text).is_some()
    }

    /// Whether an endpoint may be sent to. An entry with a port, or with an address, is meant as it is; of any other it is taken
    /// that the push service is a public one.
    pub(crate) fn admit(&self, endpoint: &Endpoint) -> Option<Admission> {
        let mut matching = self.0.iter().filter(|entry| entry.matches(endpoint)).peekable();
        matching.peek()?;
        let is_meant = matching.any(|entry| !entry.is_domain && (entry.port.is_some() || entry.is_address));
        Some(if is_meant { Admission::Anywhere } else { Admission::Public })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(entries: &[&str], url: &str) -> Option<Admission> {
        PushServices::new(entries.iter().copied()).admit(&Endpoint::parse(url).unwrap())
    }

    #[test]
    fn who_is_in_the_list_is_admitted() {
        let list = ["fcm.googleapis.com", "*.push.apple.com", "Push.Example:8443", "10.0.0.5", "[::1]:9000"];
        for (url, admission) in [
            ("https://fcm.googleapis.com/p", Admission::Public),
            ("https://fcm.googleapis.com:443/p", Admission::Public),
            ("https://web.push.apple.com/p", Admission::Public),
            ("https://a.b.push.apple.com/p", Admission::Public),
            ("https://push.example:8443/p", Admission::Anywhere),
            ("https://10.0.0.5/p", Admission::Anywhere),
            ("https://[0::1]:9000/p", Admission::Anywhere),
        ] {
            assert_eq!(admit(&list, url), Some(admission), "{url}");
        }
    }

    #[test]
    fn nobody_else_is() {
        let list = ["fcm.googleapis.com", "*.push.apple.com", "push.example:8443", "10.0.0.5"];
        for url in [
            "https://fcm.googleapis.com:8443/p",
            "https://fcm.googleapis.com.example.com/p",
            "https://xfcm.googleapis.com/p",
            "https://push.apple.com/p",
            "https://evilpush.apple.com/p",
            "https://push.example/p",
            "https://10.0.0.5:8443/p",
            "https://10.0.0.6/p",
            "https://127.0.0.1/p",
            "https://[::1]/p",
        ] {
            assert_eq!(admit(&list, url), None, "{url}");
        }
        assert_eq!(admit(&[], "https://fcm.googleapis.com/p"), None);
    }

    #[test]
    fn what_is_no_entry_admits_nobody() {
        for text in [
            "",
            "*",
            "*.",
            "*.com",
            "*.0.0.1",
            "a*.example.com",
            "https://example.com",
            "example.com/",
            "a b",
            "x:0",
            "*.1.2.3.4",
        ] {
            assert!(!PushServices::is_entry(text), "{text}");
        }
        for text in [
            "example.com",
            "localhost:8443",
            "127.0.0.1:8443",
            "[::1]:8443",
            "*.example.com",
            "*.example.com:8443",
        ] {
            assert!(PushServices::is_entry(text), "{text}");
        }
    }
}

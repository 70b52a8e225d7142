//! Where a push service takes pushes for one subscription.

use std::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// The port of https.
pub(crate) const HTTPS_PORT: u16 = 443;

const SCHEME: &str = "https://";

/// Why a text is not the endpoint of a push service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidEndpoint {
    /// It is no URL with the scheme https, in lower case.
    #[error("the endpoint does not begin with https://")]
    NotHttps,
    /// There is no host, or none that can be asked for, or somebody is to log in there.
    #[error("the endpoint has no host name or address that can be connected to")]
    Host,
    /// The port is no number of a port.
    #[error("the endpoint has a port that is none")]
    Port,
    /// There is no path, or a character that a URL does not have, or a fragment, or parameters in the path.
    #[error("the endpoint is not a URL of a push service")]
    Path,
}

/// The URL of a push resource (RFC 8030, section 2). It is read more strictly than browsers read URLs, so that nobody else can
/// read another host in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    host: String,
    is_address: bool,
    port: u16,
    /// From its `/` on.
    path: String,
}

impl Endpoint {
    /// # Errors
    ///
    /// The text is no such URL.
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidEndpoint> {
        Self::parse_rest(url.strip_prefix(SCHEME).ok_or(InvalidEndpoint::NotHttps)?)
    }

    /// As [`Endpoint::parse`], for a URL without its scheme.
    pub(crate) fn parse_rest(rest: &str) -> Result<Self, InvalidEndpoint> {
        let slash = rest.find('/').ok_or(InvalidEndpoint::Path)?;
        let (authority, path) = rest.split_at(slash);
        if !is_path(path) {
            return Err(InvalidEndpoint::Path);
        }
        let (host, port) = split_port(authority)?;
        let (host, is_address) = parse_host(host).ok_or(InvalidEndpoint::Host)?;
        Ok(Endpoint { host, is_address, port: port.unwrap_or(HTTPS_PORT), path: path.to_owned() })
    }

    /// The host, an address of IPv6 without its brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn is_address(&self) -> bool {
        self.is_address
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The whole URL without its scheme.
    pub(crate) fn rest(&self) -> String {
        self.authority() + &self.path
    }

    /// The whole URL.
    pub(crate) fn url(&self) -> String {
        SCHEME.to_owned() + &self.rest()
    }

    /// The origin (RFC 6454, section 6.2).
    pub(crate) fn origin(&self) -> String {
        SCHEME.to_owned() + &self.authority()
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == HTTPS_PORT { host } else { format!("{host}:{}", self.port) }
    }
}

/// Splits the port off a host.
///
/// # Errors
///
/// The port is no number from 1 to 65535.
pub(crate) fn split_port(authority: &str) -> Result<(&str, Option<u16>), InvalidEndpoint> {
    let end_of_address = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority.get(end_of_address..).and_then(|rest| rest.find(':')) else {
        return Ok((authority, None));
    };
    let (host, port) = authority.split_at(end_of_address + colon);
    let digits = port.trim_start_matches(':');
    let is_number = port.len() == digits.len() + 1 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| is_number && *port > 0).ok_or(InvalidEndpoint::Port)?;
    Ok((host, Some(port)))
}

/// Reads a host. Returns it in its usual form, and whether it is an address.
pub(crate) fn parse_host(host: &str) -> Option<(String, bool)> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().ok().map(|address| (address.to_string(), true));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some((address.to_string(), true));
    }
    is_name(host).then(|| (host.to_ascii_lowercase(), false))
}

/// A name that is looked up in the DNS. Its last label does not begin with a digit: there are programs that would take the name
/// for an address.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let is_in = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_in)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253
        && host.split('.').all(is_label)
        && host
            .rsplit('.')
            .next()
            .is_some_and(|last| last.starts_with(|first: char| first.is_ascii_alphabetic()))
}

/// A path and a query. No `;` in the path: Prosody would leave out what follows it.
fn is_path(path: &str) -> bool {
    let is_in_url = |byte: u8| byte.is_ascii_graphic() && !br##""#<>\^`{|}"##.contains(&byte);
    path.bytes().all(is_in_url) && !path.split('?').next().is_some_and(|path| path.contains(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_push_services_are_endpoints() {
        for (url, host, port, origin) in [
            (
                "https://fcm.googleapis.com/fcm/send/dX:AP-_9",
                "fcm.googleapis.com",
                443,
                "https://fcm.googleapis.com",
            ),
            (
                "https://UPDATES.example.com:443/wpush/v2/g",
                "updates.example.com",
                443,
                "https://updates.example.com",
            ),
            (
                "https://a.notify.windows.com/w/?token=B%2b;x",
                "a.notify.windows.com",
                443,
                "https://a.notify.windows.com",
            ),
            ("https://127.0.0.1:8443/p", "127.0.0.1", 8443, "https://127.0.0.1:8443"),
            ("https://[::1]:8443/p", "::1", 8443, "https://[::1]:8443"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!((endpoint.host(), endpoint.port(), endpoint.origin().as_str()), (host, port, origin));
            assert_eq!(Endpoint::parse(&endpoint.url()), Ok(endpoint));
        }
    }

    #[test]
    fn nothing_else_is_one() {
        use InvalidEndpoint::{Host, NotHttps, Path, Port};
        for (url, why) in [
            ("", NotHttps),
            ("http://example.com/p", NotHttps),
            ("HTTPS://example.com/p", NotHttps),
            (" https://example.com/p", NotHttps),
            ("javascript:alert(1)", NotHttps),
            ("https://example.com", Path),
            ("https://example.com?x", Path),
            ("https://example.com/a b", Path),
            ("https://example.com/a\r\nX: y", Path),
            ("https://example.com/\u{e4}", Path),
            ("https://example.com/a\\b", Path),
            ("https://example.com/p#fragment", Path),
            ("https://example.com/p;x", Path),
            ("https:///p", Host),
            ("https://user@example.com/p", Host),
            ("https://fcm.googleapis.com\\@example.com/p", Host),
            ("https://example.com./p", Host),
            ("https://exa_mple.com/p", Host),
            ("https://-example.com/p", Host),
            ("https://m\u{fc}nchen.example/p", Host),
            ("https://127.1/p", Host),
            ("https://2130706433/p", Host),
            ("https://0x7f000001/p", Host),
            ("https://127.0.0.1.2/p", Host),
            ("https://[::1/p", Port),
            ("https://::1/p", Port),
            ("https://[fe80::1%25eth0]/p", Host),
            ("https://user:pass@example.com/p", Port),
            ("https://example.com:/p", Port),
            ("https://example.com:0/p", Port),
            ("https://example.com:65536/p", Port),
            ("https://example.com:+44/p", Port),
            ("https://example.com::443/p", Port),
        ] {
            assert_eq!(Endpoint::parse(url), Err(why), "{url}");
        }
    }
}

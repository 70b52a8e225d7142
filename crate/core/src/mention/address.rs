//! The address that a mention is made to.

use std::borrow::Cow;

use caseless::Caseless;
use jid::{DomainPart, NodePart};
use unicode_normalization::UnicodeNormalization;

use super::folding;

/// Three parts of 1023 octets and what separates them (RFC 7622 §3.1)
const ADDRESS_MAX: usize = 3 * 1023 + 2;

/// The longest label of a domain as somebody may write it, in bytes: 63 in its ASCII form (RFC 1035 §2.3.4), which is the
/// shorter one at most by what a letter of it stands for.
const LABEL_MAX: usize = 4 * 63;

/// A JID as a client wrote it ([RFC 7622 §3]), split but not yet prepared.
///
/// A member or a room is known by the JID that *Prosody* prepared. The `jid` crate has tables of its own and
/// is stricter, about domains above all, so it cannot tell alone who is meant: an address is compared in two
/// forms, and what the crate refuses is compared without it.
///
/// [RFC 7622 §3]: https://www.rfc-editor.org/rfc/rfc7622#section-3
#[derive(Debug)]
pub(super) struct Address<'a> {
    local: Option<&'a str>,
    domain: &'a str,
    resource: Option<&'a str>,
}

impl<'a> Address<'a> {
    /// Splits `text` at the separators; nothing where a part that is announced is empty.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > ADDRESS_MAX {
            return None;
        }
        let (bare, resource) = match text.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let (local, domain) = match bare.split_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, bare),
        };
        // RFC 7622 §3.2: a trailing dot is not part of the domain.
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        let is_void = |part: Option<&str>| part.is_some_and(str::is_empty);
        if domain.is_empty() || domain.contains('@') || is_void(local) || is_void(resource) {
            return None;
        }
        Some(Self { local, domain, resource })
    }

    /// The bare JID as it is, and prepared: by the `jid` crate, or, where that refuses a part, with the
    /// mappings of Nodeprep and Nameprep but none of their prohibitions.
    pub(super) fn bare_forms(&self) -> [String; 2] {
        let local =
            self.local.map(|local| NodePart::new(local).map_or_else(|_| map(local), |node| node.to_string()));
        // Decoding a label takes long where it is long, and no domain has such a label.
        let is_plausible = self.domain.split('.').all(|label| label.len() <= LABEL_MAX);
        let domain =
            Some(self.domain).filter(|_| is_plausible).and_then(|domain| DomainPart::new(domain).ok());
        let domain = domain.map_or_else(|| map(self.domain), |domain| domain.to_string());
        [join(self.local, self.domain), join(local.as_deref(), &domain)]
    }

    /// The resource with the mappings of Resourceprep, which keeps upper and lower case apart.
    pub(super) fn resource(&self) -> Option<Cow<'a, str>> {
        self.resource.map(folding::prepare)
    }
}

/// Tables B.2 of Nodeprep and Nameprep: case folding, then NFKC
fn map(part: &str) -> String {
    part.chars().default_case_fold().nfkc().collect()
}

fn join(local: Option<&str>, domain: &str) -> String {
    match local {
        Some(local) => format!("{local}@{domain}"),
        None => domain.to_owned(),
    }
}

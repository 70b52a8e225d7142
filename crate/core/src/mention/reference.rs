//! References of the type `mention`.

use std::borrow::Cow;
use std::ops::Range;

use minidom::Element;
use percent_encoding::percent_decode_str;

use super::address::Address;
use crate::ns;
use crate::work;

/// What a `<reference type='mention'/>` points at ([XEP-0372 §3.2]).
///
/// A URI is worth more than a range: Converse.js counts its ranges before it replaces emoji shortnames, and
/// after that they point anywhere.
///
/// [XEP-0372 §3.2]: https://xmpp.org/extensions/xep-0372.html#usecase_mention
#[derive(Debug)]
pub(super) struct Reference<'a> {
    /// The addresses that its URI can mean, decoded; none where there is no URI that says whom it means
    pub(super) addresses: Vec<Cow<'a, str>>,
    /// `begin` and `end` in the body
    pub(super) range: Option<Range<usize>>,
}

impl<'a> Reference<'a> {
    /// Reads `element`, if it is a mention.
    pub(super) fn mention(element: &'a Element) -> Option<Self> {
        if !element.is("reference", ns::REFERENCE) || element.attr("type") != Some("mention") {
            return None;
        }
        let position = |name: &str| element.attr(name)?.trim().parse().ok();
        // With an anchor (§3.4) the range is in the body of another message.
        let range = match (position("begin"), position("end")) {
            (Some(begin), Some(end)) if element.attr("anchor").is_none() => Some(begin..end),
            _ => None,
        };
        Some(Self { addresses: element.attr("uri").map(addresses).unwrap_or_default(), range })
    }
}

/// The addresses that an `xmpp:` URI can mean ([RFC 5122 §2.2]), percent-decoded.
///
/// What follows a `?` or `#` is not part of an address. But Converse.js makes its URIs with `encodeURI()`,
/// which leaves these as they are in a nickname, so with them it is one more address.
///
/// [RFC 5122 §2.2]: https://www.rfc-editor.org/rfc/rfc5122#section-2.2
fn addresses(uri: &str) -> Vec<Cow<'_, str>> {
    work::count(uri.len());
    let Some(whole) = path(uri) else { return Vec::new() };
    let path = whole.split(['?', '#']).next().unwrap_or_default();
    let unescaped = (path != whole && path.contains('/')).then_some(whole);
    [Some(path), unescaped]
        .into_iter()
        .flatten()
        .filter_map(|text| percent_decode_str(text).decode_utf8().ok())
        .filter(|text| Address::parse(text).is_some())
        .collect()
}

/// What is left of an `xmpp:` URI without its scheme, and without the account to be used, if it names one:
/// `xmpp://account/path`.
fn path(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.trim().split_once(':')?;
    if !scheme.eq_ignore_ascii_case("xmpp") {
        return None;
    }
    match rest.strip_prefix("//") {
        Some(rest) => rest.split_once('/').map(|(_authority, path)| path),
        None => Some(rest),
    }
}

//! Base64 as the Push API and its RFCs have it: for URLs, and without padding (RFC 4648, section 5).

use base64ct::{Base64UrlUnpadded, Encoding};

/// The text of some bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// The bytes of a text; `None` where it is none of this kind. Padding at its end is passed over, as some libraries write it.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text.trim_end_matches('=')).ok()
}

/// As many bytes as are asked for.
pub(crate) fn decode_exactly<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    decode(text)?.try_into().ok()
}

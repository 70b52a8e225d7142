//! A browser's push subscription (W3C Push API).

use p256::PublicKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use serde::Deserialize;
use thiserror::Error;

use crate::base64url;
use crate::endpoint::{Endpoint, InvalidEndpoint};

/// Length of the secret that a browser shares with its app server (RFC 8291, section 3.2).
pub(crate) const AUTH_LENGTH: usize = 16;
/// Length of a point of P-256 without its redundant half.
pub(crate) const COMPRESSED_LENGTH: usize = 33;
const UNCOMPRESSED_LENGTH: usize = 65;

/// Why something is not a push subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidSubscription {
    /// It is not the JSON that the Push API makes of one.
    #[error("this is not a subscription as PushSubscription.toJSON() gives it")]
    Json,
    /// Its endpoint is none.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// `p256dh` is no point of the curve P-256, uncompressed and in base64url.
    #[error("the key p256dh is not a public key for P-256")]
    Key,
    /// `auth` is not 16 bytes in base64url.
    #[error("the key auth is not 16 bytes")]
    Auth,
}

#[derive(Deserialize)]
struct Json {
    endpoint: String,
    keys: JsonKeys,
}

#[derive(Deserialize)]
struct JsonKeys {
    p256dh: String,
    auth: String,
}

/// A push subscription: where pushes are taken, and what they are encrypted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub(crate) endpoint: Endpoint,
    pub(crate) key: PublicKey,
    pub(crate) auth: [u8; AUTH_LENGTH],
}

impl Subscription {
    /// Reads what `PushSubscription.toJSON()` gives.
    ///
    /// # Errors
    ///
    /// It is no subscription.
    pub fn from_json(json: &str) -> Result<Self, InvalidSubscription> {
        let Json { endpoint, keys } = serde_json::from_str(json).map_err(|_| InvalidSubscription::Json)?;
        Self::new(&endpoint, &keys.p256dh, &keys.auth)
    }

    /// The subscription with these fields; the keys are in base64url.
    ///
    /// # Errors
    ///
    /// They are not those of a subscription.
    pub fn new(endpoint: &str, p256dh: &str, auth: &str) -> Result<Self, InvalidSubscription> {
        let endpoint = Endpoint::parse(endpoint)?;
        let point =
            base64url::decode_exactly::<UNCOMPRESSED_LENGTH>(p256dh).ok_or(InvalidSubscription::Key)?;
        let key = PublicKey::from_sec1_bytes(&point).map_err(|_| InvalidSubscription::Key)?;
        let auth = base64url::decode_exactly(auth).ok_or(InvalidSubscription::Auth)?;
        Ok(Subscription { endpoint, key, auth })
    }

    /// As bytes: the key, the secret, and the endpoint without its scheme.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [self.key.to_sec1_point(true).as_bytes(), &self.auth, self.endpoint.rest().as_bytes()].concat()
    }

    /// The subscription that was turned into these bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (key, rest) = bytes.split_at_checked(COMPRESSED_LENGTH)?;
        let (auth, endpoint) = rest.split_at_checked(AUTH_LENGTH)?;
        Some(Subscription {
            endpoint: Endpoint::parse_rest(str::from_utf8(endpoint).ok()?).ok()?,
            key: PublicKey::from_sec1_bytes(key).ok()?,
            auth: auth.try_into().ok()?,
        })
    }
}

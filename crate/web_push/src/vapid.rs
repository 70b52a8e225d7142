//! How an app server says who it is (VAPID, RFC 8292).

use std::collections::HashMap;

use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToSec1Point;
use serde::Serialize;

use crate::base64url;

/// How long a token is good for. A day is the most that push services take (RFC 8292, section 2), and their clocks are not ours.
const SECONDS_GOOD: u64 = 23 * 60 * 60;
/// How long a token is used, so that it still is good when it arrives.
const SECONDS_USED: u64 = 12 * 60 * 60;
/// As many push services have a token at a time.
const MAX_TOKENS: usize = 256;

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    exp: u64,
    sub: &'a str,
}

struct Token {
    text: String,
    signed: u64,
}

/// An app server's pair of keys, with the tokens that were signed with it.
pub(crate) struct Vapid {
    key: SigningKey,
    public_key: String,
    contact: String,
    /// By the origin that they are for.
    tokens: HashMap<String, Token>,
}

impl Vapid {
    /// contact: a URI at which whoever runs the app server can be reached.
    pub(crate) fn new(key: &SecretKey, contact: String) -> Self {
        let public_key = base64url::encode(key.public_key().to_sec1_point(false).as_bytes());
        Vapid { key: SigningKey::from(key), public_key, contact, tokens: HashMap::new() }
    }

    /// What a page hands over as `applicationServerKey`.
    pub(crate) fn public_key(&self) -> &str {
        &self.public_key
    }

    /// What stands in the header `Authorization` (RFC 8292, section 3) of requests to an origin.
    ///
    /// unix_time: in seconds
    pub(crate) fn authorization(&mut self, origin: &str, unix_time: u64) -> String {
        let is_usable = |token: &Token| (token.signed..token.signed + SECONDS_USED).contains(&unix_time);
        if !self.tokens.get(origin).is_some_and(is_usable) {
            if self.tokens.len() >= MAX_TOKENS {
                self.tokens.clear();
            }
            let token = Token { text: self.sign(origin, unix_time + SECONDS_GOOD), signed: unix_time };
            self.tokens.insert(origin.to_owned(), token);
        }
        let token = self.tokens.get(origin).map_or("", |token| &token.text);
        format!("vapid t={token}, k={}", self.public_key)
    }

    /// Forgets the token for an origin, which has not liked it.
    pub(crate) fn forget(&mut self, origin: &str) {
        self.tokens.remove(origin);
    }

    fn sign(&self, origin: &str, expires: u64) -> String {
        let claims = Claims { aud: origin, exp: expires, sub: &self.contact };
        // Numbers and texts can always be written.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let signed =
            [base64url::encode(br#"{"typ":"JWT","alg":"ES256"}"#), base64url::encode(&claims)].join(".");
        let signature: Signature = self.key.sign(signed.as_bytes());
        [signed, base64url::encode(&signature.to_bytes())].join(".")
    }
}

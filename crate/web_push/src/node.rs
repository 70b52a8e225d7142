//! Nodes (XEP-0357): subscriptions that are sealed, so that nothing of them has to be stored, and nobody but this app server can
//! make or read one.
//!
//! The node of a subscription is always the same. A browser that subscribes again is no further device.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Payload};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base64url;
use crate::subscription::Subscription;

/// The longest node, in bytes of its text.
pub const MAX_NODE: usize = 1024;

/// The first byte of a node: says how it is made, and with which of the app server's keys.
const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 16;
/// As many bytes as make a text of 32 characters, the longest topic (RFC 8030, section 5.4).
const TOPIC_LENGTH: usize = 24;

/// What nodes are sealed with, and what else is derived from the same key.
pub(crate) struct NodeKeys {
    cipher: Aes256Gcm,
    nonce: Hmac<Sha256>,
    secret: Hmac<Sha256>,
    topic: Hmac<Sha256>,
}

impl NodeKeys {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let derived = Hkdf::<Sha256>::new(None, key);
        NodeKeys {
            cipher: Aes256Gcm::new(&subkey::<32>(&derived, "node").into()),
            nonce: keyed(&derived, "nonce"),
            secret: keyed(&derived, "secret"),
            topic: keyed(&derived, "topic"),
        }
    }

    /// The node of a subscription; `None` where its endpoint is too long for one.
    pub(crate) fn seal(&self, subscription: &Subscription) -> Option<String> {
        let plain = subscription.to_bytes();
        // A nonce is never used for two subscriptions, as it is made from the subscription.
        let nonce: [u8; NONCE_LENGTH] = first(&self.nonce, &plain);
        let sealed = self.cipher.encrypt(&nonce.into(), Payload { msg: &plain, aad: &[VERSION] }).ok()?;
        let node = base64url::encode(&[&[VERSION], nonce.as_slice(), &sealed].concat());
        (node.len() <= MAX_NODE).then_some(node)
    }

    /// The subscription that a node is; `None` where this app server has not made it.
    pub(crate) fn open(&self, node: &str) -> Option<Subscription> {
        if node.len() > MAX_NODE {
            return None;
        }
        let bytes = base64url::decode(node)?;
        let (version, rest) = bytes.split_first()?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LENGTH)?;
        let nonce: [u8; NONCE_LENGTH] = nonce.try_into().ok()?;
        if *version != VERSION {
            return None;
        }
        let plain = self.cipher.decrypt(&nonce.into(), Payload { msg: sealed, aad: &[VERSION] }).ok()?;
        Subscription::from_bytes(&plain)
    }

    /// What proves, together with a node, that it was given to whoever publishes to it.
    pub(crate) fn secret(&self, node: &str) -> String {
        base64url::encode(&first::<SECRET_LENGTH>(&self.secret, node.as_bytes()))
    }

    /// Whether this is the secret of a node. Takes as long whatever is wrong with it.
    pub(crate) fn is_secret(&self, node: &str, secret: &str) -> bool {
        let Some(secret) = base64url::decode_exactly::<SECRET_LENGTH>(secret) else { return false };
        self.secret.clone().chain_update(node.as_bytes()).verify_truncated_left(&secret).is_ok()
    }

    /// What stands for something towards push services, which do not learn what that is.
    pub(crate) fn topic(&self, of: &str) -> String {
        base64url::encode(&first::<TOPIC_LENGTH>(&self.topic, of.as_bytes()))
    }
}

fn subkey<const LENGTH: usize>(derived: &Hkdf<Sha256>, purpose: &str) -> [u8; LENGTH] {
    let mut key = [0; LENGTH];
    let info = ["web_push_app_server ", purpose].concat();
    // Only a key of more than 255 blocks is too long.
    let _ = derived.expand(info.as_bytes(), &mut key);
    key
}

/// A code whose key is as long as a block of SHA-256.
fn keyed(derived: &Hkdf<Sha256>, purpose: &str) -> Hmac<Sha256> {
    Hmac::new(&subkey::<64>(derived, purpose).into())
}

/// The first bytes of a code for some data.
fn first<const LENGTH: usize>(code: &Hmac<Sha256>, data: &[u8]) -> [u8; LENGTH] {
    let full: [u8; 32] = code.clone().chain_update(data).finalize().into_bytes().into();
    let mut bytes = [0; LENGTH];
    bytes.iter_mut().zip(full).for_each(|(byte, from)| *byte = from);
    bytes
}

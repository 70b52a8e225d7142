//! The keys of an app server, which outlive everything else of it.

use p256::SecretKey;
use thiserror::Error;

use crate::base64url;

/// Why something is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The key that identifies the app server (RFC 8292) is no private key of P-256.
    #[error("the VAPID key is not a private key for P-256")]
    Vapid,
    /// The key that nodes are sealed with is not 32 bytes.
    #[error("the key that nodes are sealed with is not 32 bytes")]
    Node,
}

/// The keys of an app server. They are made of random bytes, and stored as text.
#[derive(Clone)]
pub struct Keys {
    pub(crate) vapid: SecretKey,
    pub(crate) node: [u8; 32],
}

impl Keys {
    /// Keys of random bytes.
    ///
    /// # Errors
    ///
    /// One time in four billions, the bytes for the first one are no private key: others have to be taken.
    pub fn from_random(vapid: [u8; 32], node: [u8; 32]) -> Result<Self, KeyError> {
        let vapid = SecretKey::from_slice(&vapid).map_err(|_| KeyError::Vapid)?;
        Ok(Keys { vapid, node })
    }

    /// Keys as they were stored.
    ///
    /// # Errors
    ///
    /// They are none.
    pub fn from_text(vapid: &str, node: &str) -> Result<Self, KeyError> {
        let vapid = base64url::decode_exactly(vapid).ok_or(KeyError::Vapid)?;
        let node = base64url::decode_exactly(node).ok_or(KeyError::Node)?;
        Self::from_random(vapid, node)
    }

    /// The keys as they are stored: that of VAPID, and that of nodes.
    pub fn to_text(&self) -> (String, String) {
        (base64url::encode(&self.vapid.to_bytes()), base64url::encode(&self.node))
    }
}

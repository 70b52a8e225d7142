//! The encryption of what a push says, for the browser alone (RFC 8291, with the coding `aes128gcm` of RFC 8188).

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{Aead, KeyInit};
use hkdf::Hkdf;
use p256::SecretKey;
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::Sha256;

use crate::keys::KeyError;
use crate::subscription::Subscription;

/// All that push services take is 4,096 bytes (RFC 8030, section 7.2): with a header of 86 bytes, a delimiter, and a tag of 16,
/// these are left.
pub const MAX_PLAINTEXT: usize = 4096 - 86 - 1 - 16;

/// The record size: one record has all of it.
const RECORD_SIZE: u32 = 4096;
/// Says that no record follows (RFC 8188, section 2).
const LAST_RECORD: u8 = 2;

/// What is new for each push: a pair of keys, and a salt.
pub struct Ephemeral {
    key: SecretKey,
    salt: [u8; 16],
}

impl Ephemeral {
    /// That of random bytes.
    ///
    /// # Errors
    ///
    /// One time in four billions, the bytes for the key are none: others have to be taken.
    pub fn from_random(key: [u8; 32], salt: [u8; 16]) -> Result<Self, KeyError> {
        Ok(Ephemeral { key: SecretKey::from_slice(&key).map_err(|_| KeyError::Vapid)?, salt })
    }
}

/// The body of a push: a text, encrypted for a subscription. With `padded_length`, texts that are not longer all give bodies of
/// the same length. `None` where it is too long.
pub fn encrypt(
    subscription: &Subscription,
    plaintext: &[u8],
    padded_length: usize,
    ephemeral: &Ephemeral,
) -> Option<Vec<u8>> {
    if plaintext.len().max(padded_length) > MAX_PLAINTEXT {
        return None;
    }
    let receiver_key = subscription.key.to_sec1_point(false);
    let sender_key = ephemeral.key.public_key().to_sec1_point(false);
    let shared = diffie_hellman(ephemeral.key.to_nonzero_scalar(), subscription.key.as_affine());

    // RFC 8291, section 3.4
    let info = [b"WebPush: info\0", receiver_key.as_bytes(), sender_key.as_bytes()].concat();
    let secret: [u8; 32] = derive(&subscription.auth, shared.raw_secret_bytes(), &info)?;
    let content_key: [u8; 16] = derive(&ephemeral.salt, &secret, b"Content-Encoding: aes128gcm\0")?;
    let nonce: [u8; 12] = derive(&ephemeral.salt, &secret, b"Content-Encoding: nonce\0")?;

    let mut record = plaintext.to_vec();
    record.push(LAST_RECORD);
    record.resize(record.len().max(padded_length + 1), 0);
    let encrypted = Aes128Gcm::new(&content_key.into()).encrypt(&nonce.into(), record.as_slice()).ok()?;

    // RFC 8188, section 2.1
    let key_length = u8::try_from(sender_key.as_bytes().len()).ok()?;
    let parts: [&[u8]; 5] =
        [&ephemeral.salt, &RECORD_SIZE.to_be_bytes(), &[key_length], sender_key.as_bytes(), &encrypted];
    Some(parts.concat())
}

/// HKDF (RFC 5869).
fn derive<const LENGTH: usize>(salt: &[u8], material: &[u8], info: &[u8]) -> Option<[u8; LENGTH]> {
    let mut key = [0; LENGTH];
    Hkdf::<Sha256>::new(Some(salt), material).expand(info, &mut key).ok()?;
    Some(key)
}

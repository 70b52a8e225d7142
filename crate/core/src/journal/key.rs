//! What devices are called in the journal: by hashes, which are short and all have the same length.

use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

/// What the names of devices are hashed under. Nobody knows it who can choose a name, so no two names can be made to have the
/// same hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u128);

impl Key {
    /// A key of 128 bits that nobody can guess.
    pub(crate) fn new(secret: [u8; 16]) -> Self {
        Key(u128::from_be_bytes(secret))
    }

    /// What a user is called.
    pub(crate) fn hash_user(self, user: &str) -> UserHash {
        self.hasher_of(user).1
    }

    /// What the device of a user is called; its push identifier comes in pieces. It is empty where something stands for all of
    /// the user's devices.
    pub(crate) fn hash<'a>(self, user: &str, push_identifier: impl IntoIterator<Item = &'a str>) -> NameHash {
        let (mut hasher, user) = self.hasher_of(user);
        // In no text.
        hasher.write_u8(0xff);
        let mut is_empty = true;
        for piece in push_identifier {
            is_empty &= piece.is_empty();
            hasher.write(piece.as_bytes());
        }
        let device = if is_empty { OF_STAND_IN } else { (hasher.finish() as u32).max(1) };
        NameHash { user, device: DeviceHash(device) }
    }

    #[expect(
        deprecated,
        reason = "it is the only hasher here that is the same in all versions, and takes a key"
    )]
    fn hasher_of(self, user: &str) -> (std::hash::SipHasher, UserHash) {
        let mut hasher = std::hash::SipHasher::new_with_keys((self.0 >> 64) as u64, self.0 as u64);
        hasher.write(user.as_bytes());
        let user = UserHash(hasher.finish());
        (hasher, user)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// This is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoKey;

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let is_key = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let key = is_key.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        key.map(Key).ok_or(NoKey)
    }
}

/// What a user is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct UserHash(u64);

/// What a device is called among those of its user. There it tells enough of them apart with half the bits: where two have the
/// same one after all, they are the same user's, and each is told what the journal says of the other too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DeviceHash(u32);

/// That of what stands for all devices of a user, and of nothing else.
const OF_STAND_IN: u32 = 0;

impl DeviceHash {
    /// Whether it is that of what stands for all devices of a user.
    pub(crate) fn is_of_stand_in(self) -> bool {
        self.0 == OF_STAND_IN
    }
}

/// What a device is called: in two parts, so that its user is found where the device is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NameHash {
    user: UserHash,
    device: DeviceHash,
}

/// The digits of the alphabet that is safe in file names too (RFC 4648, section 5).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl NameHash {
    /// How many characters one takes: just as many as 12 bytes need.
    pub(crate) const LENGTH: usize = 16;

    /// What its user is called.
    pub(crate) fn user(self) -> UserHash {
        self.user
    }

    /// What it is called among the devices of its user.
    pub(crate) fn device(self) -> DeviceHash {
        self.device
    }

    /// Appends it to a text.
    pub(crate) fn append_to(self, text: &mut String) {
        let mut bits = u128::from(self.user.0) << 32 | u128::from(self.device.0);
        let mut digits = [0; Self::LENGTH];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(bits & 63) as usize];
            bits >>= 6;
        }
        text.extend(digits.map(char::from));
    }

    /// Those that a text consists of; `None` for what is none.
    pub(crate) fn all_of(text: &str) -> impl Iterator<Item = Option<Self>> {
        text.as_bytes().chunks(Self::LENGTH).map(Self::parse)
    }

    fn parse(digits: &[u8]) -> Option<Self> {
        let value = |bits: u128, digit: &u8| {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            };
            Some(bits << 6 | u128::from(value))
        };
        let bits = digits.iter().try_fold(0, value).filter(|_| digits.len() == Self::LENGTH)?;
        let (user, device) = (UserHash((bits >> 32) as u64), DeviceHash(bits as u32));
        Some(NameHash { user, device })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new(std::array::from_fn(|index| index as u8))
    }

    fn name(user: u64, device: u32) -> NameHash {
        NameHash { user: UserHash(user), device: DeviceHash(device) }
    }

    #[test]
    fn a_name_has_the_same_hash_in_every_version() {
        let hash = key().hash("juliet@capulet.example", ["push.example", "<", "phone"]);
        assert_eq!(hash, key().hash("juliet@capulet.example", ["push.example<phone"]), "in pieces or not");
        // As SipHash-2-4 has it.
        assert_eq!(hash, name(2_042_273_691_976_995_453, 1_639_379_712), "it is stored");
    }

    #[test]
    fn another_name_or_key_has_another_hash() {
        let hash = key().hash("ab", ["c"]);
        for other in [key().hash("a", ["bc"]), key().hash("abc", [""]), Key::new([1; 16]).hash("ab", ["c"])] {
            assert_ne!(hash, other);
            assert_ne!(hash.user(), other.user());
        }
        assert_ne!(hash.device(), key().hash("ba", ["c"]).device(), "nobody can be asked for what it is");
    }

    #[test]
    fn the_devices_of_a_user_have_one_hash_of_it() {
        let (phone, tablet) = (key().hash("ab", ["phone"]), key().hash("ab", ["tablet"]));
        assert_ne!(phone, tablet);
        for device in [phone, tablet, key().hash("ab", [""])] {
            assert_eq!(device.user(), key().hash_user("ab"));
        }
    }

    #[test]
    fn only_what_stands_for_all_devices_has_its_hash() {
        assert!(key().hash("ab", [""]).device().is_of_stand_in());
        for number in 0..1000 {
            assert!(!key().hash("ab", [number.to_string().as_str()]).device().is_of_stand_in());
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let hashes = [0, 1, u64::MAX, 1 << 63, 0x0123_4567_89ab_cdef];
        let hashes = hashes.map(|bits| name(bits, bits.rotate_left(7) as u32));
        let mut text = String::new();
        hashes.iter().for_each(|hash| hash.append_to(&mut text));
        assert_eq!(text.len(), hashes.len() * NameHash::LENGTH);
        assert_eq!(NameHash::all_of(&text).collect::<Vec<_>>(), hashes.map(Some));
        assert_eq!(key().to_string().parse(), Ok(key()));
        for no_key in ["", "0", &"g".repeat(32), &"\u{e9}".repeat(16), &"+1".repeat(16)] {
            assert_eq!(no_key.parse::<Key>(), Err(NoKey));
        }
    }

    #[test]
    fn what_is_no_hash_is_none() {
        let mut text = String::new();
        name(7, 9).append_to(&mut text);
        for (bad, hashes) in
            [("AAAAAAAAAAA", 1), ("short", 1), ("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", 1)]
        {
            let all: Vec<_> = NameHash::all_of(bad).collect();
            assert_eq!(all, vec![None; hashes], "{bad}");
        }
        let mixed: Vec<_> = NameHash::all_of(&format!("{text}!!")).collect::<Vec<_>>();
        assert_eq!(mixed, [Some(name(7, 9)), None]);
    }
}

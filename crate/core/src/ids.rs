//! The ids under which the engine keeps its things. An id of what is gone finds nothing, and is never given again.

use std::fmt;
use std::str::FromStr;

use slotmap::{Key, KeyData, new_key_type};

new_key_type! {
    /// A user who has a device.
    pub(crate) struct UserId;
    /// A device of a user: one registration.
    pub struct DeviceId;
    /// A room.
    pub(crate) struct RoomId;
}

impl DeviceId {
    /// The id as a number, for callers that cannot hold an id.
    pub fn number(self) -> u64 {
        self.data().as_ffi()
    }

    /// The id that has this number.
    pub fn from_number(number: u64) -> Self {
        KeyData::from_ffi(number).into()
    }
}

/// The id of a publish: the device it goes to, and a secret that makes it unique and not to be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PushId {
    device: DeviceId,
    /// 128 bits of randomness.
    secret: [u8; 16],
}

impl PushId {
    pub(crate) fn new(device: DeviceId, secret: [u8; 16]) -> Self {
        PushId { device, secret }
    }

    /// The device that the publish goes to.
    pub fn device(self) -> DeviceId {
        self.device
    }
}

impl fmt::Display for PushId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}{:032x}", self.device.number(), u128::from_be_bytes(self.secret))
    }
}

/// This is no id of a publish of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of a publish")]
pub struct ForeignId;

impl FromStr for PushId {
    type Err = ForeignId;

    fn from_str(id: &str) -> Result<Self, ForeignId> {
        // Only what we write ourselves: no upper case, no sign.
        if id.len() != 48 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ForeignId);
        }
        let (device, secret) = id.split_at_checked(16).ok_or(ForeignId)?;
        let device = u64::from_str_radix(device, 16).map_err(|_| ForeignId)?;
        let secret = u128::from_str_radix(secret, 16).map_err(|_| ForeignId)?;
        Ok(PushId { device: DeviceId::from_number(device), secret: secret.to_be_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = PushId::new(DeviceId::from_number(0x1_0000_0002), [0xAB; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 48);
    }

    #[test]
    fn what_others_write_is_no_id() {
        let id = PushId::new(DeviceId::from_number(1), [1; 16]).to_string();
        for foreign in
            ["", "x", &id[1..], &format!("{id}0"), &id.replace('1', "g"), &format!("+{}", &id[1..])]
        {
            assert_eq!(foreign.parse::<PushId>(), Err(ForeignId), "{foreign}");
        }
        assert_eq!("\u{e9}".repeat(24).parse::<PushId>(), Err(ForeignId));
    }
}

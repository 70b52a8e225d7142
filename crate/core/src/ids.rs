//! The keys under which the engine keeps its things. A key of what is gone finds nothing.

use slotmap::{Key, KeyData, new_key_type};

new_key_type! {
    /// A user who has a device.
    pub struct UserId;
    /// A device of a user: one registration.
    pub struct DeviceId;
    /// A room.
    pub struct RoomId;
}

impl DeviceId {
    /// The key as a number, for those who cannot hold a key.
    pub fn number(self) -> u64 {
        self.data().as_ffi()
    }

    /// The key that has this number.
    pub fn from_number(number: u64) -> Self {
        KeyData::from_ffi(number).into()
    }
}

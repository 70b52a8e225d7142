//! The keys under which the engine keeps its things. A key of what is gone finds nothing.

use slotmap::new_key_type;

new_key_type! {
    /// A user who has a device.
    pub struct UserId;
    /// A device of a user: one registration.
    pub struct DeviceId;
    /// A room.
    pub struct RoomId;
}

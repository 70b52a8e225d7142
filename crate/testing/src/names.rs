//! The names that tests use: a service with two rooms, users, and an app server. Names of users and rooms are bare JIDs.

use muc_cloud_notify_core::RoomPrivacy;

/// The MUC service.
pub const HOST: &str = "conference.example";
/// A room of it.
pub const ORCHARD: &str = "orchard@conference.example";
/// Another one.
pub const HALL: &str = "hall@conference.example";
/// The user with a device, most often.
pub const JULIET: &str = "juliet@capulet.example";
/// The user that most messages are from.
pub const ROMEO: &str = "romeo@montague.example";
/// A third user.
pub const NURSE: &str = "nurse@capulet.example";
/// An app server.
pub const PUSHER: &str = "push.example";

/// A room that only members may enter and find.
pub const PRIVATE: RoomPrivacy = RoomPrivacy { members_only: true, public: false };
/// A room that anybody may enter and find.
pub const PUBLIC: RoomPrivacy = RoomPrivacy { members_only: false, public: true };

/// The push identifier of a node of [`PUSHER`].
pub fn push_identifier(node: &str) -> String {
    format!("{PUSHER}<{node}")
}

//! Which messages of a room a member wants to hear of (XEP-0492).

use serde::{Deserialize, Serialize};

/// Which messages of a room a member wants to hear of (XEP-0492, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotifyLevel {
    /// All of them.
    Always,
    /// Those that mention the member, or reply to them.
    OnMention,
    /// None.
    Never,
}

/// The level of members that have set none: the option `muc_push_default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultLevel {
    /// As XEP-0492 recommends: every message of a private room, mentions in a public one.
    Auto,
    /// Every message of every room.
    Always,
    /// Mentions, in every room.
    OnMention,
    /// Nothing of any room.
    Never,
}

/// What decides in [`DefaultLevel::Auto`]: the room's own configuration (XEP-0045, section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomPrivacy {
    /// Only members may enter.
    pub members_only: bool,
    /// The room is listed among the rooms of the service.
    pub public: bool,
}

impl DefaultLevel {
    /// The level in a room of this privacy.
    pub(crate) fn level(self, privacy: RoomPrivacy) -> NotifyLevel {
        match self {
            DefaultLevel::Auto if privacy.members_only || !privacy.public => NotifyLevel::Always,
            DefaultLevel::Auto | DefaultLevel::OnMention => NotifyLevel::OnMention,
            DefaultLevel::Always => NotifyLevel::Always,
            DefaultLevel::Never => NotifyLevel::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_on_mention_only_where_anybody_may_enter_and_find_the_room() {
        for (members_only, public, level) in [
            (false, true, NotifyLevel::OnMention),
            (true, true, NotifyLevel::Always),
            (false, false, NotifyLevel::Always),
            (true, false, NotifyLevel::Always),
        ] {
            assert_eq!(DefaultLevel::Auto.level(RoomPrivacy { members_only, public }), level);
        }
    }

    #[test]
    fn anything_else_is_the_same_everywhere() {
        for (members_only, public) in [(false, true), (true, false)] {
            let privacy = RoomPrivacy { members_only, public };
            assert_eq!(DefaultLevel::Always.level(privacy), NotifyLevel::Always);
            assert_eq!(DefaultLevel::OnMention.level(privacy), NotifyLevel::OnMention);
            assert_eq!(DefaultLevel::Never.level(privacy), NotifyLevel::Never);
        }
    }
}

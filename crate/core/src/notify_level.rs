//! Which messages of a room a member wants to hear of (XEP-0492).

use serde::Deserialize;

/// Which messages of a room a member wants to hear of (XEP-0492, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// All of them.
    Always,
    /// Those that mention the member, or reply to them.
    OnMention,
    /// None.
    Never,
}

/// The level of a member who has said nothing about it: the option `muc_push_default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultLevel {
    /// As XEP-0492 recommends: every message of a private room, mentions in a public one.
    Auto,
    /// [`Level::Always`] in every room.
    Always,
    /// [`Level::OnMention`] in every room.
    OnMention,
    /// [`Level::Never`] in every room.
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
    pub fn level(self, privacy: RoomPrivacy) -> Level {
        match self {
            DefaultLevel::Auto if privacy.members_only || !privacy.public => Level::Always,
            DefaultLevel::Auto | DefaultLevel::OnMention => Level::OnMention,
            DefaultLevel::Always => Level::Always,
            DefaultLevel::Never => Level::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_on_mention_only_where_anybody_may_enter_and_find_the_room() {
        for (members_only, public, level) in [
            (false, true, Level::OnMention),
            (true, true, Level::Always),
            (false, false, Level::Always),
            (true, false, Level::Always),
        ] {
            assert_eq!(DefaultLevel::Auto.level(RoomPrivacy { members_only, public }), level);
        }
    }

    #[test]
    fn anything_else_is_the_same_everywhere() {
        for (members_only, public) in [(false, true), (true, false)] {
            let privacy = RoomPrivacy { members_only, public };
            assert_eq!(DefaultLevel::Always.level(privacy), Level::Always);
            assert_eq!(DefaultLevel::OnMention.level(privacy), Level::OnMention);
            assert_eq!(DefaultLevel::Never.level(privacy), Level::Never);
        }
    }
}

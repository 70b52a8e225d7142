//! What a push says to the service worker.

use serde::Serialize;

use crate::encryption::MAX_PLAINTEXT;

/// Lengths that are told apart from outside: short and long ones look alike.
const PADDED_LENGTHS: [usize; 3] = [256, 1024, MAX_PLAINTEXT];

const ELLIPSIS: &str = "…";

/// How much of a message a notification shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Sender and text, as far as they were handed over.
    Full,
    /// The sender.
    Sender,
    /// Neither.
    None,
}

impl Content {
    /// The content of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "full" => Some(Content::Full),
            "sender" => Some(Content::Sender),
            "none" => Some(Content::None),
            _ => None,
        }
    }
}

/// What a publish says (XEP-0357, section 7), as JSON for the service worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// The service that has published.
    pub service: String,
    /// How many messages are unread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The bare JID of the room of the newest one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The nickname of its author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The id that the room's archive has given it (XEP-0359).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stanza_id: Option<String>,
    /// Whether it is important, as one that mentions the user.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub important: bool,
}

impl Notification {
    /// What is shown of it.
    pub(crate) fn with(mut self, content: Content) -> Self {
        if content != Content::Full {
            self.text = None;
        }
        if content == Content::None {
            self.sender = None;
        }
        self
    }

    /// As JSON, with as much of it as fits, and the length it is padded to.
    pub(crate) fn to_plaintext(&self) -> (Vec<u8>, usize) {
        let mut shown = self.clone();
        let mut json = shown.to_json();
        while json.len() > MAX_PLAINTEXT && shown.shorten(json.len() - MAX_PLAINTEXT) {
            json = shown.to_json();
        }
        let padded = PADDED_LENGTHS.into_iter().find(|length| json.len() <= *length).unwrap_or(json.len());
        (json, padded)
    }

    fn to_json(&self) -> Vec<u8> {
        // Numbers and texts can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Leaves out what can best be spared, if possible so many bytes of the JSON. Returns whether there was anything.
    fn shorten(&mut self, excess: usize) -> bool {
        if let Some(text) = self.text.take() {
            self.text = shortened(&text, excess + ELLIPSIS.len()).map(|text| text.to_owned() + ELLIPSIS);
            return true;
        }
        self.stanza_id.take().or_else(|| self.sender.take()).or_else(|| self.room.take()).is_some()
            || !std::mem::take(&mut self.service).is_empty()
    }
}

/// What is left of a text without the characters at its end that take so many bytes in JSON; `None` where nothing is.
fn shortened(text: &str, excess: usize) -> Option<&str> {
    let mut left_out = 0;
    let (end, _) = text.char_indices().rev().find(|(_, character)| {
        left_out += length_in_json(*character);
        left_out >= excess
    })?;
    text.get(..end).filter(|rest| !rest.is_empty())
}

fn length_in_json(character: char) -> usize {
    match character {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(text: &str) -> Notification {
        Notification {
            service: "conference.example.com".into(),
            count: Some(2),
            room: Some("den@conference.example.com".into()),
            sender: Some("Alice".into()),
            text: Some(text.into()),
            stanza_id: Some("id-1".into()),
            important: true,
        }
    }

    fn text_of(notification: &Notification) -> String {
        String::from_utf8(notification.to_plaintext().0).unwrap()
    }

    #[test]
    fn it_is_what_the_service_worker_reads() {
        assert_eq!(
            text_of(&notification("See you \"at\" 8 😀")),
            concat!(
                r#"{"service":"conference.example.com","count":2,"room":"den@conference.example.com","sender":"Alice","#,
                r#""text":"See you \"at\" 8 😀","stanza_id":"id-1","important":true}"#
            )
        );
        let bare = Notification { service: "conference.example.com".into(), ..Notification::default() };
        assert_eq!(text_of(&bare), r#"{"service":"conference.example.com"}"#);
    }

    #[test]
    fn it_shows_what_the_operator_wants_shown() {
        let full = notification("hello");
        assert_eq!(full.clone().with(Content::Full), full);
        assert_eq!(full.clone().with(Content::Sender), Notification { text: None, ..full.clone() });
        assert_eq!(full.clone().with(Content::None), Notification { text: None, sender: None, ..full });
    }

    #[test]
    fn it_is_padded_to_one_of_three_lengths() {
        for (length, padded) in
            [(0, 256), (60, 256), (300, 1024), (2000, MAX_PLAINTEXT), (5000, MAX_PLAINTEXT)]
        {
            assert_eq!(notification(&"x".repeat(length)).to_plaintext().1, padded);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_character() {
        for unit in ["x", "ä", "😀", "\"", "\u{1}", "e\u{301}"] {
            for length in [3700, 3800, 3900, 4000, 9000] {
                let long = notification(&unit.repeat(length / unit.len()));
                let (json, padded) = long.to_plaintext();
                assert!(json.len() <= MAX_PLAINTEXT && padded <= MAX_PLAINTEXT);
                let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
                assert_eq!(read["room"], "den@conference.example.com");
                let whole = long.text.unwrap();
                let text = read["text"].as_str().unwrap();
                assert!(
                    text == whole || text.strip_suffix(ELLIPSIS).is_some_and(|text| whole.starts_with(text))
                );
                // All that there is room for is there.
                assert!(text == whole || json.len() > MAX_PLAINTEXT - 6);
            }
        }
    }

    #[test]
    fn long_names_do_not_make_it_too_long() {
        let mut long = notification("hello");
        long.sender = Some("\"".repeat(1023));
        long.room = Some("x".repeat(2047));
        let (json, _) = long.to_plaintext();
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((read["count"].as_u64(), read["sender"].as_str()), (Some(2), None));
        long.room = Some("x".repeat(5000));
        long.service = "y".repeat(5000);
        assert_eq!(text_of(&long), r#"{"service":"","count":2,"important":true}"#);
    }
}

//! A push: the publish that tells an app server that a user missed something (XEP-0357, section 7).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::device::Content;
use crate::ids::DeviceId;

/// The id of a publish: the device it goes to, and what makes it unique and not to be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PushId {
    /// The device.
    pub device: DeviceId,
    /// 128 bits of randomness.
    pub secret: [u8; 16],
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

/// A publish that is to be sent now. Where it goes is known by its device: see
/// [`Engine::addressee`](crate::Engine::addressee).
#[derive(Debug, Clone)]
pub struct Push {
    /// The id of the IQ.
    pub id: PushId,
    /// What it says.
    pub summary: Summary,
    /// Whether one of the messages it stands for mentions the user.
    pub mentioned: bool,
    /// The message that other modules are to judge it by: one that mentions the user, if there is any, else
    /// the newest one; `None` where another module asked for a push without one.
    pub judged_by: Option<Arc<Content>>,
}

/// What a push says: the fields of the summary form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Summary {
    /// `message-count`: how many messages the user has missed, in all rooms of the service.
    pub message_count: u32,
    /// `last-message-sender`: the occupant JID of who wrote the newest one.
    pub last_message_sender: Option<Arc<str>>,
    /// `last-message-body`: its text, or a text in its place.
    pub last_message_body: Option<Arc<str>>,
}

impl Summary {
    /// The fields in the order of XEP-0357, section 7, without `FORM_TYPE`.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        let count = ("message-count", self.message_count.to_string());
        let sender =
            self.last_message_sender.iter().map(|sender| ("last-message-sender", sender.to_string()));
        let body = self.last_message_body.iter().map(|body| ("last-message-body", body.to_string()));
        std::iter::once(count).chain(sender).chain(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = PushId { device: DeviceId::from_number(0x1_0000_0002), secret: [0xAB; 16] };
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 48);
    }

    #[test]
    fn what_others_write_is_no_id() {
        let id = PushId { device: DeviceId::from_number(1), secret: [1; 16] }.to_string();
        for foreign in
            ["", "x", &id[1..], &format!("{id}0"), &id.replace('1', "g"), &format!("+{}", &id[1..])]
        {
            assert_eq!(foreign.parse::<PushId>(), Err(ForeignId), "{foreign}");
        }
        assert_eq!("\u{e9}".repeat(24).parse::<PushId>(), Err(ForeignId));
    }
}

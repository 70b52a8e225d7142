//! Messages that are taken back, and those that get another text.

use std::collections::BTreeSet;

use super::simulation::Simulation;
use super::world::{ROOMS, USERS};
use crate::names::PRIVATE;
use crate::stanza::xml;

/// How a message is changed.
#[derive(Debug, Clone, Copy)]
pub enum Revision {
    /// It is taken back.
    Retract,
    /// It gets another text.
    Correct,
}

/// Who changes it.
#[derive(Debug, Clone, Copy)]
pub enum Reviser {
    /// The user it is from.
    Author,
    /// This user.
    User(usize),
    /// The room, for a moderator.
    Room,
}

#[derive(Debug)]
struct Sent {
    room: usize,
    author: Option<usize>,
    text: String,
}

/// What was said, and what of it holds no more.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// The messages, from number 1.
    sent: Vec<Sent>,
    taken_back: BTreeSet<String>,
}

impl Texts {
    /// A new message. Returns its number, which is its text too.
    pub(super) fn add(&mut self, room: usize, author: Option<usize>) -> u32 {
        let number = self.sent.len() as u32 + 1;
        self.sent.push(Sent { room, author, text: number.to_string() });
        number
    }

    /// What a message says by now.
    pub(super) fn of(&self, message: u32) -> &str {
        &self.sent[message as usize - 1].text
    }

    /// Whether a text is one that nobody is to be told any more.
    pub(super) fn is_taken_back(&self, text: &str) -> bool {
        self.taken_back.contains(text)
    }
}

impl Simulation {
    /// One of the newest messages is to be changed. Only its author can do that; the room can take it back.
    pub(super) fn revise(&mut self, which: usize, reviser: Reviser, revision: Revision) {
        let newest = self.texts.sent.len();
        let Some(index) = newest.checked_sub(1 + which) else { return };
        let (message, Sent { room, author, .. }) = (index as u32 + 1, &self.texts.sent[index]);
        let (room, author) = (*room, *author);
        let sender = match reviser {
            Reviser::Author => author,
            Reviser::User(user) => Some(user),
            Reviser::Room => None,
        };
        let is_moderated = matches!(reviser, Reviser::Room) && matches!(revision, Revision::Retract);
        let counts = is_moderated || sender.is_some() && sender == author;
        if counts {
            self.revise_reference(room, message, revision);
        }
        self.broadcast_revision((room, message), sender, is_moderated, revision);
    }

    fn revise_reference(&mut self, room: usize, message: u32, revision: Revision) {
        let sent = &mut self.texts.sent[message as usize - 1];
        self.texts.taken_back.insert(sent.text.clone());
        match revision {
            Revision::Retract => self.devices.values_mut().for_each(|device| device.retract(room, message)),
            Revision::Correct => {
                sent.text.push('+');
                self.devices.values_mut().for_each(|device| device.correct(room, message));
            }
        }
    }

    fn broadcast_revision(
        &mut self,
        (room, message): (usize, u32),
        sender: Option<usize>,
        is_moderated: bool,
        revision: Revision,
    ) {
        let name = ROOMS[room];
        let from = if is_moderated { name.to_owned() } else { format!("{name}/Somebody") };
        let content = match revision {
            Revision::Retract if is_moderated => format!(
                "<retract xmlns='urn:xmpp:message-retract:1' id='s{message}'>\
                <moderated xmlns='urn:xmpp:message-moderate:1'/></retract>"
            ),
            Revision::Retract => format!("<retract xmlns='urn:xmpp:message-retract:1' id='s{message}'/>"),
            Revision::Correct => {
                let text = self.texts.of(message);
                format!("<replace xmlns='urn:xmpp:message-correct:0' id='m{message}'/><body>{text}</body>")
            }
        };
        let stanza = xml(&format!("<message type='groupchat' from='{from}' id='r'>{content}</message>"));
        let sender = sender.map(|sender| USERS[sender]);
        assert_eq!(self.service.broadcast_stanza(name, sender, PRIVATE, &stanza), 0);
    }
}

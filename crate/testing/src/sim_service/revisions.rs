//! Messages that are taken back by their authors or by the room, and those that get another text.

use minidom::Element;
use muc_cloud_notify_core::Broadcast;

use super::promises::Knowledge;
use super::simulation::{Killed, Simulation};
use super::texts::text_of;
use super::truth::Said;
use crate::names::{PRIVATE, PUBLIC};
use crate::stanza::xml;

/// A version that no message ever has.
const FORGED: u32 = 1_000_000;

/// Who changes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reviser {
    User(usize),
    /// The room, for a moderator.
    Room,
}

impl Simulation {
    /// Somebody changes one of the newest messages, or tries to: the author can do that, and the room can take it back.
    pub(super) fn revise(&mut self) -> Result<(), Killed> {
        if self.module.is_holding() || !self.settings.is_plain() || self.log.is_empty() {
            return Ok(());
        }
        let said = self.log[self.chance.below(self.log.len())].clone();
        let reviser = match (self.chance.below(5), said.sender) {
            (0, _) => Reviser::Room,
            (1, _) => Reviser::User(self.some_user()),
            (_, Some(author)) => Reviser::User(author),
            (_, None) => return Ok(()),
        };
        let is_retraction = reviser == Reviser::Room || self.chance.one_in(2);
        let counts = match reviser {
            Reviser::Room => true,
            Reviser::User(user) => said.sender == Some(user),
        };
        self.read_room(said.room)?;
        let version = if counts { self.texts.next_version(said.number) } else { FORGED };
        self.note(|| format!("{said:?} is revised by {reviser:?}, {is_retraction}, to {version}"));
        let message = revision_of(&said, &self.rooms[said.room], reviser, is_retraction, version);
        let name = self.rooms[said.room].clone();
        let sender = match reviser {
            Reviser::User(user) => Some(self.users[user].clone()),
            Reviser::Room => None,
        };
        let privacy = if self.truth.rooms[said.room].is_private { PRIVATE } else { PUBLIC };
        let broadcast = Broadcast {
            room: &name,
            sender: sender.as_deref(),
            reply_author: None,
            message: &message,
            privacy,
            keep_original: false,
            present: &[],
        };
        let told = self.fact(|driver| driver.handle_message(broadcast), |_| ())?;
        assert_eq!(told, 0, "nobody is told of {said:?} again");
        if counts {
            self.revisions += 1;
            self.texts.revise(said.number, is_retraction);
        }
        self.assert_revised(&said, counts && is_retraction);
        Ok(())
    }

    /// A message was taken back, or was to stay. Panics where that has become of it what must not.
    fn assert_revised(&mut self, said: &Said, is_taken_back: bool) {
        self.module.driver.now = self.now;
        let states = self.module.driver.snapshot().devices;
        let found: Vec<_> =
            states.iter().map(|state| (self.key_of(&state.user, &state.push_identifier), state)).collect();
        for (key, device) in &mut self.truth.devices {
            let state = found.iter().find(|(other, _)| other == key).map(|(_, state)| *state);
            let of_room = state.and_then(|it| it.unread.iter().find(|it| it.room == self.rooms[said.room]));
            let found = of_room.map_or(0, |it| it.count);
            let room = &mut device.rooms[said.room];
            let before = room.count;
            let is_less = found + 1 == before;
            let expected = match room.knowledge(said.number) {
                _ if !is_taken_back => found == before,
                Knowledge::Untold => is_less,
                Knowledge::Told => found == before,
                Knowledge::Unclear => is_less || found == before,
            };
            assert!(
                expected,
                "{key:?}, of {said:?}, which is taken back: {is_taken_back}: {found}, {room:?}"
            );
            if is_less {
                room.take_back(said.number);
            }
        }
    }
}

/// What changes a message, as the room sends it.
fn revision_of(said: &Said, room: &str, reviser: Reviser, is_retraction: bool, version: u32) -> Element {
    let number = said.number;
    let from = if reviser == Reviser::Room { room.to_owned() } else { format!("{room}/Somebody") };
    let content = match (is_retraction, reviser) {
        (true, Reviser::Room) => format!(
            "<retract xmlns='urn:xmpp:message-retract:1' id='s{number}'>\
            <moderated xmlns='urn:xmpp:message-moderate:1'/></retract>"
        ),
        (true, Reviser::User(_)) => format!("<retract xmlns='urn:xmpp:message-retract:1' id='s{number}'/>"),
        (false, _) => format!(
            "<replace xmlns='urn:xmpp:message-correct:0' id='i{number}'/><body>{}</body>",
            text_of(number, version)
        ),
    };
    xml(&format!("<message type='groupchat' from='{from}' id='r'>{content}</message>"))
}

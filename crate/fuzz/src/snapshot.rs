//! What is stored at a stop, as it may be found at a start.

use muc_cloud_notify_core::{
    DeviceState, DomainState, MessageState, NicknameState, Options, PendingState, Snapshot, StanzaIdsState,
    UnreadState,
};
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, push_identifier};
use muc_cloud_notify_testing::service::Service;

use crate::choices::Choices;

/// Whatever is stored is taken up; what is stored after that is no more.
pub(crate) fn run(bytes: &[u8]) {
    let choices = &mut Choices::new(bytes);
    let stored = snapshot(choices);
    let mut first = service();
    let rooms = first.restore(&stored);
    assert!(rooms.len() <= stored.devices.iter().map(|device| device.unread.len()).sum());
    let taken = first.snapshot();
    assert!(taken.devices.len() <= 3 && taken.nicknames.len() <= stored.nicknames.len());
    assert!(taken.domains.len() <= stored.domains.len());
    assert!(size(&taken) <= 2 * size(&stored) + 1024, "{} bytes of {}", size(&taken), size(&stored));

    let mut second = service();
    second.restore(&taken);
    let again = second.snapshot();
    assert_eq!(again.devices.len(), taken.devices.len());
    assert!(size(&again) <= size(&taken), "what was taken up is stored once more, and does not grow");

    // It is worth pushes, which can be answered.
    second.read(ORCHARD, &[JULIET, NURSE], &[]);
    second.read(HALL, &[JULIET], &[]);
    second.wait(choices.below(65536) as f64);
    let (pushes, _) = second.take_due(16, muc_cloud_notify_testing::driver::Scope::AllRooms);
    for push in &pushes {
        second.reply(push, Outcome::Delivered);
    }
    assert_eq!(second.stats().in_flight, 0);
}

fn service() -> Service {
    let mut service = Service::new(Options { with_body: true, with_sender: true, ..Options::default() });
    for (user, node) in [(JULIET, "a"), (JULIET, "b"), (NURSE, "c")] {
        service.enable(user, node);
    }
    service
}

/// Without what depends on the time: ages are the same only where the clock can tell them.
fn size(snapshot: &Snapshot) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let unread = snapshot.devices.iter().flat_map(|device| &device.unread);
    let pending = unread.clone().filter_map(|unread| unread.pending.as_ref());
    let messages = snapshot.messages.iter().map(|message| {
        let words = text(&message.sender) + text(&message.body);
        16 + text(&message.author) + 16 * message.ids.len() + words
    });
    unread.map(|unread| 16 + unread.room.len()).sum::<usize>()
        + pending
            .map(|it| 16 + text(&it.sender) + text(&it.body) + 4 * (it.places.len() + it.mentions.len()))
            .sum::<usize>()
        + messages.sum::<usize>()
        + snapshot.nicknames.iter().map(|it| it.room.len() + it.user.len() + it.nick.len()).sum::<usize>()
}

fn snapshot(choices: &mut Choices<'_>) -> Snapshot {
    let devices = (0..choices.below(5)).map(|_| device(choices)).collect();
    let messages = (0..choices.below(6)).map(|_| message(choices)).collect();
    let nicknames = (0..choices.below(4)).map(|_| nickname(choices)).collect();
    let domains = (0..choices.below(4)).map(|_| domain(choices)).collect();
    Snapshot { devices, messages, nicknames, domains, ..Snapshot::default() }
}

fn domain(choices: &mut Choices<'_>) -> DomainState {
    DomainState {
        domain: if choices.one_in(2) { choices.text(2048) } else { "push.example".to_owned() },
        answered: choices.one_in(2),
        window: if choices.one_in(4) { u32::MAX } else { choices.below(1000) as u32 },
        failures: choices.below(65536) as u32,
        trips: if choices.one_in(4) { u32::MAX } else { choices.below(40) as u32 },
        wait: choices.one_in(2).then(|| choices.float()),
        app_servers: Vec::new(),
        strangers: None,
    }
}

fn user(choices: &mut Choices<'_>) -> String {
    match choices.below(4) {
        0 => choices.text(64),
        _ => choices.pick(&[JULIET, NURSE]).to_owned(),
    }
}

fn device(choices: &mut Choices<'_>) -> DeviceState {
    DeviceState {
        user: user(choices),
        push_identifier: push_identifier(choices.pick(&["a", "b", "c", "d"])),
        errors: choices.below(32) as u32,
        attempts: choices.below(65536) as u32,
        failing_for: choices.one_in(2).then(|| choices.float()),
        pinged: choices.one_in(2),
        unanswered: choices.one_in(2),
        unread: (0..choices.below(4)).map(|_| unread(choices)).collect(),
    }
}

fn unread(choices: &mut Choices<'_>) -> UnreadState {
    UnreadState {
        room: choices.pick(&[ORCHARD, HALL, "", "nowhere@conference.example"]).to_owned(),
        age: if choices.one_in(4) { u32::MAX } else { choices.below(65536) as u32 },
        count: if choices.one_in(6) { u32::MAX } else { choices.below(100) as u32 },
        pending: choices.one_in(2).then(|| PendingState {
            sender: choices.one_in(2).then(|| choices.text(64)),
            body: choices.one_in(2).then(|| choices.text(4096)),
            words: choices.one_in(2),
            mentioned: choices.one_in(2),
            messages: choices.below(65536) as u32,
            age: choices.float(),
            places: (0..choices.below(64)).map(|_| choices.below(9)).collect(),
            mentions: (0..choices.below(64)).map(|_| choices.below(9)).collect(),
        }),
    }
}

fn message(choices: &mut Choices<'_>) -> MessageState {
    let id = |choices: &mut Choices<'_>| {
        choices
            .one_in(2)
            .then(|| if choices.one_in(3) { choices.text(32) } else { format!("{:016x}", choices.below(9)) })
    };
    MessageState {
        author: choices.one_in(2).then(|| user(choices)),
        ids: (0..choices.below(4))
            .map(|_| StanzaIdsState { stanza_id: id(choices), origin_id: id(choices), id: id(choices) })
            .collect(),
        age: choices.float(),
        sender: choices.one_in(2).then(|| choices.text(64)),
        body: choices.one_in(2).then(|| choices.text(4096)),
        from: id(choices),
    }
}

fn nickname(choices: &mut Choices<'_>) -> NicknameState {
    NicknameState {
        room: choices.pick(&[ORCHARD, HALL]).to_owned(),
        user: user(choices),
        nick: choices.text(1023),
        ..NicknameState::default()
    }
}

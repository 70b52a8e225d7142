//! Messages of a room, from anybody who is in it.

use muc_cloud_notify_testing::driver::Broadcast;
use muc_cloud_notify_testing::names::{JULIET, ORCHARD, PRIVATE, PUBLIC, ROMEO};

use crate::choices::Choices;
use crate::room::room;
use crate::stanza::{STANZA_MAX, around, set, set_attributes, size};
use crate::work::within_bounds;

/// A message costs what its size allows, and reaches nobody who is its author or was there.
pub(crate) fn run(bytes: &[u8]) {
    let choices = &mut Choices::new(bytes);
    let is_everybody_told = choices.one_in(2);
    let (mut service, devices) = room(choices, is_everybody_told);
    let mut turns = 0;
    let mut sent_to_juliet = 0; // at most: some of them are not worth a push
    while choices.are_left() && turns < 4 {
        turns += 1;
        let mut message = around(choices, "message", "jabber:client", STANZA_MAX);
        set_attributes(choices, &mut message);
        set(&mut message, "type", "groupchat");
        set(&mut message, "from", &format!("{ORCHARD}/Romeo"));
        let sender = choices.pick(&[ROMEO, JULIET, "romeo@montague.example"]);
        let author = choices.text(64);
        let present = if choices.one_in(3) { vec![JULIET.to_owned()] } else { Vec::new() };
        let broadcast = Broadcast {
            room: ORCHARD,
            sender: Some(sender).filter(|_| !choices.one_in(8)),
            reply_author: Some(&*author).filter(|_| choices.one_in(4)),
            message: &message,
            privacy: if choices.one_in(2) { PUBLIC } else { PRIVATE },
            keep_original: choices.one_in(3),
            present: &present,
        };
        if broadcast.sender != Some(JULIET) && present.is_empty() {
            sent_to_juliet += 1;
        }
        let size = size(&message);
        let concerned = within_bounds(size, || service.handle_message(broadcast));
        assert!(concerned <= devices);
        let pushes = service.pushes();
        assert!(pushes.len() <= devices);
        for push in &pushes {
            assert!(push.body().is_none_or(|body| !body.is_empty() && body.len() <= 1024));
            assert!(push.count() >= 1 && push.count() <= turns);
            assert!(push.user != JULIET || push.count() <= sent_to_juliet);
            service.reply(push, muc_cloud_notify_testing::driver::Outcome::Delivered);
        }
    }
}

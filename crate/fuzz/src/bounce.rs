//! Messages that come back, as anybody can make them come back.

use muc_cloud_notify_testing::driver::{Bounce, Broadcast};
use muc_cloud_notify_testing::names::{JULIET, NURSE, ORCHARD, PRIVATE, PUBLIC, ROMEO};

use crate::choices::Choices;
use crate::room::room;
use crate::stanza::{STANZA_MAX, around, set, size};
use crate::work::within_bounds;

/// A bounce reaches the devices of its recipient alone, once for each message.
pub(crate) fn run(bytes: &[u8]) {
    let choices = &mut Choices::new(bytes);
    let (mut service, _) = room(choices, true);
    let mut turns = 0;
    while choices.are_left() && turns < 8 {
        turns += 1;
        let mut message = around(choices, "message", "jabber:client", STANZA_MAX);
        set(&mut message, "type", "groupchat");
        set(&mut message, "from", &format!("{ORCHARD}/Romeo"));
        let privacy = if choices.one_in(2) { PUBLIC } else { PRIVATE };
        let user = choices.pick(&[JULIET, NURSE, ROMEO, "nobody@example"]);
        let nick = choices.text(64);
        if choices.one_in(2) {
            service.occupant_present(ORCHARD, user, &nick);
        }
        if choices.one_in(3) {
            let (sender, present) = (Some(ROMEO), &[][..]);
            service.handle_message(Broadcast {
                room: ORCHARD,
                sender,
                reply_author: None,
                message: &message,
                privacy,
                keep_original: false,
                present,
            });
        }
        let key = choices.text(16);
        let bounce = Bounce {
            room: choices.pick(&[ORCHARD, "nowhere@conference.example"]),
            user,
            gone_nick: Some(&*nick).filter(|_| !choices.one_in(3)),
            sender: Some(ROMEO).filter(|_| !choices.one_in(4)),
            reply_author: None,
            message: Some(&message).filter(|_| !choices.one_in(4)),
            message_key: &key,
            sent: Some(choices.float())
                .filter(|_| choices.one_in(2))
                .map(muc_cloud_notify_core::Instant::from_seconds),
            privacy,
            keep_original: choices.one_in(3),
        };
        let size = size(&message);
        let added = within_bounds(size, || service.handle_bounce(bounce));
        assert!(added <= 1, "the recipient has one device");
        assert_eq!(service.handle_bounce(bounce), 0, "a message counts once");
        if choices.one_in(2) {
            let pushes = service.pushes();
            assert!(pushes.iter().all(|push| service.is_registered(&push.user)));
        }
    }
}

//! The recipients of pushes: absent members. Presence goes by the real bare JID, never by a nickname.

use muc_cloud_notify_core::{Coverage, DefaultLevel, Options, RoomPrivacy};
use muc_cloud_notify_testing::driver::{Forgotten, Outcome};
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PRIVATE, PUBLIC, ROMEO};
use muc_cloud_notify_testing::service::{Service, nodes};

/// The nodes that get a push now. Each is named after its user.
fn pushed_nodes(service: &mut Service) -> Vec<String> {
    service.say(ORCHARD, "But soft!");
    let pushes = service.pushes();
    let nodes = nodes(&pushes).into_iter().map(str::to_owned).collect();
    for push in pushes {
        service.reply(&push, Outcome::Delivered);
    }
    nodes
}

/// A service where everybody has a device; Juliet and the nurse are members of the orchard.
fn service() -> Service {
    let mut service = Service::new(Options::default());
    for (user, node) in [(JULIET, "juliet"), (NURSE, "nurse"), (ROMEO, "romeo")] {
        assert!(service.enable(user, node), "{user} has no other device");
    }
    service.read(ORCHARD, &[JULIET, NURSE], &[]);
    service
}

#[test]
fn absent_members_get_a_push_and_nobody_else() {
    let mut service = service();
    assert_eq!(pushed_nodes(&mut service), ["juliet", "nurse"]);
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    assert_eq!(pushed_nodes(&mut service), ["nurse"]);
    service.occupant_present(ORCHARD, NURSE, "Nurse");
    assert!(!service.is_anybody_absent(ORCHARD));
    assert!(pushed_nodes(&mut service).is_empty());
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    assert!(service.is_anybody_absent(ORCHARD));
    assert_eq!(service.absent(ORCHARD), [JULIET]);
    assert_eq!(pushed_nodes(&mut service), ["juliet"]);
}

#[test]
fn every_device_of_a_member_gets_a_push() {
    let mut service = service();
    assert!(!service.enable(JULIET, "juliet2"), "she has one already");
    service.enable_at(JULIET, "other.example", "juliet");
    assert_eq!(pushed_nodes(&mut service), ["juliet", "juliet", "juliet2", "nurse"]);
}

#[test]
fn the_author_gets_no_push() {
    let mut service = service();
    service.enable(JULIET, "juliet2");
    service.say_as(ORCHARD, Some(JULIET), "Ay me!");
    assert_eq!(nodes(&service.pushes()), ["nurse"], "no device of the sender's");
}

#[test]
fn a_message_of_the_room_itself_is_pushed_to_all() {
    let mut service = service();
    assert_eq!(service.say_as(ORCHARD, None, "Curfew!"), 2);
}

#[test]
fn a_member_with_two_occupants_is_there_until_the_last_one_is_gone() {
    let mut service = service();
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.occupant_present(ORCHARD, JULIET, "Juliet's phone");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    assert_eq!(pushed_nodes(&mut service), ["nurse"]);
    service.occupant_gone(ORCHARD, JULIET, "Juliet's phone");
    assert_eq!(pushed_nodes(&mut service), ["juliet", "nurse"]);
}

#[test]
fn a_further_session_of_an_occupant_is_still_that_occupant() {
    let mut service = service();
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    assert_eq!(pushed_nodes(&mut service), ["nurse"]);
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    assert_eq!(pushed_nodes(&mut service), ["juliet", "nurse"]);
}

#[test]
fn a_nickname_change_does_not_take_anybody_away() {
    for (case, new_first) in [("new nickname first", true), ("old nickname first", false)] {
        let mut service = service();
        service.occupant_present(ORCHARD, JULIET, "Juliet");
        if new_first {
            service.occupant_present(ORCHARD, JULIET, "Capulet");
        }
        service.occupant_gone(ORCHARD, JULIET, "Juliet");
        service.occupant_present(ORCHARD, JULIET, "Capulet");
        assert_eq!(pushed_nodes(&mut service), ["nurse"], "{case}");
        service.occupant_gone(ORCHARD, JULIET, "Juliet");
        assert_eq!(pushed_nodes(&mut service), ["nurse"], "{case}: the old nickname is not hers any more");
        service.occupant_gone(ORCHARD, JULIET, "Capulet");
        assert_eq!(pushed_nodes(&mut service), ["juliet", "nurse"], "{case}");
    }
}

#[test]
fn somebody_elses_nickname_does_not_make_a_member_present() {
    let mut service = service();
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.occupant_present(ORCHARD, ROMEO, "Juliet");
    service.occupant_present(ORCHARD, "tybalt@capulet.example", "Nurse");
    assert_eq!(pushed_nodes(&mut service), ["juliet", "nurse"]);
    service.occupant_present(ORCHARD, JULIET, "Romeo");
    assert_eq!(pushed_nodes(&mut service), ["nurse"], "with a nickname that is somebody else's name");
}

#[test]
fn presence_in_one_room_is_none_in_another() {
    let mut service = service();
    service.read(HALL, &[JULIET], &[]);
    service.occupant_present(HALL, JULIET, "Juliet");
    assert_eq!(pushed_nodes(&mut service), ["juliet", "nurse"]);
}

#[test]
fn a_user_who_is_no_member_gets_no_push() {
    let mut service = service();
    for jid in [ROMEO, "tybalt@capulet.example"] {
        service.affiliation_changed(ORCHARD, jid, false, None);
    }
    assert_eq!(pushed_nodes(&mut service), ["juliet", "nurse"]);
    service.affiliation_changed(ORCHARD, JULIET, false, None);
    assert_eq!(pushed_nodes(&mut service), ["nurse"], "an outcast");
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    assert_eq!(pushed_nodes(&mut service), ["nurse"], "coming and going makes no member");
}

#[test]
fn a_user_without_a_device_gets_no_push() {
    let mut service = service();
    assert_eq!(service.disable(JULIET, None), 1);
    assert_eq!(pushed_nodes(&mut service), ["nurse"]);
    assert_eq!(service.absent(ORCHARD), [NURSE]);
}

#[test]
fn there_is_no_push_for_an_unknown_room() {
    let mut service = service();
    assert_eq!(service.coverage(HALL), Coverage::Nothing);
    assert_eq!(service.say(HALL, "But soft!"), 0);
    assert!(!service.is_anybody_absent(HALL));
    assert_eq!(service.absent(HALL), [""; 0]);
}

#[test]
fn there_is_no_push_before_it_is_known_who_is_there() {
    let forget: [fn(&mut Service); 3] = [
        |service| service.forget_room(ORCHARD),
        |service| service.forget_rooms(),
        |service| service.affiliation_changed(ORCHARD, ROMEO, true, None),
    ];
    for forget in forget {
        let mut service = service();
        forget(&mut service);
        assert_ne!(service.coverage(ORCHARD), Coverage::Complete);
        assert!(pushed_nodes(&mut service).is_empty(), "whoever is told may be there");
        let forgotten =
            Forgotten { room: ORCHARD, sender: None, privacy: PRIVATE, present: &[], messages: 2 };
        assert_eq!(service.handle_forgotten(forgotten), 0);
        service.set_members(ORCHARD, [JULIET, NURSE].map(|jid| (jid, None)));
        assert!(pushed_nodes(&mut service).is_empty(), "members are known, and not where they are");
        service.set_occupants(ORCHARD, [(JULIET, "Juliet")]);
        assert_eq!(pushed_nodes(&mut service), ["nurse"]);
    }
}

#[test]
fn the_default_decides_which_messages_are_pushed() {
    let members_only_public = RoomPrivacy { members_only: true, public: true };
    let open_hidden = RoomPrivacy { members_only: false, public: false };
    let mention = format!("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:{JULIET}'/>");
    let plain = "<body>But soft!</body>".to_owned();
    let mention = format!("{plain}{mention}");
    for (default, privacy, of_plain, of_mention) in [
        (DefaultLevel::Auto, PRIVATE, 1, 1),
        (DefaultLevel::Auto, members_only_public, 1, 1),
        (DefaultLevel::Auto, open_hidden, 1, 1),
        (DefaultLevel::Auto, PUBLIC, 0, 1),
        (DefaultLevel::Always, PUBLIC, 1, 1),
        (DefaultLevel::OnMention, PRIVATE, 0, 1),
        (DefaultLevel::Never, PRIVATE, 0, 0),
        (DefaultLevel::Never, PUBLIC, 0, 0),
    ] {
        for (case, content, expected) in [("plain", &plain, of_plain), ("mention", &mention, of_mention)] {
            let options = Options { default_level: default, ..Options::default() };
            let mut service = Service::with_juliet(options);
            let concerned = service.broadcast(ORCHARD, Some(ROMEO), privacy, content);
            assert_eq!(concerned, expected, "{case}: {default:?}, {privacy:?}");
            assert_eq!(service.pushes().len(), expected, "{case}: {default:?}, {privacy:?}");
        }
    }
}

#[test]
fn a_user_who_loses_the_affiliation_gets_no_more_pushes() {
    let mut service = service();
    service.say(ORCHARD, "But soft!");
    service.affiliation_changed(ORCHARD, JULIET, false, None);
    assert_eq!(nodes(&service.pushes()), ["nurse"], "also of what was said before");
}

#[test]
fn a_user_who_gets_the_affiliation_back_starts_anew() {
    let mut service = service();
    assert_eq!(pushed_nodes(&mut service), ["juliet", "nurse"]);
    service.affiliation_changed(ORCHARD, JULIET, false, None);
    service.affiliation_changed(ORCHARD, JULIET, true, None);
    assert_eq!(service.coverage(ORCHARD), Coverage::Members, "whether she is there is not known");
    service.set_occupants(ORCHARD, []);
    service.say(ORCHARD, "But soft!");
    let pushes = service.pushes();
    let of_juliet = pushes.iter().find(|push| &*push.user == JULIET);
    assert_eq!(of_juliet.map(|push| push.count()), Some(1));
}

#[test]
fn a_user_who_becomes_a_member_while_there_is_present() {
    let mut service = service();
    service.occupant_present(ORCHARD, ROMEO, "Romeo");
    service.affiliation_changed(ORCHARD, ROMEO, true, None);
    assert_eq!(service.coverage(ORCHARD), Coverage::Members);
    service.set_occupants(ORCHARD, [(ROMEO, "Romeo")]);
    assert_eq!(service.coverage(ORCHARD), Coverage::Complete);
    service.say_as(ORCHARD, None, "Curfew!");
    assert_eq!(nodes(&service.pushes()), ["juliet", "nurse"]);
}

#[test]
fn another_affiliation_or_nickname_of_a_member_leaves_the_room_known() {
    let mut service = service();
    service.affiliation_changed(ORCHARD, JULIET, true, Some("Capulet"));
    service.affiliation_changed(ORCHARD, "tybalt@capulet.example", true, None);
    assert_eq!(service.coverage(ORCHARD), Coverage::Complete);
    assert_eq!(pushed_nodes(&mut service), ["juliet", "nurse"]);
}

#[test]
fn a_member_who_registers_later_gets_pushes_from_then_on() {
    let mut service = Service::new(Options::default());
    service.read(ORCHARD, &[JULIET, NURSE], &[(JULIET, "Juliet")]);
    assert!(pushed_nodes(&mut service).is_empty());
    for (user, node) in [(JULIET, "juliet"), (NURSE, "nurse")] {
        assert!(service.enable(user, node), "is in no room's index yet");
        service.affiliation_changed(ORCHARD, user, true, None);
    }
    assert_eq!(service.coverage(ORCHARD), Coverage::Members);
    service.set_occupants(ORCHARD, [(JULIET, "Juliet")]);
    assert_eq!(pushed_nodes(&mut service), ["nurse"]);
}

#[test]
fn a_room_is_of_interest_while_a_member_has_a_device_there_or_not() {
    let mut service = service();
    assert!(service.has_devices(ORCHARD) && !service.has_devices(HALL));
    service.read(ORCHARD, &[JULIET, NURSE], &[(JULIET, "Juliet"), (NURSE, "Nurse")]);
    assert!(service.has_devices(ORCHARD) && !service.is_anybody_absent(ORCHARD));
    service.affiliation_changed(ORCHARD, NURSE, false, None);
    assert!(service.has_devices(ORCHARD));
    service.set_registrations(JULIET, Vec::new(), None);
    assert!(!service.has_devices(ORCHARD), "a user without a device is of no interest");
}

#[test]
fn a_destroyed_room_leads_to_no_more_pushes() {
    let mut service = service();
    service.say(ORCHARD, "But soft!");
    service.room_destroyed(ORCHARD);
    service.assert_quiet("the room is gone");
    assert_eq!(service.coverage(ORCHARD), Coverage::Nothing);
    assert!(pushed_nodes(&mut service).is_empty());
    service.read(ORCHARD, &[NURSE], &[]);
    assert_eq!(pushed_nodes(&mut service), ["nurse"], "one of the same name is another room");
}

#[test]
fn a_restored_room_has_to_be_read_again() {
    let mut service = service();
    service.read(HALL, &[JULIET], &[]);
    service.forget_room(ORCHARD);
    assert_eq!(service.coverage(ORCHARD), Coverage::Nothing);
    assert_eq!(service.coverage(HALL), Coverage::Complete);
    service.set_members(ORCHARD, [(JULIET, None), (ROMEO, None)]);
    assert_eq!(service.coverage(ORCHARD), Coverage::Members);
    service.set_occupants(ORCHARD, [(ROMEO, "Romeo")]);
    assert_eq!(service.coverage(ORCHARD), Coverage::Complete);
    assert_eq!(pushed_nodes(&mut service), ["juliet"]);
    service.forget_rooms();
    assert_eq!(service.coverage(ORCHARD), Coverage::Nothing);
    assert_eq!(service.coverage(HALL), Coverage::Nothing);
}

#[test]
fn reading_a_room_again_finds_new_occupants_and_former_members() {
    for (case, members, occupants, expected) in [
        ("as it was", &[JULIET, NURSE][..], &[][..], &["juliet", "nurse"][..]),
        ("Juliet is there", &[JULIET, NURSE], &[(JULIET, "Juliet")], &["nurse"]),
        ("the nurse is no member", &[JULIET], &[(NURSE, "Nurse")], &["juliet"]),
        ("nobody is a member", &[], &[], &[]),
    ] {
        let mut service = service();
        assert_eq!(service.say(ORCHARD, "But soft!"), 2, "{case}");
        service.forget_rooms();
        service.read(ORCHARD, members, occupants);
        assert_eq!(nodes(&service.pushes()), expected, "{case}: what was pending");
    }
}

//! The nickname that a member has last used means them after a restart too.

use muc_cloud_notify_core::{Coverage, NicknameState, Snapshot};
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PUBLIC, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};

/// A service where Juliet, a member of the orchard with a device, was there as "Jule".
fn service() -> Service {
    let mut service = Service::with_juliet(with_body());
    service.occupant_present(ORCHARD, JULIET, "Jule");
    service.occupant_gone(ORCHARD, JULIET, "Jule");
    service
}

fn restart(service: &Service) -> Service {
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    assert_eq!(restarted.restore(&service.snapshot()), [""; 0], "no room is read for a nickname");
    restarted
}

/// Whether a message in the orchard, which everybody may enter, is for Jule.
fn is_mentioned(service: &mut Service) -> bool {
    service.broadcast(ORCHARD, Some(ROMEO), PUBLIC, "<body>Jule: good night</body>") == 1
}

fn state(room: &str, user: &str, nick: &str) -> NicknameState {
    NicknameState { room: room.to_owned(), user: user.to_owned(), nick: nick.to_owned(), age: 0 }
}

#[test]
fn it_is_found() {
    let mut restarted = restart(&service());
    restarted.read(ORCHARD, &[JULIET], &[]);
    let mut again = restart(&restarted);
    assert!(is_mentioned(&mut restarted));
    again.read(ORCHARD, &[JULIET], &[]);
    assert!(is_mentioned(&mut again), "after the next restart too");
    let mut service = Service::with_juliet(with_body());
    assert!(!is_mentioned(&mut service), "she has never used it");
}

#[test]
fn it_is_not_when_somebody_else_has_it() {
    for user in [NURSE, "somebody-without-a-device@capulet.example"] {
        for is_member in [false, true] {
            let mut service = service();
            service.enable(NURSE, "nurse");
            let members = if is_member { &[JULIET, user][..] } else { &[JULIET] };

            let mut restarted = restart(&service);
            restarted.read(ORCHARD, members, &[(user, "Jule")]);
            restarted.read(ORCHARD, members, &[]);
            let expected = is_member && user == NURSE;
            assert_eq!(
                is_mentioned(&mut restarted),
                expected,
                "{user} is there, or was: it means her if anybody"
            );

            let mut restarted = restart(&service);
            let registered = members.iter().map(|&jid| (jid, (jid == user).then_some("Jule")));
            restarted.set_members(ORCHARD, registered);
            restarted.set_occupants(ORCHARD, []);
            let expected = user == NURSE || !is_member;
            assert_eq!(is_mentioned(&mut restarted), expected, "{user} has registered it");
        }
    }
}

#[test]
fn it_is_not_when_somebody_has_taken_it_before_it_was_restored() {
    let before = service();
    for (user, nick, is_found) in [
        (NURSE, "Jule", false),
        (NURSE, "Julia", true),
        ("somebody-without-a-device@capulet.example", "Jule", false),
        ("somebody-without-a-device@capulet.example", "Julia", true),
    ] {
        let mut restarted = Service::restarted(5.0, with_body(), before.store.clone());
        restarted.enable(NURSE, "nurse");
        restarted.read(ORCHARD, &[JULIET, NURSE], &[(user, nick)]);
        restarted.restore(&before.snapshot());
        assert_eq!(restarted.coverage(ORCHARD), Coverage::Nothing, "the room has to be read again");
        restarted.read(ORCHARD, &[JULIET, NURSE], &[(user, nick)]);
        assert_eq!(is_mentioned(&mut restarted), is_found, "{user} is there as {nick}");
    }
}

#[test]
fn what_is_known_since_counts_for_more() {
    let before = service();
    let mut restarted = Service::restarted(5.0, with_body(), before.store.clone());
    restarted.read(ORCHARD, &[JULIET], &[(JULIET, "Juliet")]);
    restarted.restore(&before.snapshot());
    assert_eq!(restarted.snapshot().nicknames, [state(ORCHARD, JULIET, "Juliet")]);
}

#[test]
fn only_what_cannot_be_read_elsewhere_is_stored() {
    let mut service = service();
    service.occupant_present(HALL, ROMEO, "Romeo");
    assert_eq!(service.snapshot().nicknames, [state(ORCHARD, JULIET, "Jule")], "Romeo has no device");
    service.affiliation_changed(ORCHARD, JULIET, true, Some("Jule"));
    assert_eq!(service.snapshot().nicknames, [], "it is registered");
    service.affiliation_changed(ORCHARD, JULIET, true, None);
    assert_eq!(service.snapshot().nicknames, [state(ORCHARD, JULIET, "Jule")]);
    service.affiliation_changed(ORCHARD, JULIET, false, None);
    assert_eq!(service.snapshot().nicknames, [], "she is no member");
}

#[test]
fn nothing_is_left_of_users_without_a_device_or_affiliation() {
    let before = service();
    let mut restarted = Service::new(with_body());
    restarted.restore(&before.snapshot());
    restarted.enable(JULIET, "phone");
    restarted.read(ORCHARD, &[JULIET], &[]);
    assert!(!is_mentioned(&mut restarted));

    let mut restarted = restart(&before);
    restarted.read(ORCHARD, &[], &[]);
    assert_eq!(restarted.snapshot().nicknames, []);
    restarted.read(ORCHARD, &[JULIET], &[]);
    assert!(!is_mentioned(&mut restarted));
}

#[test]
fn there_are_no_more_and_no_longer_ones_than_a_store_can_bear() {
    let mut service = Service::with_juliet(with_body());
    for (length, stored) in [(255, 1), (256, 0)] {
        service.occupant_present(ORCHARD, JULIET, &"x".repeat(length));
        assert_eq!(service.snapshot().nicknames.len(), stored, "{length}");
    }
    let nicknames: Vec<NicknameState> =
        (0..10_100).map(|room| state(&format!("{room}@conference.example"), JULIET, "Jule")).collect();
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    restarted.restore(&Snapshot { nicknames, ..Snapshot::default() });
    let room = "new@conference.example";
    restarted.read(room, &[JULIET], &[(JULIET, "Juliet")]);
    assert_eq!(restarted.snapshot().nicknames.len(), 10_000);
}

#[test]
fn rooms_that_are_never_read_again_are_forgotten_in_the_end() {
    let day = 24.0 * 3600.0;
    for (days, is_kept) in [(29.0, true), (31.0, false)] {
        // However often the server is restarted.
        let mut service = service();
        for _ in 0..10 {
            let mut restarted = restart(&service);
            restarted.wait(days * day / 10.0);
            service = restarted;
        }
        assert_eq!(service.snapshot().nicknames.len(), usize::from(is_kept), "{days}");
        let mut restarted = restart(&service);
        restarted.read(ORCHARD, &[JULIET], &[]);
        assert_eq!(is_mentioned(&mut restarted), is_kept, "{days}");
    }
    // One that is read is as good as new, also where it is forgotten after that.
    let mut service = restart(&service());
    service.wait(29.0 * day);
    service.read(ORCHARD, &[JULIET], &[]);
    service.forget_rooms();
    service.wait(29.0 * day);
    let mut restarted = restart(&service);
    restarted.wait(29.0 * day);
    restarted.read(ORCHARD, &[JULIET], &[]);
    assert!(is_mentioned(&mut restarted));
    // Stops shortly after a start lose nothing.
    for _ in 0..100 {
        service = restart(&service);
    }
    service.read(ORCHARD, &[JULIET], &[]);
    assert!(is_mentioned(&mut service));
}

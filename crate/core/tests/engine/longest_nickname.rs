//! Which nicknames are known in a room: the longest one in a text is the one that is mentioned.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{JULIET, NURSE, ORCHARD, PUBLIC, ROMEO};
use muc_cloud_notify_testing::service::Service;

/// A service where Juliet, called `foobar`, and the nurse are members of a public room.
fn service() -> Service {
    let mut service = Service::new(Options::default());
    service.enable(JULIET, "phone");
    service.enable(NURSE, "tablet");
    service.set_members(ORCHARD, [(JULIET, Some("foobar")), (NURSE, None)]);
    service.set_occupants(ORCHARD, []);
    service
}

/// The users that a text mentions.
fn mentioned(service: &mut Service, text: &str) -> Vec<String> {
    service.broadcast(ORCHARD, None, PUBLIC, &format!("<body>{text}</body>"));
    let pushes = service.pushes();
    for push in &pushes {
        service.reply(push, Outcome::Delivered);
    }
    let mut users: Vec<String> = pushes.into_iter().map(|push| push.user).collect();
    users.sort_unstable();
    users
}

const LONG: &str = "foobar[home]: hi";
const SHORT: &str = "foobar: hi";

#[test]
fn a_nickname_of_an_occupant_is_known_while_they_are_there() {
    let mut service = service();
    assert_eq!(mentioned(&mut service, LONG), [JULIET], "nobody else is called that");
    // Romeo has no device and no affiliation.
    service.occupant_present(ORCHARD, ROMEO, "foobar[home]");
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
    assert_eq!(mentioned(&mut service, SHORT), [JULIET]);
    // A second session under the same nickname is the same occupant.
    service.occupant_present(ORCHARD, ROMEO, "foobar[home]");
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
    service.occupant_gone(ORCHARD, ROMEO, "foobar[home]");
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
    service.occupant_gone(ORCHARD, ROMEO, "foobar[home]");
    service.occupant_present(ORCHARD, ROMEO, "foobar[home]");
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
}

#[test]
fn a_nickname_that_was_changed_is_not_known() {
    let mut service = service();
    service.occupant_present(ORCHARD, ROMEO, "foobar[home]");
    service.occupant_gone(ORCHARD, ROMEO, "foobar[home]");
    service.occupant_present(ORCHARD, ROMEO, "foobar[work]");
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
    assert_eq!(mentioned(&mut service, "foobar[work]: hi"), [""; 0]);
    // in the other order
    service.occupant_present(ORCHARD, ROMEO, "foobar[home]");
    service.occupant_gone(ORCHARD, ROMEO, "foobar[work]");
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
    assert_eq!(mentioned(&mut service, "foobar[work]: hi"), [JULIET]);
}

#[test]
fn occupants_that_are_read_replace_all() {
    let mut service = service();
    service.occupant_present(ORCHARD, ROMEO, "foobar[home]");
    service.set_occupants(ORCHARD, [(ROMEO, "foobar[work]")]);
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
    assert_eq!(mentioned(&mut service, "foobar[work]: hi"), [""; 0]);
    service.set_occupants(ORCHARD, [(ROMEO, "foobar[home]")]);
    service.set_occupants(ORCHARD, [(ROMEO, "foobar[home]")]);
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
    service.occupant_gone(ORCHARD, ROMEO, "foobar[home]");
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
    // members that are read leave the occupants as they are
    service.occupant_present(ORCHARD, ROMEO, "foobar[home]");
    service.set_members(ORCHARD, [(JULIET, Some("foobar"))]);
    service.set_occupants(ORCHARD, [(ROMEO, "foobar[home]")]);
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
}

#[test]
fn a_nickname_that_a_member_has_used_or_registered_is_known() {
    let mut service = service();
    service.occupant_present(ORCHARD, NURSE, "foobar[home]");
    assert_eq!(mentioned(&mut service, LONG), [""; 0], "she is there, and called that");
    service.occupant_gone(ORCHARD, NURSE, "foobar[home]");
    assert_eq!(mentioned(&mut service, LONG), [NURSE], "she was called that");
    service.affiliation_changed(ORCHARD, NURSE, true, Some("foobar [work]"));
    assert_eq!(mentioned(&mut service, "foobar [work]: hi"), [NURSE]);
    assert_eq!(mentioned(&mut service, LONG), [NURSE]);
    service.affiliation_changed(ORCHARD, NURSE, true, None);
    assert_eq!(mentioned(&mut service, "foobar [work]: hi"), [JULIET]);
    service.affiliation_changed(ORCHARD, NURSE, false, None);
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
}

#[test]
fn a_nickname_that_somebody_else_has_taken_is_theirs() {
    let mut service = service();
    service.occupant_present(ORCHARD, NURSE, "foobar[home]");
    service.occupant_gone(ORCHARD, NURSE, "foobar[home]");
    service.occupant_present(ORCHARD, ROMEO, "foobar[home]");
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
    service.occupant_gone(ORCHARD, ROMEO, "foobar[home]");
    assert_eq!(mentioned(&mut service, LONG), [JULIET], "nobody is called that any more");
}

#[test]
fn nicknames_of_one_room_are_not_known_in_another() {
    let mut service = service();
    service.read(muc_cloud_notify_testing::names::HALL, &[JULIET], &[(ROMEO, "foobar[home]")]);
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
}

#[test]
fn members_without_a_device_any_more_are_forgotten() {
    let mut service = service();
    service.occupant_present(ORCHARD, NURSE, "foobar[home]");
    service.occupant_gone(ORCHARD, NURSE, "foobar[home]");
    service.disable(NURSE, None);
    mentioned(&mut service, "foobar");
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
}

#[test]
fn a_nickname_that_a_member_without_a_device_has_registered_is_known() {
    let mut service = service();
    // Romeo is a member, and neither there nor registered for pushes.
    service.set_members(ORCHARD, [(JULIET, Some("foobar")), (ROMEO, Some("foobar[home]"))]);
    service.set_occupants(ORCHARD, []);
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
    assert_eq!(mentioned(&mut service, SHORT), [JULIET]);
    // One who does not register it any more, when the room is read again.
    service.set_members(ORCHARD, [(JULIET, Some("foobar")), (ROMEO, None)]);
    service.set_occupants(ORCHARD, []);
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
    // One who registers it while the room is followed; a nickname of no member is none.
    service.affiliation_changed(ORCHARD, ROMEO, false, Some("foobar[home]"));
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
    service.affiliation_changed(ORCHARD, ROMEO, true, Some("foobar[home]"));
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
}

#[test]
fn a_nickname_that_a_member_without_a_device_has_given_up_is_not_known() {
    for (is_member, nick) in
        [(true, None), (true, Some("foobar [work]")), (false, None), (false, Some("foobar[home]"))]
    {
        let mut service = service();
        service.set_members(ORCHARD, [(JULIET, Some("foobar")), (ROMEO, Some("foobar[home]"))]);
        service.set_occupants(ORCHARD, []);
        service.affiliation_changed(ORCHARD, "paris@capulet.example", true, None);
        assert_eq!(mentioned(&mut service, LONG), [""; 0]);
        service.affiliation_changed(ORCHARD, ROMEO, is_member, nick);
        assert_eq!(mentioned(&mut service, LONG), [JULIET], "{is_member} {nick:?}");
        let is_other_known = is_member && nick.is_some();
        let expected = if is_other_known { &[][..] } else { &[JULIET] };
        assert_eq!(mentioned(&mut service, "foobar [work]: hi"), expected, "{is_member} {nick:?}");
    }
}

#[test]
fn a_nickname_of_a_member_who_has_a_device_by_now_is_the_registered_one() {
    let mut service = service();
    service.affiliation_changed(ORCHARD, ROMEO, true, Some("foobar[home]"));
    service.enable(ROMEO, "phone");
    service.affiliation_changed(ORCHARD, ROMEO, true, Some("foobar[home]"));
    service.set_occupants(ORCHARD, []);
    assert_eq!(mentioned(&mut service, LONG), [ROMEO]);
    service.affiliation_changed(ORCHARD, ROMEO, true, None);
    assert_eq!(mentioned(&mut service, LONG), [JULIET]);
}

#[test]
fn one_member_takes_no_more_than_one_place() {
    let mut service = service();
    for number in 0..1100 {
        service.affiliation_changed(ORCHARD, ROMEO, true, Some(&format!("Romeo {number}")));
    }
    service.affiliation_changed(ORCHARD, "paris@capulet.example", true, Some("foobar[home]"));
    assert_eq!(mentioned(&mut service, LONG), [""; 0]);
}

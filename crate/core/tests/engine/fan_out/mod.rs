//! A large room: what happens there comes to its members bit by bit, and each gets what they would have got at once.

mod backlog;

use muc_cloud_notify_core::{Options, RoomPrivacy};
use muc_cloud_notify_testing::driver::{Bounce, Broadcast, Coverage, Outcome, Scope};
use muc_cloud_notify_testing::names::{HALL, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{ALL, Service, with_body};
use muc_cloud_notify_testing::stanza::{groupchat, xml};

/// How many members are told at once.
const AT_ONCE: usize = 10;

fn options() -> Options {
    Options { members_at_once: AT_ONCE, ..with_body() }
}

fn member(number: usize) -> String {
    format!("member{number}@capulet.example")
}

/// A room with so many absent members, each with a device of the name of its owner.
fn service(members: usize) -> Service {
    let mut service = Service::new(options());
    let jids: Vec<String> = (0..members).map(member).collect();
    for jid in &jids {
        service.enable(jid, jid);
    }
    let jids: Vec<&str> = jids.iter().map(String::as_str).collect();
    service.read(ORCHARD, &jids, &[]);
    service
}

/// The users that are pushed to from now on until everything is done, with the number of messages and the text.
fn told(service: &mut Service) -> Vec<(String, u32, String)> {
    let mut told = Vec::new();
    loop {
        for push in service.take_pushes(ALL, Scope::AllRooms) {
            told.push((push.user.clone(), push.count(), push.body().unwrap_or_default().to_owned()));
            service.reply(&push, Outcome::Delivered);
        }
        if !service.advance_to_deadline() {
            told.sort();
            return told;
        }
    }
}

fn each(members: impl IntoIterator<Item = usize>, count: u32, text: &str) -> Vec<(String, u32, String)> {
    let mut each: Vec<_> = members.into_iter().map(|it| (member(it), count, text.to_owned())).collect();
    each.sort();
    each
}

/// Romeo says something with an id.
fn say(service: &mut Service, id: &str) -> usize {
    let stanza = xml(&format!(
        "<message type='groupchat' from='{ORCHARD}/Romeo' id='{id}'><body>{id}</body></message>"
    ));
    service.broadcast_stanza(ORCHARD, Some(ROMEO), PRIVATE, &stanza)
}

/// Romeo takes something back, or corrects it.
fn revise(service: &mut Service, content: &str) {
    let stanza = xml(&format!("<message type='groupchat' from='{ORCHARD}/Romeo' id='r'>{content}</message>"));
    assert_eq!(service.broadcast_stanza(ORCHARD, Some(ROMEO), PRIVATE, &stanza), 0);
}

fn retract(service: &mut Service, id: &str) {
    revise(service, &format!("<retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>"));
}

#[test]
fn no_call_tells_more_members_than_are_told_at_once() {
    let mut service = service(35);
    assert_eq!(service.say(ORCHARD, "But soft!"), AT_ONCE);
    for queued in [20, 30, 35] {
        assert_eq!(service.stats().spreading, 1, "before there are {queued}");
        assert_eq!(service.next_deadline(), Some(service.now), "at once");
        service.spread();
        assert_eq!(service.stats().queued, queued);
    }
    assert_eq!(service.stats().spreading, 0);
    assert_eq!(told(&mut service), each(0..35, 1, "But soft!"));
}

#[test]
fn an_ordinary_room_is_told_at_once() {
    let mut service = service(AT_ONCE);
    assert_eq!(service.say(ORCHARD, "But soft!"), AT_ONCE);
    assert_eq!((service.stats().spreading, service.stats().queued), (0, AT_ONCE));
    assert!(!service.spread());
}

#[test]
fn messages_come_in_their_order_and_those_of_another_room_in_between() {
    let mut service = service(30);
    let other = member(0);
    service.read(HALL, &[&other], &[]);
    assert_eq!(service.say(ORCHARD, "1"), AT_ONCE);
    assert_eq!(service.say(ORCHARD, "2"), 0, "it waits");
    assert_eq!(service.stats().spreading, 2);
    service.wait(1.0);
    assert_eq!(service.say(HALL, "3"), 1, "it does not");
    let mut expected = each(1..30, 2, "2");
    expected.extend(each([0], 3, "3"));
    expected.sort();
    assert_eq!(told(&mut service), expected);
}

#[test]
fn a_push_says_all_that_was_said_though_it_has_not_come_to_everybody() {
    let mut service = service(30);
    service.say(ORCHARD, "1");
    service.say(ORCHARD, "2");
    let pushes = service.take_pushes(1, Scope::AllRooms);
    assert_eq!((pushes[0].count(), pushes[0].body()), (2, Some("2")));
    service.reply(&pushes[0], Outcome::Delivered);
    assert_eq!(told(&mut service).len(), 29);
}

#[test]
fn who_gets_it_is_decided_when_it_was_sent() {
    let mut service = service(40);
    // The last of them are told first.
    let [enters, comes_and_goes, is_dismissed, returns, stays] = [0, 1, 2, 3, 4].map(member);
    let newcomer = member(40);
    service.enable(&newcomer, "new");
    let was_there = member(5);
    service.occupant_present(ORCHARD, &was_there, "Five");
    service.say(ORCHARD, "But soft!");
    service.occupant_present(ORCHARD, &enters, "Zero");
    service.occupant_present(ORCHARD, &comes_and_goes, "One");
    service.occupant_gone(ORCHARD, &comes_and_goes, "One");
    service.affiliation_changed(ORCHARD, &is_dismissed, false, None);
    service.affiliation_changed(ORCHARD, &returns, false, None);
    service.affiliation_changed(ORCHARD, &returns, true, None);
    service.affiliation_changed(ORCHARD, &newcomer, true, None);
    service.occupant_gone(ORCHARD, &was_there, "Five");
    service.enable(&stays, "second");
    service.disable(&member(6), None);
    service.enable(&member(6), "again");
    service.affiliation_changed(ORCHARD, &member(6), true, None);
    assert_eq!(
        told(&mut service),
        each([4].into_iter().chain(7..40), 1, "But soft!"),
        "the first device of the fourth"
    );
    service.set_occupants(ORCHARD, []);
    assert_eq!(service.coverage(ORCHARD), Coverage::Complete);
    service.say(ORCHARD, "It is the east.");
    let all = told(&mut service);
    assert_eq!(
        all.len(),
        40 - 1 + 2,
        "all but one who is no member, both devices of one, a newcomer: {all:?}"
    );
}

#[test]
fn members_may_come_and_go_meanwhile_and_nobody_is_missed_or_told_twice() {
    let mut service = service(100);
    service.say(ORCHARD, "But soft!");
    // Those that were told first come and go, which moves the others about.
    for number in (60..100).rev() {
        service.occupant_present(ORCHARD, &member(number), &format!("{number}"));
        if number % 3 == 0 {
            service.occupant_gone(ORCHARD, &member(number), &format!("{number}"));
        }
        if number % 10 == 0 {
            service.spread();
        }
        if number % 7 == 0 {
            service.affiliation_changed(ORCHARD, &member(number), false, None);
        }
    }
    assert_eq!(told(&mut service), each(0..60, 1, "But soft!"));
}

#[test]
fn a_room_is_read_again_meanwhile() {
    let mut service = service(50);
    service.say(ORCHARD, "But soft!");
    let jids: Vec<String> = (0..60).filter(|number| number % 2 == 0).map(member).collect();
    let members: Vec<&str> = jids.iter().map(String::as_str).collect();
    service.enable(&member(50), "new");
    service.forget_rooms();
    let there = member(4);
    service.read(ORCHARD, &members, &[(&there, "Four")]);
    let expected = (0..50).filter(|number| number % 2 == 0 && *number != 4);
    assert_eq!(told(&mut service), each(expected, 1, "But soft!"));
}

#[test]
fn what_is_taken_back_or_corrected_is_pushed_to_nobody_though_it_has_not_come_to_everybody() {
    let mut service = service(50);
    say(&mut service, "1");
    say(&mut service, "2");
    retract(&mut service, "2");
    revise(&mut service, "<replace xmlns='urn:xmpp:message-correct:0' id='1'/><body>One</body>");
    assert_eq!(service.stats().spreading, 4);
    let told = told(&mut service);
    assert!(told.iter().all(|(_, count, text)| *count == 1 && text != "2" && text != "1"), "{told:?}");
    assert_eq!(told.len(), 50);
}

#[test]
fn a_retraction_of_what_all_have_yet_to_hear_of_is_told_bit_by_bit() {
    let mut service = service(50);
    say(&mut service, "1");
    while service.spread() {}
    retract(&mut service, "1");
    assert_eq!(service.stats().spreading, 1, "not in one call");
    assert_eq!(told(&mut service), [], "to nobody");
}

#[test]
fn what_was_taken_back_while_its_push_was_on_its_way_does_not_count() {
    let mut service = service(30);
    say(&mut service, "1");
    let pushes = service.take_pushes(ALL, Scope::AllRooms);
    retract(&mut service, "1");
    for push in &pushes {
        service.reply(push, Outcome::Delivered);
    }
    say(&mut service, "2");
    let told = told(&mut service);
    assert!(told.iter().filter(|(_, count, _)| *count == 1).count() >= pushes.len(), "{told:?}");
}

#[test]
fn nothing_is_pushed_of_a_room_that_is_destroyed_meanwhile() {
    let mut service = service(100);
    let other = member(99);
    service.read(HALL, &[&other], &[]);
    service.say(ORCHARD, "1");
    while service.spread() {}
    service.say(HALL, "2");
    let pushes = service.take_pushes(1, Scope::AllRooms);
    service.say(ORCHARD, "3");
    service.room_destroyed(ORCHARD);
    assert!(!service.is_wanted(&pushes[0].id) || pushes[0].user == other, "what was on its way too");
    assert_eq!(service.stats().spreading, 1, "what is left of the room");
    service.reply(&pushes[0], Outcome::Transient);
    assert_eq!(told(&mut service), each([99], 1, "2"));
    assert_eq!(service.stats().spreading, 0);
}

#[test]
fn what_bounces_while_it_comes_to_the_others_counts_once() {
    let mut service = service(40);
    let (absent, leaves) = (member(0), member(1));
    service.occupant_present(ORCHARD, &leaves, "One");
    let sent = service.now;
    service.say(ORCHARD, "But soft!");
    service.wait(1.0);
    let message = groupchat(ORCHARD, "<body>But soft!</body>");
    let bounce = |user: &str, gone: Option<&str>, service: &mut Service| {
        service.handle_bounce(Bounce {
            room: ORCHARD,
            user,
            gone_nick: gone,
            sender: Some(ROMEO),
            reply_author: None,
            message: Some(&message),
            message_key: "m",
            sent: Some(muc_cloud_notify_core::Instant::from_seconds(sent)),
            privacy: PRIVATE,
            keep_original: false,
        })
    };
    assert_eq!(bounce(&absent, None, &mut service), 0, "it is told as all the others are");
    assert_eq!(bounce(&leaves, Some("One"), &mut service), 1);
    service.occupant_gone(ORCHARD, &leaves, "One");
    assert_eq!(told(&mut service), each(0..40, 1, "But soft!"));
}

#[test]
fn a_message_that_was_held_is_not_pushed_to_those_who_were_there() {
    let mut service = service(40);
    let present: Vec<String> = (0..40).filter(|number| number % 4 == 0).map(member).collect();
    service.handle_message(Broadcast {
        room: ORCHARD,
        sender: Some(&member(1)),
        reply_author: None,
        message: &groupchat(ORCHARD, "<body>But soft!</body>"),
        privacy: PRIVATE,
        keep_original: false,
        present: &present,
    });
    let expected = (0..40).filter(|number| number % 4 != 0 && *number != 1);
    assert_eq!(told(&mut service), each(expected, 1, "But soft!"));
}

#[test]
fn a_mention_is_found_in_every_part_of_a_room() {
    let mut service = service(35);
    for number in 0..35 {
        let (jid, nick) = (member(number), format!("Member {number}"));
        service.occupant_present(ORCHARD, &jid, &nick);
        service.occupant_gone(ORCHARD, &jid, &nick);
    }
    let public = RoomPrivacy { members_only: false, public: true };
    service.broadcast(ORCHARD, Some(ROMEO), public, "<body>Member 3, Member 17 and Member 33: hi</body>");
    assert_eq!(
        told(&mut service).into_iter().map(|(user, ..)| user).collect::<Vec<_>>(),
        [member(17), member(33), member(3)]
    );
}

#[test]
fn members_without_a_device_are_forgotten_bit_by_bit() {
    let mut service = service(60);
    for number in 0..45 {
        service.disable(&member(number), None);
    }
    assert!(service.is_anybody_absent(ORCHARD));
    service.say(ORCHARD, "But soft!");
    assert_eq!(told(&mut service), each(45..60, 1, "But soft!"));
    for number in 45..60 {
        service.disable(&member(number), None);
    }
    service.say(ORCHARD, "It is the east.");
    assert_eq!((told(&mut service), service.is_anybody_absent(ORCHARD)), (Vec::new(), false));
}

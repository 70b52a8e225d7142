//! How much has yet to come to members at most, and that nobody else waits for it.

use std::collections::HashSet;

use muc_cloud_notify_core::{Options, RoomPrivacy, work_done};
use muc_cloud_notify_testing::driver::{Outcome, Scope};
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::mention_of;

use super::{member, retract, say, service, told};

#[test]
fn a_room_that_is_far_behind_takes_no_more() {
    let mut service = service(30);
    for number in 0..1010 {
        say(&mut service, &number.to_string());
    }
    assert_eq!(service.stats().spreading, 1000);
    let told = told(&mut service);
    assert_eq!(told.len(), 30);
    assert!(told.iter().all(|(_, count, text)| (*count, text.as_str()) == (1000, "999")), "{told:?}");
}

/// What fan-outs may take.
const MOST: usize = 8 << 20;

#[test]
fn what_long_messages_take_before_they_have_come_to_everybody_is_bounded() {
    const ROOMS: usize = 8;
    const TEXT: usize = 16_000;
    let mut service = Service::new(Options { members_at_once: 1, ..with_body() });
    let members: Vec<String> = (0..3).map(member).collect();
    members.iter().for_each(|jid| _ = service.enable(jid, jid));
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let rooms: Vec<String> = (0..ROOMS).map(|number| format!("room{number}@conference.example")).collect();
    rooms.iter().for_each(|room| service.read(room, &members, &[]));
    let mut most = 0;
    for number in 0..1000 {
        service.say(&rooms[0], &"a ".repeat(TEXT / 2));
        most = most.max(service.spreading_weight());
        assert!(most <= MOST, "{most}");
        assert_eq!(service.stats().spreading, number + 1, "each of them counts");
    }
    assert!(most > MOST / 8, "{most}");
    assert!(most <= 2 * 1000 * TEXT, "no more than twice of what was sent: {most}");
    for room in &rooms[1..] {
        for _ in 0..100 {
            service.say(room, &"a ".repeat(TEXT / 2));
        }
        assert!(service.spreading_weight() <= MOST, "{}", service.spreading_weight());
    }
    assert!(service.stats().spreading >= 1000 + (ROOMS - 1) * 16, "a few of each room");
    while service.spread() {}
    assert_eq!(service.spreading_weight(), 0);
    service.say(&rooms[0], "a");
    assert!(service.spreading_weight() > 0);
    service.room_destroyed(&rooms[0]);
    assert_eq!(service.spreading_weight(), 0);
}

#[test]
fn who_is_named_by_address_is_mentioned_where_there_is_no_space_for_words() {
    let public = RoomPrivacy { members_only: false, public: true };
    for is_far_behind in [false, true] {
        let mut service = service(40);
        for number in 0..40 {
            let (jid, nick) = (member(number), format!("Member{number}"));
            service.occupant_present(ORCHARD, &jid, &nick);
            service.occupant_gone(ORCHARD, &jid, &nick);
        }
        service.broadcast(ORCHARD, Some(ROMEO), public, "<body>Member39 and Member0: hi</body>");
        for _ in 0..if is_far_behind { 30 } else { 1 } {
            service.broadcast(ORCHARD, Some(ROMEO), public, &format!("<body>{}</body>", "a ".repeat(8000)));
        }
        let content = format!("<body>Member1, Member2: hi</body>{}", mention_of(&member(2)));
        service.broadcast(ORCHARD, Some(ROMEO), public, &content);
        let text = "Member1, Member2: hi".repeat(300);
        service.broadcast(
            ORCHARD,
            Some(ROMEO),
            public,
            &format!("<body>{}</body>{}", text, mention_of(&member(3))),
        );
        let users: Vec<String> = told(&mut service).into_iter().map(|(user, ..)| user).collect();
        assert!([0, 2, 3, 39].iter().all(|number| users.contains(&member(*number))), "{users:?}");
        assert!(users.contains(&member(1)), "one that is short is kept with its words");
    }
}

#[test]
fn what_is_taken_back_in_a_room_that_is_far_behind_is_told_to_nobody() {
    let mut service = service(30);
    for number in 0..1000 {
        say(&mut service, &number.to_string());
    }
    retract(&mut service, "999");
    for _ in 0..2000 {
        retract(&mut service, "another");
    }
    assert_eq!(service.stats().spreading, 2000, "there is a bound for these too");
    let told = told(&mut service);
    assert_eq!(told.len(), 30);
    assert!(told.iter().all(|(_, count, text)| (*count, text.as_str()) == (999, "New Message!")), "{told:?}");
}

#[test]
fn a_user_of_another_room_waits_for_nobody() {
    let mut service = service(30);
    service.enable(JULIET, "juliet");
    service.enable(NURSE, "nurse");
    service.read(HALL, &[JULIET, NURSE], &[]);
    service.say(ORCHARD, "1");
    assert_eq!(service.say(HALL, "2"), 2);
    let users: Vec<String> = service.pushes().into_iter().map(|push| push.user).collect();
    assert!(users.iter().any(|user| user == JULIET) && users.iter().any(|user| user == NURSE));
}

#[test]
fn a_push_is_not_held_up_by_what_spreads_in_very_many_rooms() {
    const ROOMS: usize = 100;
    const MEMBERS: usize = 30;
    const MESSAGES: usize = 50;
    let mut service = Service::with_juliet(Options { members_at_once: 1, push_interval: 0.0, ..with_body() });
    let members: Vec<String> = (0..MEMBERS).map(member).collect();
    for jid in &members {
        service.enable(jid, jid);
    }
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    for room in (0..ROOMS).map(|number| format!("room{number}@conference.example")) {
        service.read(&room, &members, &[]);
        service.say(&room, "But soft!");
    }
    service.read(HALL, &[JULIET], &[]);
    let (before, mut pushed, mut users) = (work_done(), 0, HashSet::new());
    for _ in 0..MESSAGES {
        service.say(HALL, "Juliet!");
        for push in service.take_pushes(8, Scope::AllRooms) {
            pushed += 1;
            service.reply(&push, Outcome::Delivered);
            users.insert(push.user);
        }
    }
    assert_eq!(service.stats().spreading, ROOMS, "nothing is done");
    assert!(pushed > MESSAGES && users.contains(JULIET), "{pushed}");
    // Each of them is looked at once for each room, and for what spreads there. A message takes some steps of its own.
    let looked_at = work_done() - before;
    assert!(looked_at <= users.len() * 2 * ROOMS + MESSAGES * 50, "{looked_at} for {pushed}");

    // Whoever was told of all that there was hears of what comes after that.
    service.say("room0@conference.example", "It is the east.");
    let told = told(&mut service);
    let counts = members
        .iter()
        .map(|jid| told.iter().filter(|(user, ..)| user == jid).map(|(_, count, _)| *count).max());
    assert!(counts.into_iter().all(|count| count == Some(ROOMS as u32 + 1)), "{told:?}");
}

#[test]
fn a_push_waits_for_its_owner_to_be_told_of_very_much_bit_by_bit() {
    const ROOMS: usize = 100;
    const MESSAGES: usize = 40;
    let mut service = Service::with_juliet(Options { members_at_once: 1, ..Options::default() });
    let members = [JULIET.to_owned(), member(0), member(1)];
    members[1..].iter().for_each(|jid| _ = service.enable(jid, jid));
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    for room in (0..ROOMS).map(|number| format!("room{number}@conference.example")) {
        service.read(&room, &members, &[]);
        for _ in 0..MESSAGES {
            service.say(&room, "But soft!");
        }
    }
    assert!(service.stats().spreading >= ROOMS * MESSAGES - 1, "{}", service.stats().spreading);
    let (mut push, mut calls) = (None, 0);
    while push.is_none() {
        let before = work_done();
        push = service.poll_push(Scope::AllRooms);
        let looked_at = work_done() - before;
        assert!(looked_at <= 1000 + MESSAGES + ROOMS + 100, "{looked_at}");
        calls += 1;
        assert!(calls < 20, "it does come");
        assert!(push.is_some() || service.next_deadline() == Some(service.now), "at once");
    }
    assert!(calls >= 4);
    let push = service.publish(&push.unwrap());
    assert_eq!(push.count() as usize, ROOMS * MESSAGES, "of all of it");
}

//! A start where it cannot be said which accounts of a host have devices: what the last run has left for them is theirs all the same.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Detail, Publish, Way};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, ROMEO};
use muc_cloud_notify_testing::service::Service;

/// That of Juliet and her nurse.
const HOST: &str = "capulet.example";

fn with_accounts(users: &[&str]) -> Service {
    let mut service = Service::new(Options::default());
    for user in users {
        service.set_account(user, true);
    }
    service.read(ORCHARD, users, &[]);
    service.read(HALL, users, &[]);
    service
}

/// Juliet was told of one message, and has yet to hear of another one that mentions her.
fn with_one_pending() -> Journaled {
    let mut service = Journaled::new(with_accounts(&[JULIET]), Options::default());
    service.say(ORCHARD, "1");
    let push = service.push_written();
    service.handed_over(&push.id);
    service.mention(ORCHARD, JULIET, "2");
    service.write_all();
    service
}

/// A start at which nothing can be said of the accounts of the host.
fn started(service: &Journaled) -> Journaled {
    service.killed_after(|service| service.await_accounts(HOST))
}

/// The same, with the rooms read in which something waits.
fn started_and_read(service: &Journaled, members: &[&str]) -> Journaled {
    let mut started = started(service);
    for room in started.awaited_rooms() {
        started.read(&room, members, &[]);
    }
    started
}

fn assert_is_pending(push: &Publish) {
    assert_eq!((&*push.user, push.way, push.count(), push.mentioned), (JULIET, Some(Way::Account), 2, true));
}

fn accounts(service: &Service) -> usize {
    service.stats().accounts
}

#[test]
fn a_kill_loses_nothing() {
    let mut started = started(&with_one_pending());
    assert_eq!((accounts(&started), started.awaited_rooms()), (1, vec![ORCHARD.to_owned()]));
    started.write_all();
    started.assert_quiet("the room was not read");
    started.read(ORCHARD, &[JULIET], &[]);
    assert_is_pending(&started.push_written());
}

#[test]
fn where_it_is_known_who_has_devices_nobody_is_presumed_to() {
    for is_compact in [false, true] {
        let mut service = with_one_pending();
        if is_compact {
            service.compact_when_written();
        }
        let mut elsewhere = service.killed_after(|service| service.await_accounts("montague.example"));
        let mut listed = service.killed_after(|service| _ = service.set_account(NURSE, true));
        for started in [&mut elsewhere, &mut listed] {
            started.read(ORCHARD, &[JULIET], &[]);
            started.write_all();
            started.assert_quiet("she has no devices any more");
            assert!(!started.is_registered(JULIET));
            assert_eq!((started.presumed_account(HOST), started.awaited_rooms().len()), (None, 0));
        }
    }
}

#[test]
fn nothing_is_lost_at_one_kill_after_the_other() {
    let mut service = with_one_pending();
    for _ in 0..3 {
        service = started(&service);
    }
    assert_is_pending(&started_and_read(&service, &[JULIET]).push_written());
    for _ in 0..3 {
        service = started_and_read(&service, &[JULIET]);
        service.compact_when_written();
        service = started(&service);
        service.compact_when_written();
    }
    assert_is_pending(&started_and_read(&service, &[JULIET]).push_written());
}

#[test]
fn what_was_said_since_the_first_kill_is_there_after_the_second() {
    let mut first = started_and_read(&with_one_pending(), &[JULIET]);
    first.say(ORCHARD, "3");
    first.write_all();
    let mut second = started_and_read(&first, &[JULIET]);
    assert_eq!(second.push_written().count(), 3);
}

#[test]
fn a_clean_stop_loses_nothing_whether_the_rooms_were_read_or_not() {
    for is_read in [true, false] {
        let mut first = started(&with_one_pending());
        if is_read {
            first.read(ORCHARD, &[JULIET], &[]);
        }
        first.finish();
        assert_is_pending(&started_and_read(&first, &[JULIET]).push_written());
    }
}

#[test]
fn without_a_journal_a_stop_loses_nothing_either() {
    let mut before = with_accounts(&[JULIET, ROMEO]);
    before.say_as(ORCHARD, None, "1");
    for _ in 0..2 {
        let parts = before.snapshot_parts(500, Detail::Words);
        let mut after = Service::restarted(5.0, Options::default(), before.store.clone());
        after.await_accounts(HOST);
        parts.iter().for_each(|part| assert_eq!(after.restore_part(part), 0));
        assert_eq!((after.is_registered(JULIET), after.is_registered(ROMEO)), (true, false));
        before = after;
    }
    before.read(ORCHARD, &[JULIET, ROMEO], &[]);
    let push = before.push();
    assert_eq!((&*push.user, push.count()), (JULIET, 1));
}

#[test]
fn the_rules_are_those_of_any_device() {
    let service = with_one_pending();
    let quiet = |mut started: Journaled, why| {
        started.write_all();
        started.assert_quiet(why);
    };
    quiet(started_and_read(&service, &[]), "she is no member");
    let mut present = started(&service);
    present.read(ORCHARD, &[JULIET], &[(JULIET, "Juliet")]);
    quiet(present, "she is there");
    let mut blocked = started(&service);
    blocked.set_blocked(JULIET, &[ORCHARD]);
    blocked.read(ORCHARD, &[JULIET], &[]);
    quiet(blocked, "she has blocked the room");
    let mut gone = started(&service);
    gone.room_destroyed(ORCHARD);
    quiet(gone, "the room is gone");
    let mut disabled = started_and_read(&service, &[JULIET]);
    disabled.set_suspended(JULIET, true);
    disabled.write_all();
    disabled.assert_quiet("her account is disabled");
    disabled.set_suspended(JULIET, false);
    assert_is_pending(&disabled.push());
}

#[test]
fn who_has_devices_goes_on_as_before_once_that_is_known() {
    let mut started = started_and_read(&with_one_pending(), &[JULIET]);
    assert_eq!(started.presumed_account(HOST).as_deref(), Some(JULIET));
    assert!(!started.set_account(JULIET, true), "her rooms are known");
    assert_eq!(started.presumed_account(HOST), None);
    assert_is_pending(&started.push_written());
}

#[test]
fn who_has_none_leaves_nothing() {
    let mut service = Journaled::new(with_accounts(&[JULIET, NURSE, ROMEO]), Options::default());
    service.say_as(ORCHARD, None, "to all");
    service.write_all();
    let mut started = started_and_read(&service, &[JULIET, NURSE, ROMEO]);
    assert_eq!(accounts(&started), 2, "Romeo is of another host");
    let mut presumed = Vec::new();
    while let Some(user) = started.presumed_account(HOST) {
        started.set_account(&user, user == NURSE);
        presumed.push(user);
    }
    presumed.sort();
    assert_eq!((presumed, accounts(&started)), (vec![JULIET.to_owned(), NURSE.to_owned()], 1));
    let push = started.push_written();
    assert_eq!((&*push.user, push.count()), (NURSE, 1));
    started.handed_over(&push.id);
    started.compact_when_written();
    let mut again = started_and_read(&started, &[JULIET, NURSE]);
    assert_eq!((accounts(&again), again.presumed_account(HOST).as_deref()), (1, Some(NURSE)));
}

#[test]
fn whom_it_is_known_of_already_is_not_asked_about() {
    let mut started = started(&with_one_pending());
    started.set_account(JULIET, false);
    assert_eq!((accounts(&started), started.presumed_account(HOST)), (0, None));
}

#[test]
fn a_device_that_is_registered_comes_first() {
    let mut service = with_one_pending();
    service.enable(JULIET, "phone");
    service.write_all();
    let mut killed = started_and_read(&service, &[JULIET]);
    let push = killed.push_written();
    assert_eq!((push.way, push.count(), accounts(&killed)), (None, 2, 0));
    let mut first = started_and_read(&with_one_pending(), &[JULIET]);
    first.enable(JULIET, "phone");
    let push = first.push_written();
    assert_eq!((push.way, push.count()), (None, 2), "it takes over what is unread");
    first.disable(JULIET, None);
    assert!(first.is_registered(JULIET), "her account may have some still");
}

#[test]
fn an_account_that_began_anew_has_nothing_of_what_was_before() {
    let mut service = Journaled::new(with_accounts(&[JULIET]), Options::default());
    service.say(ORCHARD, "1");
    service.write_all();
    service.set_account(JULIET, false);
    service.write_all();
    let mut gone = started_and_read(&service, &[JULIET]);
    gone.write_all();
    gone.assert_quiet("it had none any more");
    service.set_account(JULIET, true);
    service.read(ORCHARD, &[JULIET], &[]);
    service.say(ORCHARD, "2");
    service.write_all();
    assert_eq!(started_and_read(&service, &[JULIET]).push_written().count(), 1);
}

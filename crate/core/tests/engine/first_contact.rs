//! First contact: a client says which domain is to be pushed to, and the domain was not asked. Until it has taken a publish it
//! gets few, whoever names it; when it does, as many as it can take.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Publish};
use muc_cloud_notify_testing::names::ORCHARD;
use muc_cloud_notify_testing::service::Service;

const DAY: f64 = 86400.0;
const ANY_ANSWER: [Option<Outcome>; 4] =
    [None, Some(Outcome::Silent), Some(Outcome::Rejected), Some(Outcome::Transient)];

/// A service where so many users, members of a room, have a device at what `app_server` says.
fn service(users: usize, options: Options, app_server: impl Fn(usize) -> String) -> Service {
    let mut service = Service::new(options);
    enable(&mut service, users, app_server);
    service
}

fn enable(service: &mut Service, users: usize, app_server: impl Fn(usize) -> String) {
    let jids: Vec<String> = (0..users).map(|user| format!("user{user}@capulet.example")).collect();
    for (user, jid) in jids.iter().enumerate() {
        service.enable_at(jid, &app_server(user), "phone");
    }
    service.read(ORCHARD, &jids.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
}

fn disable_all(service: &mut Service, users: usize) {
    for user in 0..users {
        let jid = format!("user{user}@capulet.example");
        service.set_registrations(&jid, Vec::new(), None);
        service.store.remove(&jid);
    }
}

fn answer(service: &mut Service, pushes: &[Publish], answer: Option<Outcome>) {
    for push in pushes {
        if let Some(outcome) = answer {
            service.reply(push, outcome);
        }
    }
}

/// How many publishes leave in so many seconds, all of which get this answer. The engine is called when it asks for it.
fn sent_within(service: &mut Service, seconds: f64, outcome: Option<Outcome>) -> usize {
    let end = service.now + seconds;
    let mut sent = 0;
    loop {
        let (pushes, _) = service.take_due(1, muc_cloud_notify_testing::driver::Scope::AllRooms);
        answer(service, &pushes, outcome);
        sent += pushes.len();
        if pushes.is_empty() {
            match service.next_deadline() {
                Some(at) if at <= end => service.now = service.now.max(at),
                _ => break,
            }
        }
    }
    service.now = end;
    sent
}

#[test]
fn who_never_asked_gets_ten_and_then_probes_that_become_rare() {
    for outcome in ANY_ANSWER {
        let mut service = service(300, Options::default(), |user| format!("d{user}@victim.example/x"));
        service.say(ORCHARD, "But soft!");
        let first = sent_within(&mut service, 9.0, outcome);
        assert_eq!(first, if outcome.is_none() { 10 } else { 5 }, "{outcome:?}: answers are heard at once");
        let probes = sent_within(&mut service, DAY, outcome);
        assert!((20..=40).contains(&probes), "{outcome:?}: {probes} probes in a day");
        for _ in 0..24 {
            service.say(ORCHARD, "Ay me!");
            assert!(sent_within(&mut service, 3600.0, outcome) <= 1, "{outcome:?}: one an hour in the end");
        }
    }
}

#[test]
fn what_has_failed_makes_room_for_nothing_before_a_first_result() {
    let mut service = service(100, Options::default(), |_| "victim.example".to_owned());
    service.say(ORCHARD, "But soft!");
    let pushes = service.pushes();
    assert_eq!(pushes.len(), 10);
    // One more would open the circuit breaker.
    answer(&mut service, &pushes[..4], Some(Outcome::Silent));
    service.assert_quiet("so many are not sent twice to one who may never have asked");
    answer(&mut service, &pushes[4..5], Some(Outcome::Delivered));
    assert!(!service.pushes().is_empty(), "it takes them");
}

#[test]
fn nobody_else_answers_for_a_domain_where_the_device_is_gone() {
    for (from, sent) in [("victim.example", 100), ("evil.example", 0), ("victim.example/evil", 0)] {
        let mut service = service(100, Options::default(), |_| "victim.example".to_owned());
        service.say(ORCHARD, "But soft!");
        let pushes = service.pushes();
        disable_all(&mut service, 100);
        for push in &pushes {
            service.handle_reply(&push.id, from, Outcome::Delivered);
        }
        enable(&mut service, 100, |_| "victim.example".to_owned());
        service.say(ORCHARD, "Ay me!");
        assert_eq!(service.pushes().len(), sent, "{from}");
    }
}

#[test]
fn what_was_learnt_is_the_domain_s_and_does_not_go_with_its_devices() {
    for outcome in ANY_ANSWER {
        let mut service = service(50, Options::default(), |user| format!("d{user}@victim.example"));
        service.say(ORCHARD, "But soft!");
        let mut sent = sent_within(&mut service, 9.0, outcome);
        for round in 0..50 {
            disable_all(&mut service, 50);
            enable(&mut service, 50, |user| format!("victim.example/{round}-{user}"));
            service.say(ORCHARD, "But soft!");
            sent += sent_within(&mut service, 9.0, outcome);
        }
        // In 450 s, during which the delays grow from 10 s.
        assert!((5..=16).contains(&sent), "{outcome:?}: {sent}");
    }
}

#[test]
fn ten_thousand_users_of_an_app_server_that_answers_are_at_full_speed_after_six_rounds() {
    let mut service = service(10_000, Options::default(), |_| "push.example".to_owned());
    service.say(ORCHARD, "But soft!");
    let (mut rounds, mut left) = (Vec::new(), 10_000);
    while left > 0 {
        let pushes = service.pushes();
        left -= pushes.len();
        rounds.push(pushes.len());
        answer(&mut service, &pushes, Some(Outcome::Delivered));
    }
    // With each result the window doubles: the first ten make it as wide as it gets.
    assert_eq!(rounds[..2], [10, 500], "a round takes as long as an app server takes to answer");
    assert_eq!(rounds.len(), 21);
}

#[test]
fn no_more_than_the_operator_wants_are_on_their_way_to_a_domain() {
    for most in [1, 3, 40] {
        let options = Options { max_in_flight: most, ..Options::default() };
        let mut service = service(100, options, |user| format!("push.example/{}", user % 7));
        service.say(ORCHARD, "But soft!");
        let mut sent = 0;
        while sent < 100 {
            let pushes = service.pushes();
            assert!((1..=most as usize).contains(&pushes.len()), "{most}: {}", pushes.len());
            // Those of app servers that have taken none wait for a while, so that they leave half to the others.
            assert!(
                service.next_deadline().is_some_and(|at| at >= service.now + 5.0),
                "{most}: nothing can be done meanwhile"
            );
            sent += pushes.len();
            answer(&mut service, &pushes, Some(Outcome::Delivered));
        }
        assert_eq!(service.stats().parked, 0);
    }
}

#[test]
fn a_domain_that_has_never_answered_is_not_stuck_with_a_small_window() {
    for outcome in ANY_ANSWER {
        let options = Options { max_in_flight: 1, ..Options::default() };
        let mut service = service(20, options, |_| "push.example".to_owned());
        service.say(ORCHARD, "But soft!");
        assert!(sent_within(&mut service, DAY, outcome) >= 20, "{outcome:?}");
        service.say(ORCHARD, "Ay me!");
        assert!(sent_within(&mut service, DAY, Some(Outcome::Delivered)) >= 20, "{outcome:?}");
        assert_eq!(service.stats().queued, 0, "{outcome:?}");
    }
}

#[test]
fn an_app_server_that_was_down_at_first_gets_everything_when_it_is_back() {
    let mut service = service(200, Options::default(), |_| "push.example".to_owned());
    service.say(ORCHARD, "But soft!");
    sent_within(&mut service, 3600.0, Some(Outcome::Silent));
    let sent = sent_within(&mut service, 2600.0, Some(Outcome::Delivered));
    assert_eq!(sent, 200, "with the first probe that it answers");
    assert_eq!((service.stats().queued, service.stats().parked), (0, 0));
}

#[test]
fn a_few_users_that_are_refused_do_not_stop_a_domain_that_answers_others() {
    let mut service = service(100, Options::default(), |_| "push.example".to_owned());
    service.acquaint("user0@capulet.example");
    for _ in 0..5 {
        service.say(ORCHARD, "But soft!");
        let mut sent = 0;
        while service.stats().queued > 0 {
            let pushes = service.pushes();
            assert!(pushes.len() >= 10, "{}", pushes.len());
            for (number, push) in pushes.iter().enumerate() {
                service.reply(push, if number % 2 == 0 { Outcome::Rejected } else { Outcome::Delivered });
            }
            sent += pushes.len();
        }
        assert_eq!(sent, 100);
    }
}

#[test]
fn one_app_server_of_a_domain_that_is_silent_concerns_no_other() {
    let app_server = |user: usize| format!("{}@push.example", if user < 20 { "silent" } else { "well" });
    let mut service = service(40, Options::default(), app_server);
    service.acquaint("user30@capulet.example");
    let mut silent = 0;
    for minute in 0..120 {
        service.say(ORCHARD, "But soft!");
        let mut well = 0;
        loop {
            let pushes = service.pushes();
            let is_well = |push: &&Publish| push.app_server.as_str() == "well@push.example";
            let taken: Vec<&Publish> = pushes.iter().filter(is_well).collect();
            well += taken.len();
            silent += pushes.len() - taken.len();
            if taken.is_empty() {
                break;
            }
            taken.into_iter().for_each(|push| {
                service.reply(push, Outcome::Delivered);
            });
        }
        assert_eq!(well, 20, "minute {minute}");
        service.wait(60.0);
    }
    assert!((20..=40).contains(&silent), "{silent}: its own breaker has opened");
}

#[test]
fn a_push_that_is_withdrawn_is_no_probe() {
    let mut service = service(30, Options::default(), |_| "push.example".to_owned());
    service.say(ORCHARD, "But soft!");
    sent_within(&mut service, 9.0, Some(Outcome::Silent));
    service.wait(30.0);
    let probe = service.pushes().pop().expect("a probe");
    service.withdraw(&probe.id);
    let next = service.pushes().pop().expect("the next one is the probe");
    assert_ne!(next.user, probe.user);
}

#[test]
fn thirty_new_domains_a_minute_are_written_to() {
    let options = Options { app_servers: None, ..Options::default() };
    let mut service = service(300, options, |user| format!("d{user}.example"));
    service.say(ORCHARD, "But soft!");
    assert_eq!(sent_within(&mut service, 1.0, Some(Outcome::Delivered)), 30);
    assert_eq!(service.next_deadline(), Some(service.now + 1.0), "and not before");
    assert_eq!(service.stats().parked, 270);
    assert_eq!(sent_within(&mut service, 59.0, Some(Outcome::Delivered)), 30);
    assert_eq!(sent_within(&mut service, 539.0, Some(Outcome::Delivered)), 240);
    service.say(ORCHARD, "Ay me!");
    assert_eq!(sent_within(&mut service, 0.0, Some(Outcome::Delivered)), 300, "they are known");
}

#[test]
fn who_names_many_domains_of_their_own_does_not_delay_another_one() {
    let honest = 99;
    let mut service = service(100, Options::default(), |user| {
        if user == honest { "push.honest.example".to_owned() } else { format!("d{user}.evil.test") }
    });
    service.say(ORCHARD, "But soft!");
    let mut sent = 0;
    while !service.pushes().iter().any(|push| push.app_server.as_str() == "push.honest.example") {
        sent += 1;
        service.wait_for_deadline();
        assert!(sent < 5, "it is the next one");
    }
}

#[test]
fn what_the_operator_has_named_is_no_stranger() {
    let named: Vec<String> = (0..100).map(|user| format!("d{user}.example")).collect();
    let options = Options { app_servers: Some(named), ..Options::default() };
    let mut service = service(100, options, |user| format!("d{user}.example"));
    service.say(ORCHARD, "But soft!");
    assert_eq!(service.pushes().len(), 100);
}

#[test]
fn a_device_that_comes_and_goes_leaves_nothing_in_the_queue() {
    let mut service = service(30, Options::default(), |_| "victim.example".to_owned());
    service.say(ORCHARD, "But soft!");
    sent_within(&mut service, 9.0, Some(Outcome::Rejected));
    for _ in 0..100 {
        disable_all(&mut service, 30);
        assert_eq!((service.stats().queued, service.stats().parked), (0, 0));
        enable(&mut service, 30, |_| "victim.example".to_owned());
        service.say(ORCHARD, "But soft!");
        service.assert_quiet("it was asked");
        assert_eq!((service.stats().queued, service.stats().parked), (30, 30));
    }
}

#[test]
fn what_is_known_of_domains_outlives_a_restart() {
    for outcome in ANY_ANSWER {
        let mut before = service(300, Options::default(), |_| "victim.example".to_owned());
        let mut sent = 0;
        for restart in 0..20 {
            before.say(ORCHARD, "But soft!");
            sent += sent_within(&mut before, 5.0, outcome);
            let snapshot = before.snapshot();
            let mut after =
                Service::restarted(f64::from(restart) * 77.0, Options::default(), before.store.clone());
            let rooms = after.restore(&snapshot);
            assert_eq!(rooms, [ORCHARD]);
            let jids: Vec<String> = (0..300).map(|user| format!("user{user}@capulet.example")).collect();
            after.read(ORCHARD, &jids.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
            before = after;
        }
        assert!((5..=14).contains(&sent), "{outcome:?}: {sent} in 100 s and 20 restarts");
    }
    let mut before = service(300, Options::default(), |_| "push.example".to_owned());
    before.acquaint("user0@capulet.example");
    let snapshot = before.snapshot();
    let mut after = Service::restarted(0.0, Options::default(), before.store.clone());
    after.restore(&snapshot);
    enable(&mut after, 300, |_| "push.example".to_owned());
    after.say(ORCHARD, "But soft!");
    assert_eq!(after.pushes().len(), 300, "at full speed");
}

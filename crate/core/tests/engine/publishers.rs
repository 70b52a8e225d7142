//! Publishes that leave from other hosts than the service: each has links of its own.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Handling, Outcome, Publish};
use muc_cloud_notify_testing::names::{HOST, JULIET, NURSE, ORCHARD, PUSHER, ROMEO};
use muc_cloud_notify_testing::service::{Service, nodes};

const ACCOUNTS: &str = "capulet.example";
const OTHER_ACCOUNTS: &str = "montague.example";

/// A push to each of two devices is on its way, that to the phone from the host of the account.
fn service() -> (Service, Vec<Publish>) {
    let mut service = Service::new(Options::default());
    service.enable(JULIET, "phone");
    service.enable(NURSE, "tablet");
    service.read(ORCHARD, &[JULIET, NURSE], &[]);
    service.acquaint(JULIET);
    service.say_as(ORCHARD, Some(ROMEO), "1");
    let pushes = service.pushes();
    assert_eq!(nodes(&pushes), ["phone", "tablet"]);
    for push in pushes.iter().filter(|push| push.user == JULIET) {
        service.set_publisher(&push.id, ACCOUNTS);
    }
    (service, pushes)
}

fn push_to<'a>(pushes: &'a [Publish], user: &str) -> &'a Publish {
    pushes.iter().find(|push| push.user == user).expect("there is one")
}

#[test]
fn with_the_link_of_one_host_only_what_is_from_there_is_lost() {
    for (host, lost) in [
        (ACCOUNTS, &["phone"][..]),
        (HOST, &["tablet"][..]),
        (OTHER_ACCOUNTS, &[][..]),
        ("elsewhere.example", &[][..]),
    ] {
        let (mut service, _) = service();
        service.link_of_host_lost(host, PUSHER);
        assert_eq!(nodes(&service.pushes()), lost, "{host}");
        service.link_of_host_lost(host, "other.example");
        service.assert_quiet("that is another app server");
    }
}

#[test]
fn what_is_on_its_way_from_another_host_is_answered_as_ever() {
    let (mut service, pushes) = service();
    service.link_of_host_lost(ACCOUNTS, PUSHER);
    assert_eq!(service.reply(push_to(&pushes, NURSE), Outcome::Delivered), Handling::Taken);
    assert_eq!(service.reply(push_to(&pushes, JULIET), Outcome::Delivered), Handling::Unknown, "it is lost");
    let again = service.push();
    assert_eq!(again.user, JULIET);
    assert_eq!(service.reply(&again, Outcome::Delivered), Handling::Taken);
}

#[test]
fn with_the_last_link_the_domain_is_away_and_is_probed() {
    let (mut service, _) = service();
    service.link_of_host_lost(ACCOUNTS, PUSHER);
    let again = service.push();
    service.set_publisher(&again.id, ACCOUNTS);
    service.link_of_host_lost(HOST, PUSHER);
    let again = service.pushes();
    assert_eq!(nodes(&again), ["tablet"], "what is on its way from elsewhere says whether it is there");
    service.link_lost(PUSHER);
    service.assert_quiet("nothing is sent before the domain is asked");
    service.link_restored(PUSHER);
    assert!(!service.pushes().is_empty());
}

#[test]
fn what_no_device_waits_for_any_more_ends_with_its_link_alone() {
    for (host, is_ended) in [(OTHER_ACCOUNTS, false), (HOST, false), (ACCOUNTS, true)] {
        let (mut service, _) = service();
        service.configure(Options { max_in_flight: 1, ..Options::default() });
        service.disable(NURSE, None);
        service.disable(JULIET, None);
        service.enable(ROMEO, "phone");
        service.handle_ping(ROMEO);
        service.link_of_host_lost(host, PUSHER);
        service.link_of_host_lost(if is_ended { HOST } else { OTHER_ACCOUNTS }, PUSHER);
        service.link_restored(PUSHER);
        assert_eq!(service.pushes().len(), usize::from(is_ended), "{host}");
    }
}

#[test]
fn a_push_that_is_sent_again_is_from_where_it_is_sent_then() {
    let (mut service, _) = service();
    service.link_of_host_lost(ACCOUNTS, PUSHER);
    let again = service.push();
    service.link_of_host_lost(ACCOUNTS, PUSHER);
    service.assert_quiet("it has left from the service");
    service.reply(&again, Outcome::Delivered);
}

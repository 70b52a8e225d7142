//! What is taken back before a stop, or after the next start.

use muc_cloud_notify_testing::names::{JULIET, ORCHARD, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::mention_of;

use super::{CORRECT, IMPORTANT, NO_WAYS, WAYS, restart, retract, revise, say, send};

#[test]
fn what_is_taken_back_before_a_stop_is_not_stored() {
    for (sender, content, id) in WAYS {
        for is_in_flight in [false, true] {
            let mut service = Service::with_juliet(with_body());
            say(&mut service, "secret");
            if is_in_flight {
                service.push();
            }
            revise(&mut service, sender, content, id);
            assert!(!format!("{:?}", service.snapshot()).contains("secret"), "{content}");
            restart(&service).assert_quiet("it was taken back");
        }
    }
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "secret");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    assert_eq!(restart(&service).push().body(), Some("corrected"));
}

#[test]
fn what_is_taken_back_after_a_restart_is_not_told() {
    for is_in_flight in [false, true] {
        let mut service = Service::with_juliet(with_body());
        say(&mut service, "1");
        say(&mut service, "secret");
        if is_in_flight {
            service.push();
        }
        for (sender, content, id) in WAYS {
            let mut restarted = restart(&service);
            revise(&mut restarted, sender, content, id);
            let push = restarted.push();
            assert_eq!((push.count(), push.body()), (1, IMPORTANT), "{content} {id}");
        }
        for (sender, content, id) in NO_WAYS {
            let mut restarted = restart(&service);
            revise(&mut restarted, sender, content, id);
            let push = restarted.push();
            assert_eq!((push.count(), push.body()), (2, Some("secret")), "{sender:?} {content} {id}");
        }
        let mut restarted = restart(&restart(&service));
        revise(&mut restarted, Some(ROMEO), CORRECT, "secret");
        retract(&mut restarted, "1");
        let push = restarted.push();
        assert_eq!((push.count(), push.body()), (1, Some("corrected")));
    }
}

#[test]
fn it_may_come_before_the_room_is_read() {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "secret");
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    restarted.restore(&service.snapshot());
    retract(&mut restarted, "secret");
    restarted.read(ORCHARD, &[JULIET], &[]);
    restarted.assert_quiet("it was taken back");
}

#[test]
fn what_a_version_before_this_one_has_stored_is_pushed() {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "1");
    send(&mut service, ORCHARD, Some(ROMEO), "2", &format!("<body>2</body>{}", mention_of(JULIET)));
    let mut snapshot = service.snapshot();
    snapshot.messages.clear();
    for pending in
        snapshot.devices.iter_mut().flat_map(|it| &mut it.unread).filter_map(|it| it.pending.as_mut())
    {
        pending.places.clear();
        pending.mentions.clear();
        pending.words = false;
        pending.body = Some("2".to_owned());
    }
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    restarted.restore(&snapshot);
    restarted.read(ORCHARD, &[JULIET], &[]);
    retract(&mut restarted, "2");
    let push = restarted.push();
    assert_eq!(
        (push.count(), push.body(), push.mentioned),
        (2, Some("2"), true),
        "nobody can tell which it was"
    );
}

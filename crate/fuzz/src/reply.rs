//! Answers in the name of app servers, expected ones and others.

use std::collections::HashMap;

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Handling, Outcome, Publish, Scope};
use muc_cloud_notify_testing::names::{JULIET, NURSE, ORCHARD};
use muc_cloud_notify_testing::service::Service;

use crate::choices::Choices;

const OUTCOMES: [Outcome; 4] = [Outcome::Delivered, Outcome::Transient, Outcome::Silent, Outcome::Rejected];

/// An answer counts once, with the id of a publish that is on its way and from whom it went to; a device has one on its way.
pub(crate) fn run(bytes: &[u8]) {
    let choices = &mut Choices::new(bytes);
    let mut service = Service::new(Options { max_errors: 1 + choices.below(4) as u32, ..Options::default() });
    for (user, node) in [(JULIET, "a"), (JULIET, "b"), (NURSE, "c")] {
        service.enable_at(user, choices.pick(&["push.example", "other.example", "x@push.example/y"]), node);
    }
    service.read(ORCHARD, &[JULIET, NURSE], &[]);
    let mut on_their_way: HashMap<String, Publish> = HashMap::new();
    let mut last_id = String::new();
    while choices.are_left() {
        match choices.below(8) {
            0 => _ = service.say(ORCHARD, "hello"),
            1 => {
                for push in service.take_due(choices.below(4), Scope::AllRooms).0 {
                    last_id.clone_from(&push.id);
                    on_their_way.insert(push.id.clone(), push);
                }
            }
            2 => service.wait(choices.below(65536) as f64),
            3 => {
                let outcome = OUTCOMES.get(choices.below(OUTCOMES.len())).copied().expect("there is one");
                let push = on_their_way.get(&last_id);
                let (id, from, is_right) = match (choices.below(6), push) {
                    (0, _) => (choices.text(64), "push.example".to_owned(), false),
                    (1, Some(push)) => (push.id.clone(), choices.text(64), false),
                    (2, Some(push)) => (push.id.to_uppercase(), push.app_server.as_str().to_owned(), false),
                    (3, Some(push)) => (push.id.clone(), format!("{}/x", push.app_server.as_str()), false),
                    (_, Some(push)) => (push.id.clone(), push.app_server.as_str().to_owned(), true),
                    (_, None) => (last_id.clone(), "push.example".to_owned(), false),
                };
                let before = service.stats().in_flight;
                let taken = service.handle_reply(&id, &from, outcome);
                let after = service.stats().in_flight;
                if taken == Handling::Unknown {
                    assert_eq!(before, after, "what is no answer changes nothing");
                } else {
                    // An id in capitals, or text that happens to be right, would be the same number.
                    assert!(is_right || id.eq_ignore_ascii_case(&last_id), "{id:?} from {from:?}");
                    assert_eq!(before, after + 1);
                    on_their_way.remove(&last_id);
                }
            }
            4 => _ = service.handle_send_failure(&last_id),
            5 => service.withdraw(&last_id),
            6 => service.suppress(&last_id),
            _ => _ = service.disable(JULIET, None),
        }
        let stats = service.stats();
        assert!(stats.in_flight <= stats.devices);
    }
}

//! A user's record: what `<enable/>` and `<disable/>` (XEP-0357, sections 5 and 6) make of what is stored.

use minidom::Element;
use muc_cloud_notify_core::{
    AppServer, Change, MAX_NODE, Options, Record, Registration, RequestError, StoredTable, StoredValue,
    UnixTime,
};
use muc_cloud_notify_testing::driver::{Driver, prepared};
use muc_cloud_notify_testing::names::JULIET;
use muc_cloud_notify_testing::stanza::{enable_iq, iq};

const FORM: &str = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
    <value>http://jabber.org/protocol/pubsub#publish-options</value></field></x>";

fn engine_at(now: f64) -> Driver {
    Driver::starting_at(now, Options::default())
}

fn enable(record: Record, jid: &str, node: &str, now: f64) -> Change {
    engine_at(now).prepare_enable(JULIET, &enable_iq(jid, node), record).expect("a request in order")
}

fn disable(record: Record, attributes: &str) -> Result<Change, RequestError> {
    engine_at(0.0).prepare_disable(&iq(&format!("<disable xmlns='urn:xmpp:push:0' {attributes}/>")), record)
}

/// A record with these `(app server, node)`, registered in this order.
fn record(registrations: &[(&str, &str)]) -> Record {
    registrations.iter().zip(1_u8..).fold(Record::default(), |record, (&(jid, node), now)| {
        enable(record, jid, node, f64::from(now)).record
    })
}

fn keys(record: &Record) -> Vec<String> {
    let mut keys: Vec<String> =
        record.registrations.iter().map(|registration| registration.push_identifier().into_owned()).collect();
    keys.sort_unstable();
    keys
}

/// A registration as another module may have stored it.
fn stored(key: &str, jid: &str, node: Option<&str>, extra: StoredTable) -> Registration {
    let app_server = AppServer::prepared(&prepared(jid).expect("a JID"));
    Registration::stored(key, app_server, node.map(Into::into), None, UnixTime::from_seconds(0.5))
        .with_extra_fields(extra)
}

#[test]
fn same_app_server_and_node_is_the_same_device() {
    let change = enable(record(&[("push.example", "a"), ("push.example", "b")]), "push.example", "a", 9.0);
    assert_eq!(keys(&change.record), ["push.example<a", "push.example<b"]);
    assert_eq!(change.added.as_deref(), Some("push.example<a"));
    assert_eq!(change.removed, 0, "a replacement is no removal");
    let replaced = change.record.registrations.iter().find(|it| it.push_identifier() == "push.example<a");
    assert_eq!(replaced.map(|it| it.timestamp), Some(UnixTime::from_seconds(9.0)));
}

#[test]
fn another_app_server_or_node_is_another_device() {
    for (case, jid, node) in [
        ("another app server", "push2.example", "a"),
        ("another node", "push.example", "b"),
        ("a node in another case", "push.example", "A"),
        ("no node", "push.example", ""),
        ("a resource of the app server", "push.example/a", "a"),
    ] {
        let change = enable(record(&[("push.example", "a")]), jid, node, 9.0);
        assert_eq!(change.record.registrations.len(), 2, "{case}");
    }
}

#[test]
fn the_last_request_wins() {
    let with_form = format!("<enable xmlns='urn:xmpp:push:0' jid='push.example' node='a'>{FORM}</enable>");
    let with_form = engine_at(1.0).prepare_enable(JULIET, &iq(&with_form), Record::default()).unwrap().record;
    assert!(with_form.registrations[0].publish_options.is_some());
    let without = enable(with_form, "push.example", "a", 2.0).record;
    assert_eq!(without.registrations.len(), 1);
    assert_eq!(without.registrations[0].publish_options, None);
}

#[test]
fn an_app_server_is_the_same_in_another_case() {
    let change = enable(record(&[("push.example", "a")]), "Push.Example", "a", 9.0);
    assert_eq!(keys(&change.record), ["push.example<a"]);

    let old = Record {
        registrations: vec![stored("Push.Example<a", "Push.Example", Some("a"), Vec::new())],
        unreadable: Vec::new(),
    };
    let change = enable(old, "push.example", "a", 9.0);
    assert_eq!(keys(&change.record), ["push.example<a"], "also where it was stored as it was written");
}

#[test]
fn one_device_too_many_removes_the_oldest() {
    let full = record(&[
        ("p.example", "1"),
        ("p.example", "2"),
        ("p.example", "3"),
        ("p.example", "4"),
        ("p.example", "5"),
    ]);
    let change = enable(full.clone(), "p.example", "6", 6.0);
    assert_eq!(
        keys(&change.record),
        ["p.example<2", "p.example<3", "p.example<4", "p.example<5", "p.example<6"]
    );
    assert_eq!(change.removed, 1);

    let renewed = enable(full.clone(), "p.example", "1", 6.0);
    assert_eq!(keys(&renewed.record), keys(&full));
    let change = enable(renewed.record, "p.example", "6", 7.0);
    assert!(
        !keys(&change.record).contains(&"p.example<2".to_owned()),
        "one that was registered again is not the oldest"
    );
    assert!(keys(&change.record).contains(&"p.example<1".to_owned()));

    let backwards = enable(full, "p.example", "6", -1.0);
    assert!(
        keys(&backwards.record).contains(&"p.example<6".to_owned()),
        "the new one stays, whatever the clock says"
    );
}

/// The nodes that are left of devices which were registered at these times, in this order, where two may be.
fn left_of_two(times: &[f64]) -> Vec<String> {
    let mut record = Record::default();
    for (&now, node) in times.iter().zip(1..) {
        let engine = Driver::starting_at(now, Options { max_devices: 2, ..Options::default() });
        let iq = enable_iq("p.example", &node.to_string());
        record = engine.prepare_enable(JULIET, &iq, record).expect("a request in order").record;
    }
    keys(&record)
}

#[test]
fn the_oldest_is_the_one_that_came_first_whatever_the_clock_said() {
    for (case, times) in [
        ("a clock that goes on", &[1.0, 2.0, 3.0, 4.0]),
        ("one that was set back", &[1001.0, 1002.0, 3.0, 4.0]),
        ("one that was set back before each", &[4.0, 3.0, 2.0, 1.0]),
        ("one that was ahead once", &[1.0, 2.0, 9003.0, 4.0]),
        ("one that stands still", &[1.0, 1.0, 1.0, 1.0]),
    ] {
        assert_eq!(left_of_two(times), ["p.example<3", "p.example<4"], "{case}");
    }
}

#[test]
fn a_device_that_was_registered_again_came_last() {
    let two = |now, node: &str, record| {
        let engine = Driver::starting_at(now, Options { max_devices: 2, ..Options::default() });
        engine.prepare_enable(JULIET, &enable_iq("p.example", node), record).unwrap().record
    };
    let record = two(1000.0, "b", two(1000.0, "a", Record::default()));
    let record = two(5.0, "a", record); // by then the clock was set back
    assert_eq!(keys(&two(6.0, "c", record)), ["p.example<a", "p.example<c"]);
}

#[test]
fn devices_of_earlier_versions_come_first_and_in_the_order_of_their_times() {
    let old = |node: &str, seconds| {
        let app_server = AppServer::prepared("p.example");
        let (key, time) = (format!("p.example<{node}"), UnixTime::from_seconds(seconds));
        Registration::stored(&key, app_server, Some(node.into()), None, time)
    };
    let registrations = vec![old("a", 9002.0), old("b", 9001.0), old("c", 9003.0)];
    let mut record = Record { registrations, unreadable: Vec::new() };
    for (node, left) in [("d", ["a", "c", "d"]), ("e", ["c", "d", "e"]), ("f", ["d", "e", "f"])] {
        let engine = Driver::starting_at(1.0, Options { max_devices: 3, ..Options::default() });
        record = engine.prepare_enable(JULIET, &enable_iq("p.example", node), record).unwrap().record;
        assert_eq!(keys(&record), left.map(|node| format!("p.example<{node}")), "with {node}");
    }
}

#[test]
fn of_equally_old_devices_the_first_by_key_is_removed() {
    let registration = |node: &str| stored(&format!("p.example<{node}"), "p.example", Some(node), Vec::new());
    for nodes in [["a", "b"], ["b", "a"]] {
        let registrations = nodes.map(registration).to_vec();
        let engine = Driver::starting_at(9.0, Options { max_devices: 2, ..Options::default() });
        let record = Record { registrations, unreadable: Vec::new() };
        let change = engine.prepare_enable(JULIET, &enable_iq("p.example", "c"), record).unwrap();
        assert_eq!(keys(&change.record), ["p.example<b", "p.example<c"], "stored as {nodes:?}");
    }
}

#[test]
fn fewer_devices_than_before_may_be_allowed() {
    let full = record(&[("p.example", "1"), ("p.example", "2"), ("p.example", "3"), ("p.example", "4")]);
    let engine = Driver::starting_at(9.0, Options { max_devices: 2, ..Options::default() });
    let change = engine.prepare_enable(JULIET, &enable_iq("p.example", "5"), full).unwrap();
    assert_eq!(keys(&change.record), ["p.example<4", "p.example<5"]);
    assert_eq!(change.removed, 3);
}

#[test]
fn disable_removes_the_node_or_without_one_the_whole_app_server() {
    let before = record(&[("p.example", "a"), ("p.example", "b"), ("p.example", ""), ("q.example", "a")]);
    for (case, attributes, left, removed) in [
        ("a node", "jid='p.example' node='a'", &["p.example<", "p.example<b", "q.example<a"][..], 1),
        ("an app server", "jid='p.example'", &["q.example<a"], 3),
        ("an empty node", "jid='p.example' node=''", &["q.example<a"], 3),
        ("in another case", "jid='P.Example' node='a'", &["p.example<", "p.example<b", "q.example<a"], 1),
    ] {
        let change = disable(before.clone(), attributes).unwrap();
        assert_eq!(keys(&change.record), left, "{case}");
        assert_eq!((change.removed, change.added), (removed, None), "{case}");
    }
}

#[test]
fn disable_of_what_is_not_registered_is_no_error() {
    let before = record(&[("p.example", "a")]);
    for attributes in ["jid='q.example'", "jid='p.example' node='b'", "jid='p.example' node='A'"] {
        let change = disable(before.clone(), attributes);
        let expected = Change { record: before.clone(), added: None, removed: 0 };
        assert_eq!(change, Ok(expected), "{attributes}");
    }
}

#[test]
fn disable_refuses_what_names_no_app_server() {
    let long_node = format!("jid='p.example' node='{}'", "n".repeat(MAX_NODE + 1));
    for (case, attributes, condition) in [
        ("no jid", "node='a'", "bad-request"),
        ("no JID", "jid='@'", "jid-malformed"),
        ("long node", &*long_node, "policy-violation"),
    ] {
        let error = disable(record(&[("p.example", "a")]), attributes).expect_err(case);
        assert_eq!(error.condition(), condition, "{case}");
    }
    let empty: Element = iq("");
    assert_eq!(
        engine_at(0.0).prepare_disable(&empty, Record::default()),
        Err(RequestError::MissingAppServer)
    );
}

#[test]
fn what_was_enabled_can_be_disabled_even_where_it_is_not_allowed_any_more() {
    let engine = Driver::new(Options { app_servers: Some(Vec::new()), ..Options::default() });
    let iq = iq("<disable xmlns='urn:xmpp:push:0' jid='p.example'/>");
    let change = engine.prepare_disable(&iq, record(&[("p.example", "a")])).unwrap();
    assert!(change.record.is_empty());
}

#[test]
fn what_other_modules_have_stored_is_kept() {
    let extra = vec![("priority".into(), StoredValue::Boolean(true)), ("n".into(), StoredValue::Integer(3))];
    let unreadable = vec![("junk".into(), StoredValue::Text(Box::from(&b"\xff"[..])))];
    let before = Record {
        registrations: vec![stored("p.example<a", "p.example", Some("a"), extra.clone())],
        unreadable: unreadable.clone(),
    };
    let enabled = enable(before, "p.example", "b", 9.0).record;
    let other = enabled.registrations.iter().find(|it| it.push_identifier() == "p.example<a");
    assert_eq!(other.map(Registration::extra_fields), Some(&*extra));
    assert_eq!(enabled.unreadable, unreadable);

    let disabled = disable(enabled, "jid='p.example'").unwrap().record;
    assert_eq!(disabled.registrations, []);
    assert_eq!(disabled.unreadable, unreadable);
    assert!(!disabled.is_empty(), "the record stays for what could not be read");
}

#[test]
fn a_registration_is_removed_by_its_key() {
    let mut record = record(&[("p.example", "a"), ("p.example", "b")]);
    assert!(record.remove_identified("p.example<a"));
    assert!(!record.remove_identified("p.example<a"));
    assert_eq!(keys(&record), ["p.example<b"]);
}

#[test]
fn nothing_counts_before_it_is_stored() {
    let mut engine = engine_at(1.0);
    let change = engine.prepare_enable(JULIET, &enable_iq("p.example", "a"), Record::default()).unwrap();
    assert!(!engine.is_registered(JULIET));
    assert_eq!(engine.stats().devices, 0);

    engine.set_registrations(JULIET, change.record.registrations.clone(), change.added.as_deref());
    assert!(engine.is_registered(JULIET));
    assert_eq!(engine.stats().devices, 1);

    let disabled =
        engine.prepare_disable(&iq("<disable xmlns='urn:xmpp:push:0' jid='p.example'/>"), change.record);
    assert!(engine.is_registered(JULIET));
    engine.set_registrations(JULIET, disabled.unwrap().record.registrations, None);
    assert!(!engine.is_registered(JULIET));
}

//! Records as a store may hold them: of an earlier version, of another module, or of a hand.

use muc_cloud_notify_core::{
    AppServer, Options, PublishOptions, Record, Registration, StoredTable, StoredValue, UnixTime,
};
use muc_cloud_notify_testing::driver::Driver;
use muc_cloud_notify_testing::names::{JULIET, ORCHARD};
use muc_cloud_notify_testing::stanza::{enable_iq, iq};

use crate::choices::Choices;
use crate::stanza::around;

/// Whatever is stored is taken up; a request changes its own registration and leaves what nobody can read.
pub(crate) fn run(bytes: &[u8]) {
    let choices = &mut Choices::new(bytes);
    let mut engine = Driver::starting_at(0.0, Options { max_devices: 8, ..Options::default() });
    let mut record = Record::default();
    for _ in 0..choices.below(6) {
        let registration = registration(choices);
        let push_identifier = registration.push_identifier().into_owned();
        record.remove_identified(&push_identifier);
        record.registrations.push(registration);
    }
    record.unreadable = table(choices, 0);
    let forms = |record: &Record| -> Vec<_> {
        record
            .registrations
            .iter()
            .filter_map(|it| Some(PublishOptions::from(&it.publish_options.as_ref()?.element())))
            .collect()
    };
    let kept: Vec<_> = record.registrations.iter().filter_map(|it| it.publish_options.clone()).collect();
    assert_eq!(forms(&record), kept, "a form that is read is what was written");

    engine.set_members(ORCHARD, [(JULIET, None)]);
    engine.set_registrations(JULIET, record.registrations.clone(), None);
    assert_eq!(engine.stats().devices, record.registrations.len());
    assert_eq!(engine.is_registered(JULIET), !record.registrations.is_empty());

    let unreadable = format!("{:?}", record.unreadable);
    let change =
        engine.prepare_enable(JULIET, &enable_iq("push.example", "new"), record).expect("a request in order");
    assert_eq!(format!("{:?}", change.record.unreadable), unreadable, "nothing is lost");
    engine.set_registrations(JULIET, change.record.registrations.clone(), change.added.as_deref());
    assert_eq!(engine.stats().devices, change.record.registrations.len());
    let disable = iq("<disable xmlns='urn:xmpp:push:0' jid='push.example' node='new'/>");
    let left = engine.prepare_disable(&disable, change.record).expect("a request in order");
    assert_eq!(left.removed, 1);
    assert_eq!(format!("{:?}", left.record.unreadable), unreadable);
    engine.set_registrations(JULIET, Vec::new(), None);
    assert_eq!(engine.stats().devices, 0);
}

fn registration(choices: &mut Choices<'_>) -> Registration {
    let jid = if choices.one_in(2) { "push.example".to_owned() } else { choices.text(256) };
    let app_server = AppServer::prepared(&jid);
    let node = Some(choices.text(128)).filter(|node| !node.is_empty() && node != "new");
    let key = match choices.below(3) {
        0 => choices.text(64),
        _ => String::new(),
    };
    // What is stored under an empty one is not read.
    let key = match key.is_empty() {
        true => format!("{jid}<{}", node.as_deref().unwrap_or_default()),
        false => key,
    };
    let form =
        choices.one_in(2).then(|| PublishOptions::from(&around(choices, "x", "jabber:x:data", 64 * 1024)));
    let time = UnixTime::from_seconds(choices.float());
    let registration = Registration::stored(&key, app_server, node.map(Into::into), form, time);
    registration.with_extra_fields(table(choices, 0))
}

fn table(choices: &mut Choices<'_>, depth: usize) -> StoredTable {
    let count = choices.below(4);
    (0..count).map(|_| (StoredValue::from(&*choices.text(16)), value(choices, depth))).collect()
}

fn value(choices: &mut Choices<'_>, depth: usize) -> StoredValue {
    match choices.below(5) {
        0 => StoredValue::Boolean(choices.one_in(2)),
        1 => StoredValue::Integer(choices.below(65536) as i64),
        2 => StoredValue::Number(choices.float()),
        3 if depth < 8 => StoredValue::Table(table(choices, depth + 1)),
        _ => StoredValue::from(&*choices.text(64)),
    }
}

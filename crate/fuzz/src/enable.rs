//! `<enable/>` and `<disable/>`, from anybody.

use minidom::Element;
use muc_cloud_notify_core::{MAX_FORM_DEPTH, MAX_FORM_SIZE, MAX_NODE, Options, Record};
use muc_cloud_notify_testing::driver::Driver;
use muc_cloud_notify_testing::names::{JULIET, NURSE};

use crate::choices::Choices;
use crate::stanza::{self, around, set};

/// What a client sends is registered or refused; what is registered is what was sent, is not larger, and goes again.
pub(crate) fn run(bytes: &[u8]) {
    let choices = &mut Choices::new(bytes);
    let max_devices = 1 + choices.below(4);
    let engine = Driver::starting_at(0.0, Options { max_devices, ..Options::default() });
    let mut record = Record::default();
    let mut turns = 0;
    while choices.are_left() && turns < 6 {
        turns += 1;
        let user = choices.pick(&[JULIET, NURSE]);
        let name = if choices.one_in(4) { "disable" } else { "enable" };
        let mut request = around(choices, name, "urn:xmpp:push:0", 64 * 1024);
        stanza::set_attributes(choices, &mut request);
        if !choices.one_in(4) {
            set(&mut request, "jid", choices.pick(&["push.example", "a.example/b", "x@push.example"]));
            set(&mut request, "node", &choices.text(2048));
        }
        if !choices.one_in(3) {
            request.append_child(form(choices));
        }
        let iq = Element::builder("iq", "jabber:client").append(request.clone()).build();
        let before = record.clone();
        let change = match name {
            "enable" => engine.prepare_enable(user, &iq, record),
            _ => engine.prepare_disable(&iq, record),
        };
        record = match change {
            Ok(change) => {
                assert!(change.record.registrations.len() <= max_devices);
                check(&change.record, change.added.as_deref(), &request);
                change.record
            }
            Err(error) => {
                assert!(!error.to_string().is_empty() && !error.condition().is_empty());
                before
            }
        };
        assert_eq!(engine.stats().devices, 0, "nothing counts before it is stored");
    }
}

/// A publish-options form, often one that is right.
fn form(choices: &mut Choices<'_>) -> Element {
    let mut form = around(choices, "x", "jabber:x:data", 64 * 1024);
    set(&mut form, "type", "submit");
    let value = Element::builder("value", "jabber:x:data")
        .append("http://jabber.org/protocol/pubsub#publish-options");
    let mut field = Element::builder("field", "jabber:x:data").append(value).build();
    set(&mut field, "var", "FORM_TYPE");
    form.append_child(field);
    form
}

fn check(record: &Record, added: Option<&str>, request: &Element) {
    for registration in &record.registrations {
        assert!(registration.node.as_ref().is_none_or(|node| node.len() <= MAX_NODE));
        let Some(form) = &registration.publish_options else { continue };
        let form = form.element();
        assert!(depth(&form) <= MAX_FORM_DEPTH + 1);
        assert!(text_size(&form) <= MAX_FORM_SIZE);
        if added == Some(&registration.push_identifier()) {
            assert!(request.children().any(|child| *child == form), "the form is kept as it came");
        }
    }
    let Some(added) = added else { return };
    let registered = record.registrations.iter().filter(|it| it.push_identifier() == added);
    assert_eq!(registered.count(), 1);
}

fn depth(element: &Element) -> usize {
    1 + element.children().map(depth).max().unwrap_or(0)
}

fn text_size(element: &Element) -> usize {
    element.texts().map(|text| text.len()).sum::<usize>() + element.children().map(text_size).sum::<usize>()
}

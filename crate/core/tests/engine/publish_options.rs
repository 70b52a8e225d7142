//! The publish-options form (XEP-0357, section 5): which form is taken, and how large it may be.

use minidom::Element;
use muc_cloud_notify_core::{
    MAX_FORM_ATTRIBUTES, MAX_FORM_DEPTH, MAX_FORM_ELEMENTS, MAX_FORM_SIZE, Options, PublishOptions, Record,
    RequestError,
};
use muc_cloud_notify_testing::driver::Driver;
use muc_cloud_notify_testing::names::JULIET;
use muc_cloud_notify_testing::stanza::{iq, xml};

const FORM_TYPE: &str =
    "<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>";
const SECRET: &str = "<field var='secret'><value>eruio234vzxc2kla-91</value></field>";

fn form(fields: &str) -> String {
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

/// The form that is registered by an `<enable/>` with these children.
fn registered_form(children: &str) -> Result<Option<Element>, RequestError> {
    let iq = iq(&format!("<enable xmlns='urn:xmpp:push:0' jid='push.example'>{children}</enable>"));
    let change = Driver::new(Options::default()).prepare_enable(JULIET, &iq, Record::default())?;
    Ok(change.record.registrations[0].publish_options.as_ref().map(PublishOptions::element))
}

#[test]
fn finds_the_form_however_it_is_written() {
    let typed = FORM_TYPE.replace("var=", "type='hidden' var=");
    let spaced = FORM_TYPE.replace("<value>", "<value>\n  ").replace("</value>", "\n</value>");
    let other =
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:other</value></field></x>";
    for (case, children, expected) in [
        ("FORM_TYPE first", form(&format!("{FORM_TYPE}{SECRET}")), None),
        ("FORM_TYPE last", form(&format!("{SECRET}{FORM_TYPE}")), None),
        ("FORM_TYPE hidden", form(&format!("{typed}{SECRET}")), None),
        ("white space in FORM_TYPE", form(&format!("{spaced}{SECRET}")), None),
        ("white space in the form", form(&format!("\n  {FORM_TYPE}\n  {SECRET}\n")), None),
        ("a form of its own", form(FORM_TYPE), None),
        ("white space in enable", format!("\n  {}\n", form(FORM_TYPE)), Some(form(FORM_TYPE))),
        ("after another form", format!("{other}{}", form(FORM_TYPE)), Some(form(FORM_TYPE))),
        ("among other elements", format!("<a xmlns='urn:a'/>{}<b/>", form(FORM_TYPE)), Some(form(FORM_TYPE))),
    ] {
        let expected = xml(&expected.unwrap_or_else(|| children.clone()));
        assert_eq!(registered_form(&children), Ok(Some(expected)), "{case}");
    }
}

#[test]
fn refuses_a_form_that_is_no_submitted_publish_options() {
    let form_of =
        |form_type: &str| form(&format!("<field var='FORM_TYPE'><value>{form_type}</value></field>"));
    for (case, form) in [
        ("empty", form("")),
        ("without FORM_TYPE", form(SECRET)),
        ("another FORM_TYPE", form_of("http://jabber.org/protocol/muc#register")),
        ("a longer FORM_TYPE", form_of("http://jabber.org/protocol/pubsub#publish-options2")),
        ("an empty FORM_TYPE", form_of("")),
        ("FORM_TYPE without value", form("<field var='FORM_TYPE'/>")),
        ("another field's value", form(&FORM_TYPE.replace("FORM_TYPE", "secret"))),
        ("type form", form(FORM_TYPE).replace("submit", "form")),
        ("type cancel", form(FORM_TYPE).replace("submit", "cancel")),
        ("no type", form(FORM_TYPE).replace("type='submit'", "")),
    ] {
        assert_eq!(registered_form(&form), Err(RequestError::NotPublishOptions), "{case}");
    }
    let elsewhere = form(FORM_TYPE).replace("jabber:x:data", "urn:other");
    assert_eq!(registered_form(&elsewhere), Ok(None), "an element of another namespace is no form");
}

#[test]
fn accepts_a_form_up_to_the_limit() {
    let form_of = |value: String| form(&format!("{FORM_TYPE}<field var='s'><value>{value}</value></field>"));
    let room = MAX_FORM_SIZE - form_of(String::new()).len();
    assert_eq!(registered_form(&form_of("v".repeat(room))).err(), None);
    for (case, form) in [
        ("text", form_of("v".repeat(room + 1))),
        ("attributes", form_of("v".repeat(room)).replace("var='s'", "var='ss'")),
        ("names", form_of("v".repeat(room) + "<a/>")),
        ("what is escaped", form_of("&amp;".repeat(room / 5 + 1))),
        ("namespaces", form_of(format!("<a xmlns='{}'/>", "n".repeat(room)))),
    ] {
        assert_eq!(registered_form(&form), Err(RequestError::LargeForm(MAX_FORM_SIZE)), "{case}");
    }
}

#[test]
fn accepts_elements_and_attributes_up_to_the_limit() {
    // The form itself, and the two elements of FORM_TYPE.
    let room = MAX_FORM_ELEMENTS - 3;
    for (case, elements, accepted) in [
        ("siblings", "<a/>".repeat(room), true),
        ("one sibling too many", "<a/>".repeat(room + 1), false),
        ("one too many, nested", nested(2) + &"<a/>".repeat(room - 1), false),
        ("as many as fit into the bytes that were the only limit", "<a/>".repeat(8000), false),
        ("what a client sends", SECRET.repeat(30), true),
    ] {
        let registered = registered_form(&form(&format!("{FORM_TYPE}{elements}")));
        match accepted {
            true => assert_eq!(registered.err(), None, "{case}"),
            false => assert_eq!(registered, Err(RequestError::ManyElements(MAX_FORM_ELEMENTS)), "{case}"),
        }
    }
    // That of the form itself, and of FORM_TYPE.
    let room = MAX_FORM_ATTRIBUTES - 2;
    for (attributes, accepted) in [(room, true), (room + 1, false), (1000, false)] {
        let attributes: String = (0..attributes).map(|number| format!(" a{number}=''")).collect();
        let registered = registered_form(&form(&format!("{FORM_TYPE}<a{attributes}/>")));
        match accepted {
            true => assert_eq!(registered.err(), None),
            false => assert_eq!(registered, Err(RequestError::ManyAttributes(MAX_FORM_ATTRIBUTES))),
        }
    }
}

#[test]
fn accepts_nesting_up_to_the_limit() {
    for (depth, accepted) in [(MAX_FORM_DEPTH, true), (MAX_FORM_DEPTH + 1, false), (1000, false)] {
        let registered = registered_form(&form(&format!("{FORM_TYPE}{}", nested(depth))));
        match accepted {
            true => assert_eq!(registered.err(), None, "{depth} levels"),
            false => assert_eq!(registered, Err(RequestError::DeepForm(MAX_FORM_DEPTH)), "{depth} levels"),
        }
    }
}

fn nested(depth: usize) -> String {
    format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth))
}

//! What a push says, and to whom (XEP-0357, section 7). The XML is written in Lua, and specified there.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::Publish;
use muc_cloud_notify_testing::names::{JULIET, ORCHARD, PRIVATE};
use muc_cloud_notify_testing::service::Service;
use muc_cloud_notify_testing::stanza::{iq, xml};

const OMEMO: &str = "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>AAAA</payload></encrypted>";

/// The options of the table below: with_sender, with_body, important_body.
fn options(with_sender: bool, with_body: bool, important_body: &str) -> Options {
    Options { with_sender, with_body, important_body: important_body.to_owned(), ..Options::default() }
}

/// The push for a message with this content, to what `enable` has registered.
fn push(options: Options, enable: &str, content: &str) -> Publish {
    let mut service = Service::new(options);
    assert_eq!(service.request_enable(JULIET, &iq(enable)), Ok(true));
    service.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(service.broadcast(ORCHARD, None, PRIVATE, content), 1);
    service.push()
}

const ENABLE: &str = "<enable xmlns='urn:xmpp:push:0' jid='push.example' node='phone'/>";

/// The fields of the summary form after `FORM_TYPE`, in their order.
fn fields(push: &Publish) -> Vec<(&'static str, String)> {
    push.summary.fields().collect()
}

fn expected(fields: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    fields.iter().map(|&(field, value)| (field, value.to_owned())).collect()
}

const COUNT: (&str, &str) = ("message-count", "1");
const SENDER: (&str, &str) = ("last-message-sender", "orchard@conference.example/Romeo");

fn body(text: &'static str) -> (&'static str, &'static str) {
    ("last-message-body", text)
}

#[test]
fn says_by_default_that_there_is_a_message_and_no_more() {
    let push = push(Options::default(), ENABLE, "<body>But soft!</body>");
    assert_eq!(fields(&push), expected(&[COUNT, body("New Message!")]));
}

#[test]
fn says_of_sender_and_body_what_the_options_allow() {
    let plain = "<body>But soft!</body>";
    let encrypted = format!("<body>[OMEMO]</body>{OMEMO}");
    let empty = format!("<body/>{OMEMO}");
    let (said, text) = (body("But soft!"), body("Look!"));
    for (case, options, content, expectation) in [
        ("nothing", options(false, false, ""), plain, &[COUNT][..]),
        ("text for the body", options(false, false, "Look!"), plain, &[COUNT, text]),
        ("sender", options(true, false, ""), plain, &[COUNT, SENDER]),
        ("sender and text", options(true, false, "Look!"), plain, &[COUNT, SENDER, text]),
        ("body", options(false, true, "Look!"), plain, &[COUNT, said]),
        ("body, no text", options(false, true, ""), plain, &[COUNT, said]),
        ("sender and body", options(true, true, ""), plain, &[COUNT, SENDER, said]),
        ("no body, no text", options(true, true, ""), OMEMO, &[COUNT, SENDER]),
        ("no body, but text", options(true, true, "Look!"), OMEMO, &[COUNT, SENDER, text]),
        ("an empty body", options(false, true, "Look!"), &empty, &[COUNT, text]),
        ("a text beside an encrypted one", options(false, true, "Look!"), &encrypted, &[COUNT, text]),
        ("nothing in its place", options(false, true, ""), &encrypted, &[COUNT]),
        ("that body not allowed", options(false, false, "Look!"), &encrypted, &[COUNT, text]),
    ] {
        assert_eq!(fields(&push(options, ENABLE, content)), expected(expectation), "{case}");
    }
}

#[test]
fn says_no_sender_where_the_message_has_none() {
    let mut service = Service::with_juliet(options(true, false, ""));
    let message = xml("<message type='groupchat'><body>But soft!</body></message>");
    let broadcast = muc_cloud_notify_core::Broadcast {
        room: ORCHARD,
        sender: None,
        reply_author: None,
        message: &message,
        privacy: PRIVATE,
        keep_original: false,
        present: &[],
    };
    assert_eq!(service.handle_message(broadcast), 1);
    assert_eq!(service.push().summary.last_message_sender, None);
}

#[test]
fn a_device_without_a_node_gets_a_push_without_one() {
    for (enable, node) in [
        (ENABLE, Some("phone")),
        ("<enable xmlns='urn:xmpp:push:0' jid='push.example'/>", None),
        ("<enable xmlns='urn:xmpp:push:0' jid='push.example' node=''/>", None),
    ] {
        let push = push(Options::default(), enable, "<body>But soft!</body>");
        assert_eq!(push.node.as_deref(), node, "{enable}");
        assert_eq!(push.publish_options, None, "{enable}");
    }
}

#[test]
fn publish_options_go_back_as_they_came() {
    const FORM: &str = "<x xmlns='jabber:x:data' type='submit'> \
        <field var='secret' label='&lt;&amp;&gt;'><value>eruio234 &amp; \u{2603}</value><value/></field>\
        <field type='hidden' var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
        <a:more xmlns:a='urn:a' xml:lang='de' a:b='c'>text<deep xmlns='urn:b'><er/></deep>tail</a:more>\
        <field var='secret'><value>again</value></field></x>";
    let enable =
        format!("<enable xmlns='urn:xmpp:push:0' jid='push.example' node='phone'>\n{FORM}\n</enable>");
    let form = push(Options::default(), &enable, "<body>But soft!</body>").publish_options.unwrap().element();
    assert_eq!(form, xml(FORM));
    assert_eq!(xml(&String::from(&form)), form, "and so it is when it is written out and read again");
}

#[test]
fn is_addressed_to_the_app_server_as_it_was_normalised() {
    let enable = "<enable xmlns='urn:xmpp:push:0' jid='Pusher@PUSH.example/Some Where' node='phone'/>";
    let push = push(Options::default(), enable, "<body>But soft!</body>");
    assert_eq!(push.app_server.as_str(), "pusher@push.example/Some Where");
}

#[test]
fn a_ping_says_how_many_messages_there_are_and_no_more() {
    let mut service = Service::new(options(true, true, "Look!"));
    service.enable(JULIET, "phone");
    assert_eq!(service.handle_ping(JULIET), 1);
    assert_eq!(fields(&service.push()), expected(&[("message-count", "0")]));
}

//! The publish (XEP-0357, section 7): what an app server gets to read.

mod common;

use common::{HOST, JULIET, ORCHARD, PRIVATE, Service, iq, lines};
use minidom::Element;
use muc_cloud_notify_core::options::Options;

const OMEMO: &str = "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>AAAA</payload></encrypted>";

/// The options of the table below: with_sender, with_body, important_body.
fn options(with_sender: bool, with_body: bool, important_body: &str) -> Options {
    Options { with_sender, with_body, important_body: important_body.to_owned(), ..Options::default() }
}

/// The publish for a message with this content, to what `enable` has registered.
fn publish(options: Options, enable: &str, content: &str) -> Element {
    let mut service = Service::new(options);
    assert_eq!(service.request_enable(JULIET, &iq(enable)), Ok(true));
    service.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(service.broadcast(ORCHARD, None, PRIVATE, content), 1);
    service.push().stanza(HOST)
}

const ENABLE: &str = "<enable xmlns='urn:xmpp:push:0' jid='push.example' node='phone'/>";

/// The publish with these fields after `FORM_TYPE`.
fn expected(fields: &str) -> Element {
    lines(&format!(
        "<iq type='set' from='conference.example' to='push.example' id='push-1'>
            <pubsub xmlns='http://jabber.org/protocol/pubsub'>
                <publish node='phone'>
                    <item>
                        <notification xmlns='urn:xmpp:push:0'>
                            <x xmlns='jabber:x:data' type='submit'>
                                <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:push:summary</value></field>
                                {fields}
                            </x>
                        </notification>
                    </item>
                </publish>
            </pubsub>
        </iq>"
    ))
}

#[test]
fn says_by_default_that_there_is_a_message_and_no_more() {
    assert_eq!(
        publish(Options::default(), ENABLE, "<body>But soft!</body>"),
        expected(
            "<field var='message-count'><value>1</value></field>
            <field var='last-message-body'><value>New Message!</value></field>"
        )
    );
}

#[test]
fn says_of_sender_and_body_what_the_options_allow() {
    const COUNT: &str = "<field var='message-count'><value>1</value></field>";
    const SENDER: &str =
        "<field var='last-message-sender'><value>orchard@conference.example/Romeo</value></field>";
    const BODY: &str = "<field var='last-message-body'><value>But soft!</value></field>";
    const IMPORTANT: &str = "<field var='last-message-body'><value>Look!</value></field>";
    const FALLBACK: &str = "<field var='last-message-body'><value>[OMEMO]</value></field>";
    let plain = "<body>But soft!</body>";
    let encrypted = format!("<body>[OMEMO]</body>{OMEMO}");
    for (case, options, content, fields) in [
        ("nothing", options(false, false, ""), plain, [COUNT, "", ""]),
        ("text for the body", options(false, false, "Look!"), plain, [COUNT, "", IMPORTANT]),
        ("sender", options(true, false, ""), plain, [COUNT, SENDER, ""]),
        ("sender and text", options(true, false, "Look!"), plain, [COUNT, SENDER, IMPORTANT]),
        ("body", options(false, true, "Look!"), plain, [COUNT, "", BODY]),
        ("body, no text", options(false, true, ""), plain, [COUNT, "", BODY]),
        ("sender and body", options(true, true, ""), plain, [COUNT, SENDER, BODY]),
        ("no body, no text", options(true, true, ""), OMEMO, [COUNT, SENDER, ""]),
        ("no body, but text", options(true, true, "Look!"), OMEMO, [COUNT, SENDER, IMPORTANT]),
        ("an empty body", options(false, true, "Look!"), &format!("<body/>{OMEMO}"), [COUNT, "", IMPORTANT]),
        (
            "the body of an encrypted message",
            options(false, true, "Look!"),
            &encrypted,
            [COUNT, "", FALLBACK],
        ),
        ("that body not allowed", options(false, false, "Look!"), &encrypted, [COUNT, "", IMPORTANT]),
    ] {
        assert_eq!(publish(options, ENABLE, content), expected(&fields.concat()), "{case}");
    }
}

#[test]
fn says_no_sender_where_the_message_has_none() {
    let mut service = Service::with_juliet(options(true, false, ""));
    let message = common::xml("<message type='groupchat'><body>But soft!</body></message>");
    let broadcast = muc_cloud_notify_core::watch::Broadcast {
        room: ORCHARD,
        sender: None,
        message: &message,
        privacy: PRIVATE,
        keep_original: false,
    };
    assert_eq!(service.engine.message(broadcast, service.now), 1);
    assert_eq!(service.push().summary.last_message_sender, None);
}

#[test]
fn a_device_without_a_node_gets_a_publish_without_one() {
    for enable in [
        "<enable xmlns='urn:xmpp:push:0' jid='push.example'/>",
        "<enable xmlns='urn:xmpp:push:0' jid='push.example' node=''/>",
    ] {
        let publish = publish(options(false, false, ""), enable, "<body>But soft!</body>");
        let text = String::from(&expected("<field var='message-count'><value>1</value></field>"));
        assert_eq!(publish, common::xml(&text.replace(" node='phone'", "")), "{enable}");
        assert!(!String::from(&publish).contains("node="), "{enable}");
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
    let publish = publish(options(false, false, ""), &enable, "<body>But soft!</body>");

    let pubsub = publish.get_child("pubsub", "http://jabber.org/protocol/pubsub").unwrap();
    let children: Vec<&Element> = pubsub.children().collect();
    let expected =
        format!("<publish-options xmlns='http://jabber.org/protocol/pubsub'>{FORM}</publish-options>");
    assert_eq!(children[1..], [&common::xml(&expected)], "after <publish/>, and nothing else");

    let written = common::xml(&String::from(&publish));
    assert_eq!(written, publish, "and so it is when it is written out and read again");
}

#[test]
fn is_addressed_to_the_app_server_as_it_was_normalised() {
    let enable = "<enable xmlns='urn:xmpp:push:0' jid='Pusher@PUSH.example/Some Where' node='phone'/>";
    let publish = publish(Options::default(), enable, "<body>But soft!</body>");
    assert_eq!(publish.attr("to"), Some("pusher@push.example/Some Where"));
    assert_eq!(publish.attr("from"), Some(HOST));
}

#[test]
fn is_written_like_this() {
    let text = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
        <value>http://jabber.org/protocol/pubsub#publish-options</value></field></x>";
    let enable = format!("<enable xmlns='urn:xmpp:push:0' jid='push.example' node='a&lt;b'>{text}</enable>");
    let publish = publish(options(true, true, ""), &enable, "<body>'But' &lt;soft&gt; &amp; \"so\"</body>");
    assert_eq!(
        String::from(&publish),
        "<iq xmlns='jabber:client' from='conference.example' id='push-1' to='push.example' type='set'>\
        <pubsub xmlns='http://jabber.org/protocol/pubsub'>\
        <publish node='a&lt;b'><item><notification xmlns='urn:xmpp:push:0'>\
        <x xmlns='jabber:x:data' type='submit'>\
        <field type='hidden' var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field>\
        <field var='message-count'><value>1</value></field>\
        <field var='last-message-sender'><value>orchard@conference.example/Romeo</value></field>\
        <field var='last-message-body'><value>'But' &lt;soft&gt; &amp; \"so\"</value></field>\
        </x></notification></item></publish>\
        <publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
        <value>http://jabber.org/protocol/pubsub#publish-options</value></field></x></publish-options>\
        </pubsub></iq>"
    );
}

#[test]
fn a_ping_says_how_many_messages_there_are_and_no_more() {
    let mut service = Service::new(options(true, true, "Look!"));
    service.enable(JULIET, "phone");
    assert_eq!(service.engine.ping(JULIET), 1);
    let publish = service.push().stanza(HOST);
    assert_eq!(publish, expected("<field var='message-count'><value>0</value></field>"));
}

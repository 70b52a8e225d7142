//! What an app server that may know it is told of a text.

use muc_cloud_notify_core::{Message, Options};
use muc_cloud_notify_testing::names::{JULIET, NURSE, ORCHARD, PRIVATE, PUBLIC, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::xml;

/// The text of the push for a message with these children, and with these attributes.
fn told_with(options: Options, attributes: &str, children: &str) -> String {
    let message =
        format!("<message type='groupchat' from='{ORCHARD}/Romeo' id='1' {attributes}>{children}</message>");
    let message = xml(&message);
    let mut service = Service::with_juliet(options);
    let broadcast = muc_cloud_notify_core::Broadcast {
        room: ORCHARD,
        sender: Some(ROMEO),
        reply_author: None,
        message: &message,
        privacy: PRIVATE,
        keep_original: false,
        present: &[],
    };
    assert_eq!(service.handle_message(broadcast), 1, "{children}");
    service.push().body().expect("a text").to_owned()
}

fn told(children: &str) -> String {
    told_with(with_body(), "", children)
}

fn reply_to(quotation: &str) -> String {
    format!(
        "<reply xmlns='urn:xmpp:reply:0' id='0'/>\
         <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>{quotation}</fallback>"
    )
}

#[test]
fn a_quotation_is_not_the_answer() {
    for (body, quotation, expected) in [
        ("&gt; But soft!\nAy me!", "<body start='0' end='12'/>", "Ay me!"),
        // positions are counted in code points
        ("&gt; 🌹🌹 soft!\nAy me!", "<body start='0' end='11'/>", "Ay me!"),
        ("Ay me! &lt;But soft!&gt;", "<body start='7' end='18'/>", "Ay me!"),
        ("Ay [But soft!] me!", "<body start='3' end='15'/>", "Ay me!"),
        ("&gt; a\nAy\n&gt; b\nme!", "<body start='0' end='4'/><body start='7' end='11'/>", "Ay\nme!"),
        ("&gt; But soft!\n\n  Ay me!  \n", "<body start='0' end='12'/>", "Ay me!"),
        // nothing is left of it
        ("&gt; But soft!\n ", "<body start='0' end='12'/>", "New Message!"),
        ("&gt; But soft!", "<body/>", "New Message!"),
        ("&gt; But soft!", "", "New Message!"),
        // what marks nothing
        ("&gt; But soft!\nAy me!", "<subject/>", "> But soft!\nAy me!"),
        ("&gt; But soft!\nAy me!", "<body start='12' end='0'/>", "> But soft!\nAy me!"),
        ("&gt; But soft!\nAy me!", "<body start='x'/>", "> But soft!\nAy me!"),
    ] {
        assert_eq!(
            told(&format!("<body>{body}</body>{}", reply_to(quotation))),
            expected,
            "{body:?} {quotation}"
        );
    }
    assert_eq!(
        told("<body>&gt; But soft!\nAy me!</body>"),
        "> But soft!\nAy me!",
        "nobody says that it is one"
    );
    // the namespace of the first version of XEP-0461, and none that means the same
    for (namespace, expected) in
        [("urn:xmpp:feature-fallback:0", "Ay me!"), ("urn:other", "> But soft!\nAy me!")]
    {
        let fallback = format!("<fallback xmlns='{namespace}'><body start='0' end='12'/></fallback>");
        assert_eq!(told(&format!("<body>&gt; But soft!\nAy me!</body>{fallback}")), expected, "{namespace}");
    }
    assert_eq!(told("<body>  Ay me! \n</body>"), "Ay me!");
}

#[test]
fn the_text_beside_what_is_encrypted_is_not_told() {
    let body = "<body>Your client cannot read this.</body>";
    for mark in [
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>AAAA</payload></encrypted>",
        "<encrypted xmlns='urn:xmpp:omemo:2'><payload>AAAA</payload></encrypted>",
        "<encrypted xmlns='urn:xmpp:omemo:2'><payload>AAAA</payload></encrypted>\
            <encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>",
        "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/></encrypted>",
        "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:some:encryption'/>",
        "<openpgp xmlns='urn:xmpp:openpgp:0'>AAAA</openpgp>",
        "<x xmlns='jabber:x:encrypted'>AAAA</x>",
    ] {
        assert_eq!(told(&format!("{body}{mark}")), "New Message!", "{mark}");
        assert_eq!(told(&format!("{mark}{body}")), "New Message!", "{mark}");
    }
    for mark in ["<x xmlns='jabber:x:signed'>AAAA</x>", "<encryption xmlns='urn:other'/>"] {
        assert_eq!(told(&format!("{body}{mark}")), "Your client cannot read this.", "{mark}");
    }
}

#[test]
fn a_file_is_told_of_by_its_text_if_it_has_one() {
    let file = "<x xmlns='jabber:x:oob'><url>https://example.org/rose.jpg</url></x>";
    assert_eq!(told(file), "New Message!");
    assert_eq!(told(&format!("<body/>{file}")), "New Message!");
    assert_eq!(told(&format!("<body>A rose</body>{file}")), "A rose");
}

#[test]
fn a_message_is_told_in_its_own_language() {
    let german = "xml:lang='de'";
    let american = "xml:lang='en-US'";
    let taiwanese = "xml:lang='zh-Hant-TW'";
    for (attributes, children, expected) in [
        (german, "<body xml:lang='en'>yes</body><body xml:lang='de'>ja</body>", "ja"),
        (german, "<body xml:lang='en'>yes</body><body xml:lang='DE'>ja</body>", "ja"),
        (german, "<body>so</body><body xml:lang='de'>ja</body>", "ja"),
        (german, "<body xml:lang='en'>yes</body><body>so</body>", "so"),
        (german, "<body xml:lang='en'>yes</body><body xml:lang='fr'>oui</body>", "yes"),
        (german, "<body xml:lang='en'>yes</body><body xml:lang='de'> </body>", "yes"),
        (german, "<body xml:lang='de'/><body xml:lang='en'> </body><body xml:lang='fr'>oui</body>", "oui"),
        // the nearest language: the more general one, then other variants
        (american, "<body xml:lang='de'>ja</body><body xml:lang='en'>yes</body>", "yes"),
        (american, "<body xml:lang='de'>ja</body><body xml:lang='EN-gb'>aye</body>", "aye"),
        (american, "<body xml:lang='en-GB'>aye</body><body xml:lang='en'>yes</body>", "yes"),
        (american, "<body xml:lang='en'>yes</body><body xml:lang='en-us'>yeah</body>", "yeah"),
        (american, "<body xml:lang='en'>yes</body><body>so</body>", "so"),
        (american, "<body xml:lang='de'>ja</body><body xml:lang='e'>no</body>", "ja"),
        (german, "<body xml:lang='en'>yes</body><body xml:lang='de-AT'>jo</body>", "jo"),
        (german, "<body xml:lang='en'>yes</body><body xml:lang='deu'>ja</body>", "yes"),
        (
            taiwanese,
            "<body xml:lang='zh'>1</body><body xml:lang='zh-Hans'>2</body><body xml:lang='zh-Hant'>3</body>",
            "3",
        ),
        ("", "<body xml:lang='en'>yes</body><body>so</body>", "so"),
        ("", "<body xml:lang='en'>yes</body><body xml:lang=''>so</body>", "so"),
        ("", "<body xml:lang='en'>yes</body><body xml:lang='de'>ja</body>", "yes"),
        ("", "<body/><body xml:lang='de'>ja</body>", "ja"),
        ("", "<body xmlns='urn:other'>no</body><body xml:lang='de'>ja</body>", "ja"),
    ] {
        assert_eq!(told_with(with_body(), attributes, children), expected, "{attributes} {children}");
    }
    let quoting = format!(
        "<body xml:lang='en'>yes</body><body xml:lang='de'>&gt; ?\nja</body>{}",
        reply_to("<body start='0' end='4'/>")
    );
    assert_eq!(told_with(with_body(), german, &quoting), "ja");
}

#[test]
fn a_long_text_is_cut_where_characters_end() {
    let long = "🌹e\u{301}".repeat(60_000 / 7);
    let text = told(&format!("<body>{long}</body>"));
    assert!(text.len() <= 1024 && text.len() > 1024 - 8 - "…".len(), "{}", text.len());
    let kept = text.strip_suffix('…').expect("an ellipsis");
    assert!(long.starts_with(kept) && (kept.ends_with('🌹') || kept.ends_with("e\u{301}")), "{text}");
    let whole = "x".repeat(1024);
    assert_eq!(told(&format!("<body>{whole}</body>")), whole);
    assert_eq!(told(&format!("<body>{whole}y</body>")), format!("{}…", "x".repeat(1021)));
    // what is not told does not count
    let quoting = format!("<body>{whole}Ay me!</body>{}", reply_to("<body start='0' end='1024'/>"));
    assert_eq!(told(&quoting), "Ay me!");
}

#[test]
fn the_operator_says_what_is_long() {
    let options = Options { max_body_bytes: 16, ..with_body() };
    assert_eq!(told_with(options.clone(), "", "<body>But soft! What light</body>"), "But soft! Wha…");
    assert_eq!(told_with(options.clone(), "", "<body>0123456789abcdef</body>"), "0123456789abcdef");
    let family = "👩\u{200D}👩\u{200D}👧\u{200D}👦";
    assert_eq!(told_with(options, "", &format!("<body>{family}</body>")), "New Message!", "nothing fits");
}

#[test]
fn what_bounced_is_read_as_what_is_broadcast() {
    for (children, expected) in [
        (
            format!("<body>&gt; But soft!\nAy me!</body>{}", reply_to("<body start='0' end='12'/>")),
            Some("Ay me!"),
        ),
        ("<body>Your client</body><x xmlns='jabber:x:encrypted'>AAAA</x>".to_owned(), Some("New Message!")),
        ("<file-sharing xmlns='urn:xmpp:sfs:0'/>".to_owned(), Some("New Message!")),
        ("<body/><body xml:lang='de'>ja</body>".to_owned(), Some("ja")),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/>".to_owned(), None),
    ] {
        let message =
            xml(&format!("<message type='groupchat' from='{ORCHARD}/Romeo' id='1'>{children}</message>"));
        let mut service = Service::with_juliet(with_body());
        service.occupant_present(ORCHARD, JULIET, "Juliet");
        let bounce = muc_cloud_notify_core::Bounce {
            room: ORCHARD,
            user: JULIET,
            gone_nick: Some("Juliet"),
            sender: Some(ROMEO),
            reply_author: None,
            message: Some(&message),
            message_key: "1",
            sent: None,
            privacy: PRIVATE,
            keep_original: false,
        };
        assert_eq!(service.handle_bounce(bounce), usize::from(expected.is_some()), "{children}");
        if expected.is_some() {
            assert_eq!(service.push().body(), expected, "{children}");
        }
    }
}

/// In a public room only mentions count, so it shows who is mentioned.
#[test]
fn the_author_replied_to_is_whom_the_caller_knows() {
    let mut service = Service::new(with_body());
    service.enable(JULIET, "phone");
    service.enable(NURSE, "tablet");
    service.set_members(ORCHARD, [(JULIET, Some("Juliet")), (NURSE, Some("Nurse"))]);
    service.set_occupants(ORCHARD, []);
    let message = xml(&format!(
        "<message type='groupchat' from='{ORCHARD}/Romeo'><body>Ay!</body><reply xmlns='urn:xmpp:reply:0' to='{ORCHARD}/Nurse' id='0'/></message>"
    ));
    for (reply_author, node) in [(Some(JULIET), "phone"), (None, "tablet"), (Some(NURSE), "tablet")] {
        let broadcast = muc_cloud_notify_core::Broadcast {
            room: ORCHARD,
            sender: Some(ROMEO),
            reply_author,
            message: &message,
            privacy: PUBLIC,
            keep_original: false,
            present: &[],
        };
        assert_eq!(service.handle_message(broadcast), 1);
        let push = service.push();
        assert_eq!(push.node.as_deref(), Some(node), "{reply_author:?}");
        service.reply(&push, muc_cloud_notify_testing::driver::Outcome::Delivered);
    }
    let stranger = muc_cloud_notify_core::Broadcast {
        room: ORCHARD,
        sender: Some(ROMEO),
        reply_author: Some("paris@verona.example"),
        message: &message,
        privacy: PUBLIC,
        keep_original: false,
        present: &[],
    };
    assert_eq!(service.handle_message(stranger), 0);
}

#[test]
fn nothing_is_told_of_what_is_nothing() {
    for children in ["", "<body/>", "<body> </body>", "<subject>x</subject>"] {
        let message = xml(&format!("<message type='groupchat'>{children}</message>"));
        assert_eq!(Message::read(&message, ORCHARD).push_text(1024), None, "{children}");
    }
}

//! The text beside an encrypted message is not its text.

use super::*;

/// What marks a message as encrypted, and what does not.
const ENCRYPTED: &[&str] = &[
    "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>AAAA</payload></encrypted>",
    "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>AAAA</payload></encrypted>\
        <encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/>",
    "<encrypted xmlns='urn:xmpp:omemo:1'><payload>AAAA</payload></encrypted>",
    "<encrypted xmlns='urn:xmpp:omemo:2'><payload>AAAA</payload></encrypted>",
    "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/></encrypted>",
    "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:some:encryption'/>",
    "<openpgp xmlns='urn:xmpp:openpgp:0'>AAAA</openpgp>",
    "<x xmlns='jabber:x:encrypted'>AAAA</x>",
];
const PLAIN: &[&str] = &[
    "",
    "<x xmlns='jabber:x:signed'>AAAA</x>",
    "<encrypted xmlns='urn:other'><payload>AAAA</payload></encrypted>",
    "<encryption xmlns='urn:other'/>",
    "<openpgp xmlns='urn:other'>AAAA</openpgp>",
    "<x xmlns='jabber:x:oob'><url>https://example.org/</url></x>",
];
const TEXT: &str = "<body>your client cannot read this</body><body xml:lang='en'>your client cannot</body>";

#[test]
fn no_word_beside_what_is_encrypted_is_a_mention() {
    for (expected, marks) in [(false, ENCRYPTED), (true, PLAIN)] {
        for mark in marks {
            assert_eq!(names(&format!("{TEXT}{mark}"), "client"), expected, "{mark}");
            assert_eq!(names(&format!("{mark}{TEXT}"), "client"), expected, "{mark}");
            let with_range = format!("<body>xclientx</body>{mark}{}", range("1", "7"));
            assert_eq!(names(&with_range, "client"), expected, "{mark}");
        }
    }
}

#[test]
fn references_and_replies_beside_what_is_encrypted_count() {
    for mark in ENCRYPTED {
        assert!(addresses(&format!("{TEXT}{mark}{}", reference("xmpp:bob@example.com")), BOB), "{mark}");
        let to_occupant = reference("xmpp:den@conference.localhost/bob");
        assert!(names(&format!("{TEXT}{mark}{to_occupant}"), "bob"), "{mark}");
        assert!(names(&format!("{TEXT}{mark}{}", reply("den@conference.localhost/bob")), "bob"), "{mark}");
    }
}

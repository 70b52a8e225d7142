//! XEP-0461: the author replied to.

use super::*;

#[test]
fn a_reply_mentions_its_author() {
    for (to, expected) in [
        ("den@conference.localhost/Bob Ö", true),
        ("den@conference.localhost/bob ö", false),
        ("den@conference.localhost/Bob%20%C3%96", false),
        ("xmpp:den@conference.localhost/Bob Ö", false),
        ("other@conference.localhost/Bob Ö", false),
        ("den@conference.localhost", false),
        ("/Bob Ö", false),
        ("", false),
    ] {
        assert_eq!(names(&reply(to), "Bob Ö"), expected, "{to:?}");
    }
    assert!(addresses(&reply("bob@example.com"), BOB));
    assert!(addresses(&reply("bob@example.com/phone"), BOB));
    assert!(!addresses(&reply("alice@example.com"), BOB));
    assert!(!addresses("<reply xmlns='urn:xmpp:reply:0' id='1'/>", BOB));
    assert!(!addresses("<reply xmlns='urn:example' to='bob@example.com'/>", BOB));
}

#[test]
fn a_reply_mentions_the_author_it_answers_and_nobody_it_quotes() {
    let children = [
        "<body>> alice wrote:\n> ask carol!\nWill do, @dan</body>",
        &reply("den@conference.localhost/alice"),
        &fallback("<body start='0' end='28'/>"),
    ]
    .concat();
    assert!(names(&children, "alice"));
    assert!(names(&children, "dan"));
    assert!(!names(&children, "carol"));
}

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

/// The id of a reply says which message it is to; `to` may be a nickname that somebody else has by now.
#[test]
fn a_reply_mentions_the_author_that_is_known() {
    let mentions = |children: &str, author: Option<&str>| {
        let message = message(children);
        let mentions = Mentions::read(&Message::read(&message, ROOM), author, &NO_NICKNAMES);
        (mentions.concern(BOB, []), mentions.concern(SOMEBODY, [&Nickname::new("ann")]))
    };
    let to_ann = reply("den@conference.localhost/ann");
    let to_nobody = "<reply xmlns='urn:xmpp:reply:0' id='1'/>";
    assert_eq!(mentions(&to_ann, Some(BOB)), (true, false));
    assert_eq!(mentions(&to_ann, None), (false, true));
    assert_eq!(mentions(to_nobody, Some(BOB)), (true, false));
    assert_eq!(mentions(to_nobody, None), (false, false));
    assert_eq!(mentions(&to_ann.repeat(2), Some(BOB)), (true, false));
    // a reference is none of its business
    let referring = format!("{to_ann}{}", reference("xmpp:den@conference.localhost/ann"));
    assert_eq!(mentions(&referring, Some(BOB)), (true, true));
}

//! Any input at all: nothing makes it panic.

use muc_cloud_notify_testing::seeds::config;
use proptest::prelude::*;
use stringprep::tables::commonly_mapped_to_nothing;

use super::*;

fn any_message() -> impl Strategy<Value = Element> {
    let number = prop_oneof![
        (0..40_i64).prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[ -~é]{0,8}",
    ];
    let uri = prop_oneof!["(xmpp:)?(//)?[a-zA-Z@/%?#.é0-9\\[\\]-]{0,24}", "\\PC{0,24}"];
    let attributes = (uri, number.clone(), number, 0..4_u8);
    let body = prop_oneof!["[bo @'_\u{301}\u{200D}🎉田ß]{0,30}", any::<String>()];
    (body, prop::collection::vec(attributes, 0..6)).prop_map(|(body, children)| {
        let mut message = with_body(&body);
        for (uri, begin, end, kind) in children {
            let attribute = |name: &str| name.try_into().expect("a name");
            message.append_child(match kind {
                0 => Element::builder("reply", "urn:xmpp:reply:0").attr(attribute("to"), uri).build(),
                1 => {
                    let region = Element::builder("body", "urn:xmpp:fallback:0")
                        .attr(attribute("start"), begin)
                        .attr(attribute("end"), end);
                    Element::builder("fallback", "urn:xmpp:fallback:0").append(region).build()
                }
                _ => Element::builder("reference", "urn:xmpp:reference:0")
                    .attr(attribute("type"), "mention")
                    .attr(attribute("begin"), begin)
                    .attr(attribute("end"), end)
                    .attr(attribute("uri"), (kind == 2).then_some(uri))
                    .build(),
            });
        }
        message
    })
}

/// Whether nothing is left of a nickname when it is prepared: there is none like that.
fn is_blank(nick: &str) -> bool {
    nick.chars().all(|c| c.is_whitespace() || commonly_mapped_to_nothing(c))
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn nothing_makes_it_panic(message in any_message(), room in any::<String>(), nick in any::<String>()) {
        let nickname = Nickname::new(&nick);
        let mentions = mentions_of(&message, &room);
        let concerned = mentions.concern(&nick, [&nickname]);
        prop_assert!(!(concerned && mentions.is_empty()));
    }

    #[test]
    fn a_nickname_between_spaces_is_mentioned(
        before in "\\PC{0,20}", nick in "[^\\s\\p{M}]\\PC{0,20}[^\\s]", after in "\\PC{0,20}",
    ) {
        prop_assume!(!is_blank(&nick));
        let body = format!("{before} {nick} {after}");
        prop_assert!(body_names(&body, &nick), "{:?} {:?}", body, nick);
    }

    #[test]
    fn a_nickname_inside_of_a_word_is_not_mentioned(nick in "[a-zäö]{1,5}", letter in "[a-zäö0-9_]") {
        let before = format!("{letter}{nick}");
        let after = format!("{nick}{letter}");
        prop_assume!(before != nick && after != nick);
        prop_assert!(!body_names(&before, &nick));
        prop_assert!(!body_names(&after, &nick));
    }

    #[test]
    fn a_range_names_what_is_in_it(before in "\\PC{0,10}", nick in "\\PC{1,10}", after in "\\PC{0,10}") {
        prop_assume!(!is_blank(&nick));
        let body = format!("{before}{nick}{after}");
        let count = |count: fn(&str) -> usize| (count(&before), count(&before) + count(&nick));
        for (begin, end) in [count(|text| text.chars().count()), count(|text| text.encode_utf16().count())] {
            let mut message = with_body(&body);
            let reference = range(&begin.to_string(), &end.to_string());
            message.append_child(reference.parse().expect("well-formed XML"));
            prop_assert!(mentions_of(&message, ROOM).concern(SOMEBODY, [&Nickname::new(&nick)]));
        }
    }

    #[test]
    fn what_is_in_a_fallback_is_not_mentioned(
        before in "[abo ]{0,20}", quoted in "[abo 🎉]{0,20}", after in "[abo ]{0,20}",
    ) {
        let body = format!("{before}{quoted}bob{after}");
        let start = before.chars().count();
        let end = start + quoted.chars().count() + 3;
        let mut message = with_body(&body);
        let fallback = fallback(&format!("<body start='{start}' end='{end}'/>"));
        message.append_child(fallback.parse().expect("well-formed XML"));
        let left = body_names(&before, "bob") || body_names(&after, "bob");
        let named = mentions_of(&message, ROOM).concern(SOMEBODY, [&Nickname::new("bob")]);
        prop_assert_eq!(named, left);
    }
}

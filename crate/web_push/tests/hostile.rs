//! Whatever strangers send: nothing panics, and what is taken is what it says.

#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

use web_push_app_server_core::{
    AppServer, Content, Ephemeral, FindError, Keys, MAX_PLAINTEXT, Notification, Options, PushServices,
    Subscription, is_public_address,
};

const P256DH: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
const RUNS: usize = 20_000;

/// Numbers that look random, and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// A text of pieces that mean something to somebody.
    fn text(&mut self) -> String {
        const PIECES: [&str; 40] = [
            "https://",
            "http://",
            "//",
            "/",
            "\\",
            "@",
            ":",
            ":443",
            ":8443",
            ".",
            "..",
            "[",
            "]",
            "::1",
            "127.0.0.1",
            "10.0.0.1",
            "0x7f",
            "localhost",
            "push.example.net",
            "*.",
            "example.net",
            "#",
            "?",
            ";",
            "%00",
            "\r\n",
            " ",
            "\0",
            "é",
            "\u{202e}",
            "{",
            "}",
            "\"",
            "\"endpoint\":",
            "\"keys\":",
            ",",
            "A",
            "-_",
            "=",
            "\u{ff0e}",
        ];
        (0..self.below(9)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

fn app_server() -> AppServer {
    let options = Options {
        services: PushServices::new(["push.example.net", "*.example.net"]),
        contact: "mailto:admin@example.com".into(),
        content: Content::Full,
        time_to_live: 60,
    };
    AppServer::new(&Keys::from_random([1; 32], [1; 32]).unwrap(), options)
}

/// The host of a URL, as somebody reads it who takes everything up to the first of these characters for it.
fn naive_host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '\\', '?', '#', ';']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

#[test]
fn only_endpoints_of_allowed_hosts_get_a_node() {
    let app_server = app_server();
    let mut numbers = Numbers(1);
    let mut taken = 0;
    for _ in 0..RUNS {
        let endpoint = format!("https://{}{}", ["", "push.example.net"][numbers.below(2)], numbers.text());
        let Ok(subscription) = Subscription::new(&endpoint, P256DH, AUTH) else { continue };
        let Ok(subscribed) = app_server.subscribe(&subscription) else { continue };
        taken += 1;
        assert!(naive_host(&endpoint).ends_with("example.net"), "{endpoint}");
        let found = app_server.find(&subscribed.node, Some(&subscribed.secret)).unwrap();
        assert!(found.host() == "push.example.net" || found.host().ends_with(".example.net"), "{endpoint}");
        assert_eq!(found.origin(), format!("https://{}", found.host()), "{endpoint}");
        assert!(endpoint.bytes().all(|byte| byte.is_ascii_graphic()), "{endpoint}");
    }
    assert!(taken > 100, "{taken}");
}

#[test]
fn what_is_no_subscription_and_no_node_is_refused() {
    let app_server = app_server();
    let mut numbers = Numbers(2);
    for _ in 0..RUNS {
        let text = numbers.text();
        let _ = Subscription::from_json(&text);
        let _ = Subscription::new("https://push.example.net/1", &text, &numbers.text());
        assert_eq!(app_server.find(&text, Some(&numbers.text())).err(), Some(FindError::NotFound));
        let _ = (PushServices::is_entry(&text), is_public_address(&text));
    }
}

#[test]
fn whatever_a_publish_says_fits_into_a_push() {
    let mut app_server = app_server();
    let subscription = Subscription::new("https://push.example.net/1", P256DH, AUTH).unwrap();
    let subscribed = app_server.subscribe(&subscription).unwrap();
    let mut numbers = Numbers(3);
    for run in 0..100 {
        let mut text = |limit| Some(numbers.text().repeat(numbers.below(limit)));
        let notification = Notification {
            service: text(100).unwrap_or_default(),
            count: u32::try_from(run).ok(),
            room: text(100),
            sender: text(100),
            text: text(2000),
            stanza_id: text(10),
            important: false,
        };
        let found = app_server.find(&subscribed.node, Some(&subscribed.secret)).unwrap();
        let ephemeral = Ephemeral::from_random([7; 32], [7; 16]).unwrap();
        let request = app_server.request(&found, notification, &ephemeral, 0).unwrap();
        let lengths = [256, 1024, MAX_PLAINTEXT].map(|length| length + 86 + 1 + 16);
        assert!(lengths.contains(&request.body.len()));
    }
}

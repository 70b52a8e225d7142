//! Nodes, and the requests that publishes become.

#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

use base64ct::{Base64UrlUnpadded, Encoding};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use web_push_app_server_core::{
    AppServer, Content, Ephemeral, FindError, Keys, MAX_NODE, Notification, Options, PushServices,
    SubscribeError, Subscription,
};

const P256DH: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
const ENDPOINT: &str = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV";
const NOW: u64 = 1_800_000_000;

fn app_server_with(key: u8, services: &[&str]) -> AppServer {
    let keys = Keys::from_random([key; 32], [key; 32]).unwrap();
    let options = Options {
        services: PushServices::new(services.iter().copied()),
        contact: "mailto:admin@example.com".into(),
        content: Content::Full,
        time_to_live: 172_800,
    };
    AppServer::new(&keys, options)
}

fn app_server() -> AppServer {
    app_server_with(1, &["push.example.net"])
}

fn subscription(endpoint: &str) -> Subscription {
    Subscription::new(endpoint, P256DH, AUTH).unwrap()
}

fn request_at(
    app_server: &mut AppServer,
    notification: Notification,
    now: u64,
) -> Vec<(&'static str, String)> {
    let subscribed = app_server.subscribe(&subscription(ENDPOINT)).unwrap();
    let found = app_server.find(&subscribed.node, Some(&subscribed.secret)).unwrap();
    let ephemeral = Ephemeral::from_random([7; 32], [7; 16]).unwrap();
    app_server.request(&found, notification, &ephemeral, now).unwrap().headers.into()
}

fn header(headers: &[(&'static str, String)], name: &str) -> String {
    headers.iter().find(|(other, _)| *other == name).unwrap().1.clone()
}

fn refused(app_server: &AppServer, node: &str, secret: Option<&str>) -> FindError {
    app_server.find(node, secret).err().unwrap()
}

#[test]
fn a_node_is_the_subscription() {
    let app_server = app_server();
    let subscribed = app_server.subscribe(&subscription(ENDPOINT)).unwrap();
    let found = app_server.find(&subscribed.node, Some(&subscribed.secret)).unwrap();
    assert_eq!((found.host(), found.origin().as_str()), ("push.example.net", "https://push.example.net"));
    // After a restart too.
    assert!(self::app_server().find(&subscribed.node, Some(&subscribed.secret)).is_ok());
}

#[test]
fn a_browser_that_subscribes_again_gets_the_same_node() {
    let (one, other) = (app_server(), app_server());
    assert_eq!(one.subscribe(&subscription(ENDPOINT)), other.subscribe(&subscription(ENDPOINT)));
    let another = subscription("https://push.example.net/push/another");
    assert_ne!(one.subscribe(&subscription(ENDPOINT)), other.subscribe(&another));
}

#[test]
fn the_endpoints_of_push_services_fit_into_a_node_and_longer_ones_are_refused() {
    let app_server = app_server();
    let longest = |length: usize| {
        let endpoint =
            format!("https://push.example.net/{}", "x".repeat(length - "https://push.example.net/".len()));
        app_server.subscribe(&subscription(&endpoint))
    };
    // FCM: some 190 characters; Mozilla: some 250; Apple: some 230; WNS: up to 650.
    let node = longest(690).unwrap().node;
    assert!(node.len() <= MAX_NODE);
    assert_eq!(longest(720), Err(SubscribeError::TooLong));
}

#[test]
fn only_allowed_push_services_are_pushed_to() {
    let subscribed = app_server().subscribe(&subscription(ENDPOINT)).unwrap();
    let other = app_server_with(1, &["fcm.googleapis.com"]);
    assert_eq!(other.subscribe(&subscription(ENDPOINT)), Err(SubscribeError::NotAllowed));
    assert_eq!(refused(&other, &subscribed.node, Some(&subscribed.secret)), FindError::NotAllowed);
}

#[test]
fn no_other_node_can_be_published_to() {
    let app_server = app_server();
    let subscribed = app_server.subscribe(&subscription(ENDPOINT)).unwrap();
    let (node, secret) = (subscribed.node.as_str(), Some(subscribed.secret.as_str()));
    let foreign = app_server_with(2, &["push.example.net"]).subscribe(&subscription(ENDPOINT)).unwrap();
    assert_eq!(refused(&app_server, &foreign.node, Some(&foreign.secret)), FindError::NotFound);
    for forged in
        ["", "AQ", "x", "älter", &"A".repeat(1024), &"A".repeat(5000), &node[1..], &node[..node.len() - 1]]
    {
        assert_eq!(refused(&app_server, forged, secret), FindError::NotFound, "{forged}");
    }
    // Whichever byte is changed.
    let bytes = Base64UrlUnpadded::decode_vec(node).unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let changed = Base64UrlUnpadded::encode_string(&changed);
        assert_eq!(refused(&app_server, &changed, secret), FindError::NotFound);
    }
}

#[test]
fn a_node_is_published_to_with_its_own_secret() {
    let app_server = app_server();
    let one = app_server.subscribe(&subscription(ENDPOINT)).unwrap();
    let other = app_server.subscribe(&subscription("https://push.example.net/push/another")).unwrap();
    for secret in [None, Some(""), Some("x"), Some(&one.secret[1..]), Some(other.secret.as_str()), Some(AUTH)]
    {
        assert_eq!(refused(&app_server, &one.node, secret), FindError::Forbidden);
    }
}

#[test]
fn what_is_no_subscription_is_refused() {
    let json = |endpoint: &str, p256dh: &str, auth: &str| {
        let keys = format!(
            r#"{{"endpoint":"{endpoint}","expirationTime":null,"keys":{{"p256dh":"{p256dh}","auth":"{auth}"}}}}"#
        );
        Subscription::from_json(&keys)
    };
    assert_eq!(json(ENDPOINT, P256DH, AUTH), Ok(subscription(ENDPOINT)));
    assert_eq!(json(ENDPOINT, &format!("{P256DH}="), &format!("{AUTH}==")), Ok(subscription(ENDPOINT)));
    // Not on the curve; compressed; the point at infinity.
    let off_curve = format!("{}A", &P256DH[..P256DH.len() - 1]);
    let compressed = "AiVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx";
    for key in ["", "AA", off_curve.as_str(), compressed, &"A".repeat(87), &format!("{P256DH}AAAA")] {
        assert!(json(ENDPOINT, key, AUTH).is_err(), "{key}");
    }
    for auth in ["", "AA", &AUTH[1..], &format!("{AUTH}AA"), "BTBZMqHH6r4Tts7J/aSIgg"] {
        assert!(json(ENDPOINT, P256DH, auth).is_err(), "{auth}");
    }
    for text in
        ["", "null", "[]", "{}", r#"{"endpoint":1}"#, r#"{"endpoint":"https://a/b","keys":[]}"#, "\u{0}"]
    {
        assert!(Subscription::from_json(text).is_err(), "{text}");
    }
}

#[test]
fn a_request_says_who_sends_it_and_how_it_is_handled() {
    let mut app_server = app_server();
    let notification = Notification {
        service: "conference.example.com".into(),
        room: Some("den@conference.example.com".into()),
        ..Notification::default()
    };
    let headers = request_at(&mut app_server, notification.clone(), NOW);
    assert_eq!(header(&headers, "TTL"), "172800");
    assert_eq!(header(&headers, "Urgency"), "normal");
    assert_eq!(header(&headers, "Content-Encoding"), "aes128gcm");
    let important = Notification { important: true, ..notification.clone() };
    assert_eq!(header(&request_at(&mut app_server, important, NOW), "Urgency"), "high");

    // One topic for a room, of at most 32 characters that may be in one, and it does not name the room.
    let topic = header(&headers, "Topic");
    assert_eq!(topic.len(), 32);
    assert!(topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    assert_eq!(header(&request_at(&mut app_server, notification.clone(), NOW + 100_000), "Topic"), topic);
    let elsewhere =
        Notification { room: Some("attic@conference.example.com".into()), ..notification.clone() };
    assert_ne!(header(&request_at(&mut app_server, elsewhere, NOW), "Topic"), topic);
    let other_key =
        header(&request_at(&mut app_server_with(2, &["push.example.net"]), notification, NOW), "Topic");
    assert_ne!(other_key, topic);
}

#[test]
fn a_request_is_signed_for_its_origin() {
    let mut app_server = app_server();
    let authorization = header(&request_at(&mut app_server, Notification::default(), NOW), "Authorization");
    let (token, key) = authorization.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
    assert_eq!(key, app_server.public_key());
    let key = VerifyingKey::from_sec1_bytes(&Base64UrlUnpadded::decode_vec(key).unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = Signature::from_slice(&Base64UrlUnpadded::decode_vec(signature).unwrap()).unwrap();
    key.verify(signed.as_bytes(), &signature).unwrap();
    let (head, claims) = signed.split_once('.').unwrap();
    let read = |part| String::from_utf8(Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap();
    assert_eq!(read(head), r#"{"typ":"JWT","alg":"ES256"}"#);
    assert_eq!(
        read(claims),
        format!(
            r#"{{"aud":"https://push.example.net","exp":{},"sub":"mailto:admin@example.com"}}"#,
            NOW + 23 * 3600
        )
    );
}

#[test]
fn a_token_is_used_for_half_a_day_and_not_with_a_clock_that_was_wrong() {
    let mut app_server = app_server();
    let mut at = |now| header(&request_at(&mut app_server, Notification::default(), now), "Authorization");
    let token = at(NOW);
    assert_eq!(at(NOW + 43_199), token);
    assert_ne!(at(NOW + 43_200), token);
    assert_eq!(at(NOW), token); // the clock was put back
    app_server.forget_authorization("https://push.example.net");
    assert_ne!(
        header(&request_at(&mut app_server, Notification::default(), NOW + 1), "Authorization"),
        token
    );
}

#[test]
fn keys_are_what_was_stored_of_them() {
    let keys = Keys::from_random([1; 32], [2; 32]).unwrap();
    let (vapid, node) = keys.to_text();
    let again = Keys::from_text(&vapid, &node).unwrap();
    assert_eq!(again.to_text(), (vapid.clone(), node.clone()));
    assert!(Keys::from_random([0; 32], [2; 32]).is_err());
    for (vapid, node) in
        [("", node.as_str()), (&vapid, ""), (&vapid[1..], &node), (&vapid, &node[1..]), ("x", "x")]
    {
        assert!(Keys::from_text(vapid, node).is_err());
    }
}

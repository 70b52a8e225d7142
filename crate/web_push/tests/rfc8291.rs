//! RFC 8291, Appendix A: the example there, byte for byte.

#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

use base64ct::{Base64UrlUnpadded, Encoding};
use web_push_app_server_core::{Ephemeral, MAX_PLAINTEXT, Subscription, encrypt};

const ENDPOINT: &str = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV";
const RECEIVER_KEY: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
const SENDER_KEY: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
const SALT: &str = "DGv6ra1nlYgDCS1FRnbzlw";
const PLAINTEXT: &str = "When I grow up, I want to be a watermelon";
const BODY: &str = concat!(
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml",
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT",
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
);

fn bytes<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    Base64UrlUnpadded::decode_vec(text).unwrap().try_into().unwrap()
}

fn subscription() -> Subscription {
    Subscription::new(ENDPOINT, RECEIVER_KEY, AUTH).unwrap()
}

fn ephemeral() -> Ephemeral {
    Ephemeral::from_random(bytes(SENDER_KEY), bytes(SALT)).unwrap()
}

#[test]
fn the_example_of_the_rfc_gives_its_bytes() {
    let body = encrypt(&subscription(), PLAINTEXT.as_bytes(), 0, &ephemeral()).unwrap();
    assert_eq!(Base64UrlUnpadded::encode_string(&body), BODY);
}

#[test]
fn texts_that_are_padded_to_the_same_length_give_bodies_of_the_same_length() {
    let length = |text: &[u8], padded| encrypt(&subscription(), text, padded, &ephemeral()).unwrap().len();
    assert_eq!(length(b"", 256), length(&[b'x'; 256], 256));
    assert_eq!(length(b"", 256), 86 + 256 + 1 + 16);
    assert_eq!(length(&[b'x'; 257], 256), 86 + 257 + 1 + 16);
    assert_eq!(length(&[b'x'; MAX_PLAINTEXT], 0), 4096);
}

#[test]
fn what_does_not_fit_is_not_encrypted() {
    assert!(encrypt(&subscription(), &[b'x'; MAX_PLAINTEXT + 1], 0, &ephemeral()).is_none());
    assert!(encrypt(&subscription(), b"", MAX_PLAINTEXT + 1, &ephemeral()).is_none());
}

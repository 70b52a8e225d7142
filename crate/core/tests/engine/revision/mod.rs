//! What is taken back is not told: a message that waits for its push is retracted, moderated, or corrected.

mod bounced;
mod correction;
mod restart;
mod retraction;

use muc_cloud_notify_testing::driver::{Outcome, Publish};
use muc_cloud_notify_testing::names::{JULIET, NURSE, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::xml;

const IMPORTANT: Option<&str> = Some("New Message!");

/// The content of a message that retracts or moderates one; `{}` is its id.
const RETRACT: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='{}'/><body>I take it back</body>";
const OLD_RETRACT: &str = "<apply-to xmlns='urn:xmpp:fasten:0' id='{}'>\
    <retract xmlns='urn:xmpp:message-retract:0'/></apply-to>";
const MODERATE: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='{}'>\
    <moderated xmlns='urn:xmpp:message-moderate:1' by='orchard@conference.example/Nurse'/></retract>";
const OLD_MODERATE: &str = "<apply-to xmlns='urn:xmpp:fasten:0' id='{}'>\
    <moderated xmlns='urn:xmpp:message-moderate:0' by='orchard@conference.example/Nurse'>\
    <retract xmlns='urn:xmpp:message-retract:0'/></moderated></apply-to>";
const CORRECT: &str = "<replace xmlns='urn:xmpp:message-correct:0' id='{}'/><body>corrected</body>";

/// A message in a room, with an `id`, an origin-id `o-id`, and a stanza-id of the room `s-id`.
fn send(service: &mut Service, room: &str, sender: Option<&str>, id: &str, content: &str) -> usize {
    service.wait(1.0);
    let from = if sender.is_some() { format!("{room}/Somebody") } else { room.to_owned() };
    let message = xml(&format!(
        "<message type='groupchat' from='{from}' id='{id}'>{content}\
        <origin-id xmlns='urn:xmpp:sid:0' id='o-{id}'/>\
        <stanza-id xmlns='urn:xmpp:sid:0' id='s-{id}' by='{room}'/></message>"
    ));
    service.broadcast_stanza(room, sender, PRIVATE, &message)
}

/// Romeo says something in the orchard; the text is the message's id too.
fn say(service: &mut Service, text: &str) -> usize {
    send(service, ORCHARD, Some(ROMEO), text, &format!("<body>{text}</body>"))
}

/// A message of Romeo's, or one of the room itself, takes back or corrects another one in the orchard.
fn revise(service: &mut Service, sender: Option<&str>, content: &str, id: &str) {
    let devices = send(service, ORCHARD, sender, "revision", &content.replace("{}", id));
    assert_eq!(devices, 0, "a revision is not pushed for its own sake");
}

fn retract(service: &mut Service, text: &str) {
    revise(service, Some(ROMEO), RETRACT, &format!("s-{text}"));
}

/// A service where a push for the message "told" is in flight, so that whatever comes has to wait.
fn busy() -> (Service, Publish) {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "told");
    let push = service.push();
    (service, push)
}

/// The next push, once the app server has answered this one.
fn next(service: &mut Service, before: &Publish) -> Option<(u32, Option<String>)> {
    service.reply(before, Outcome::Delivered);
    let pushes = service.pushes();
    assert!(pushes.len() < 2);
    pushes.first().map(|push| (push.count(), push.body().map(str::to_owned)))
}

fn says(count: u32, body: Option<&str>) -> Option<(u32, Option<String>)> {
    Some((count, body.map(str::to_owned)))
}

/// The service after a restart; Juliet is a member of its rooms, and absent.
fn restart(service: &Service) -> Service {
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    restarted.set_fraction(0.5);
    for room in restarted.restore(&service.snapshot()) {
        restarted.read(&room, &[JULIET], &[]);
    }
    restarted
}

/// Every way to take a message back: who, how, and the id that it is named by.
const WAYS: [(Option<&str>, &str, &str); 8] = [
    (Some(ROMEO), RETRACT, "s-secret"),
    (Some(ROMEO), RETRACT, "o-secret"),
    (Some(ROMEO), RETRACT, "secret"),
    (Some(ROMEO), OLD_RETRACT, "s-secret"),
    (Some(ROMEO), OLD_RETRACT, "o-secret"),
    (Some(ROMEO), OLD_RETRACT, "secret"),
    (None, MODERATE, "s-secret"),
    (None, OLD_MODERATE, "s-secret"),
];

/// What looks like it and takes nothing back.
const NO_WAYS: [(Option<&str>, &str, &str); 9] = [
    (Some(NURSE), RETRACT, "s-secret"),
    (Some(NURSE), OLD_RETRACT, "o-secret"),
    (Some(NURSE), MODERATE, "s-secret"),
    (Some(ROMEO), MODERATE, "s-secret"),
    (Some(NURSE), OLD_MODERATE, "s-secret"),
    (Some(NURSE), CORRECT, "secret"),
    (Some(ROMEO), RETRACT, "another"),
    (None, MODERATE, "secret"),
    (None, CORRECT, "secret"),
];

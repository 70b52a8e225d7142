//! What the specifications share: a service with its store, a clock that is set by hand, and a `Random`
//! without chance.

#![allow(dead_code, reason = "shared by tests, each of which needs a part of it")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what the helpers of a test are given, the test has written"
)]

use std::collections::HashMap;
use std::ops::Deref;

use minidom::Element;
use muc_cloud_notify_core::Engine;
use muc_cloud_notify_core::app_server::AppServer;
use muc_cloud_notify_core::delivery::{Disabled, Handling, Turn};
use muc_cloud_notify_core::engine::Change;
use muc_cloud_notify_core::error::RequestError;
use muc_cloud_notify_core::notify_level::RoomPrivacy;
use muc_cloud_notify_core::options::Options;
use muc_cloud_notify_core::outbox::Random;
use muc_cloud_notify_core::outcome::Outcome;
use muc_cloud_notify_core::publish_options::PublishOptions;
use muc_cloud_notify_core::registration::Record;
use muc_cloud_notify_core::summary::Push;
use muc_cloud_notify_core::watch::Broadcast;

/// The MUC service.
pub(crate) const HOST: &str = "conference.example";
/// A room of it.
pub(crate) const ORCHARD: &str = "orchard@conference.example";
/// Another one.
pub(crate) const HALL: &str = "hall@conference.example";
/// Users: bare JIDs.
pub(crate) const JULIET: &str = "juliet@capulet.example";
pub(crate) const ROMEO: &str = "romeo@montague.example";
pub(crate) const NURSE: &str = "nurse@capulet.example";
/// An app server.
pub(crate) const PUSHER: &str = "push.example";
/// More pushes than any turn of a test hands out.
pub(crate) const ALL: usize = 1000;

/// A room that only members may enter and find.
pub(crate) const PRIVATE: RoomPrivacy = RoomPrivacy { members_only: true, public: false };
/// A room that anybody may enter and find.
pub(crate) const PUBLIC: RoomPrivacy = RoomPrivacy { members_only: false, public: true };

/// Reads XML as it stands on a client's stream.
pub(crate) fn xml(text: &str) -> Element {
    Element::from_reader_with_prefixes(text.as_bytes(), "jabber:client".to_owned()).unwrap()
}

/// Reads XML that is broken into indented lines between its elements.
pub(crate) fn lines(text: &str) -> Element {
    xml(&text.lines().map(str::trim).collect::<String>())
}

/// An IQ around a payload.
pub(crate) fn iq(payload: &str) -> Element {
    xml(&format!("<iq type='set' id='x43' to='{HOST}'>{payload}</iq>"))
}

/// An IQ that registers a node.
pub(crate) fn enable_iq(jid: &str, node: &str) -> Element {
    iq(&format!("<enable xmlns='urn:xmpp:push:0' jid='{jid}' node='{node}'/>"))
}

/// The push identifier of a node of [`PUSHER`].
pub(crate) fn key(node: &str) -> String {
    format!("{PUSHER}<{node}")
}

/// Ids in sequence, and a fraction that is always the same.
#[derive(Debug, Default)]
pub(crate) struct Chance {
    ids: u32,
    pub(crate) fraction: f64,
}

impl Random for Chance {
    fn secret(&mut self) -> [u8; 16] {
        self.ids += 1;
        u128::from(self.ids).to_be_bytes()
    }

    fn fraction(&mut self) -> f64 {
        self.fraction
    }
}

/// A push, and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    push: Push,
    pub(crate) user: String,
    pub(crate) app_server: AppServer,
    pub(crate) node: Option<Box<str>>,
    pub(crate) publish_options: Option<PublishOptions>,
}

impl Deref for Publish {
    type Target = Push;

    fn deref(&self) -> &Push {
        &self.push
    }
}

/// An engine with everything that surrounds it.
pub(crate) struct Service {
    pub(crate) engine: Engine,
    pub(crate) store: HashMap<String, Record>,
    pub(crate) chance: Chance,
    pub(crate) now: f64,
}

impl Service {
    pub(crate) fn new(options: Options) -> Self {
        Service {
            engine: Engine::new(HOST, options),
            store: HashMap::new(),
            chance: Chance::default(),
            now: 1000.0,
        }
    }

    /// A service where Juliet, a member of both rooms, has one device and is in neither.
    pub(crate) fn with_juliet(options: Options) -> Self {
        let mut service = Service::new(options);
        service.enable(JULIET, "phone");
        service.read(ORCHARD, &[JULIET], &[]);
        service.read(HALL, &[JULIET], &[]);
        service
    }

    /// A user registers a node of [`PUSHER`]. Returns whether it is the first one.
    pub(crate) fn enable(&mut self, user: &str, node: &str) -> bool {
        self.enable_at(user, PUSHER, node)
    }

    /// A user registers a node of an app server. Returns whether it is the first one.
    pub(crate) fn enable_at(&mut self, user: &str, app_server: &str, node: &str) -> bool {
        self.request_enable(user, &enable_iq(app_server, node)).unwrap()
    }

    /// A user sends an IQ with `<enable/>`. Returns whether what it registers is the first device.
    pub(crate) fn request_enable(&mut self, user: &str, iq: &Element) -> Result<bool, RequestError> {
        let record = self.store.get(user).cloned().unwrap_or_default();
        let change = self.engine.enable(user, iq, record, self.now)?;
        Ok(self.commit(user, change))
    }

    /// A user disables a node of [`PUSHER`], or without one the whole app server.
    pub(crate) fn disable(&mut self, user: &str, node: Option<&str>) -> usize {
        let node = node.map_or_else(String::new, |node| format!("node='{node}'"));
        let iq = iq(&format!("<disable xmlns='urn:xmpp:push:0' jid='{PUSHER}' {node}/>"));
        let change = self.engine.disable(&iq, self.store.get(user).cloned().unwrap_or_default()).unwrap();
        let removed = change.removed;
        self.commit(user, change);
        removed
    }

    fn commit(&mut self, user: &str, change: Change) -> bool {
        let is_new = self.engine.register(user, change.record.registrations.clone(), change.added.as_deref());
        self.store.insert(user.to_owned(), change.record);
        is_new
    }

    /// A room is read: its members, and its occupants with their nicknames.
    pub(crate) fn read(&mut self, room: &str, members: &[&str], occupants: &[(&str, &str)]) {
        self.engine.set_members(room, members.iter().map(|&jid| (jid, None)));
        self.engine.set_occupants(room, occupants.iter().copied(), self.now);
    }

    /// Romeo says something in a private room. Returns how many devices are to be told.
    pub(crate) fn say(&mut self, room: &str, body: &str) -> usize {
        self.say_as(room, Some(ROMEO), body)
    }

    pub(crate) fn say_as(&mut self, room: &str, sender: Option<&str>, body: &str) -> usize {
        self.broadcast(room, sender, PRIVATE, &format!("<body>{body}</body>"))
    }

    /// Romeo mentions a user.
    pub(crate) fn mention(&mut self, room: &str, user: &str, body: &str) -> usize {
        let reference = format!("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:{user}'/>");
        self.broadcast(room, Some(ROMEO), PRIVATE, &format!("<body>{body}</body>{reference}"))
    }

    /// A room broadcasts a message with this content.
    pub(crate) fn broadcast(
        &mut self,
        room: &str,
        sender: Option<&str>,
        privacy: RoomPrivacy,
        content: &str,
    ) -> usize {
        let message =
            xml(&format!("<message type='groupchat' from='{room}/Romeo' id='1'>{content}</message>"));
        let broadcast =
            Broadcast { room, sender, message: &message, privacy, keep_original: false, present: &[] };
        self.engine.message(broadcast, self.now)
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, seconds: f64) {
        self.now += seconds;
    }

    /// Time passes until the engine wants its turn.
    pub(crate) fn wait_for_turn(&mut self) {
        let at = self.engine.next_turn().expect("there is something to be done");
        self.now = self.now.max(at);
    }

    /// The outbox has its turn.
    pub(crate) fn turn(&mut self) -> Turn {
        self.engine.turn(self.now, ALL, &mut self.chance)
    }

    /// What leaves the outbox now, when nothing is disabled.
    pub(crate) fn pushes(&mut self) -> Vec<Publish> {
        let turn = self.turn();
        assert_eq!(turn.disabled, [], "nothing is disabled");
        self.publishes(turn.pushes)
    }

    /// Pushes that have just left the outbox, with where they go.
    pub(crate) fn publishes(&self, pushes: Vec<Push>) -> Vec<Publish> {
        let publish = |push: Push| {
            let (user, registration) = self.engine.addressee(push.id.device).expect("its device is there");
            Publish {
                user: user.to_owned(),
                app_server: registration.app_server.clone(),
                node: registration.node.clone(),
                publish_options: registration.publish_options.clone(),
                push,
            }
        };
        pushes.into_iter().map(publish).collect()
    }

    /// The one push that leaves the outbox now.
    pub(crate) fn push(&mut self) -> Publish {
        let mut pushes = self.pushes();
        assert_eq!(pushes.len(), 1, "one push leaves: {pushes:?}");
        pushes.remove(0)
    }

    /// Nothing leaves the outbox now.
    pub(crate) fn assert_quiet(&mut self, why: &str) {
        let pushes = self.pushes();
        assert!(pushes.is_empty(), "{why}: {pushes:?}");
    }

    /// The app server that a push went to answers.
    pub(crate) fn reply(&mut self, push: &Publish, outcome: Outcome) -> Handling {
        self.engine.reply(&push.id.to_string(), push.app_server.as_str(), outcome, self.now, &mut self.chance)
    }

    /// As [`Service::reply`], where the answer disables the device.
    pub(crate) fn reply_disables(&mut self, push: &Publish, outcome: Outcome) -> Disabled {
        match self.reply(push, outcome) {
            Handling::Disabled(disabled) => disabled,
            other => panic!("the device is disabled, not {other:?}"),
        }
    }
}

/// The nodes that pushes go to, in order of their names.
pub(crate) fn nodes(pushes: &[Publish]) -> Vec<&str> {
    let mut nodes: Vec<&str> = pushes.iter().filter_map(|push| push.node.as_deref()).collect();
    nodes.sort_unstable();
    nodes
}

/// The `message-count` of a push.
pub(crate) fn count(push: &Push) -> u32 {
    push.summary.message_count
}

/// The `last-message-body` of a push.
pub(crate) fn body(push: &Push) -> Option<&str> {
    push.summary.last_message_body.as_deref()
}

/// Options under which an app server is told what was said.
pub(crate) fn with_body() -> Options {
    Options { with_body: true, ..Options::default() }
}

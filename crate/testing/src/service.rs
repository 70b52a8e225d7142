//! A service with its store, driven by hand.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

use minidom::Element;
use muc_cloud_notify_core::{Change, EnableFacts, Options, Record, RequestError, RoomPrivacy, Snapshot};

use crate::driver::{Broadcast, Disabled, Driver, Handling, Outcome, Publish, Scope, prepared};
use crate::names::{HALL, JULIET, ORCHARD, PRIVATE, PUSHER, ROMEO};
use crate::stanza::{enable_iq, groupchat, iq, mention_of};

/// More pushes than a test ever has at once.
pub const ALL: usize = 1000;

/// How many results widen a domain's window from the smallest to the default of its limit.
const PUSHES_TO_FULL_SPEED: usize = 6;

/// An engine and the store of its registrations, with the short forms that tests are written in. All that can happen to
/// an engine it has from its [`Driver`].
#[derive(Debug)]
pub struct Service {
    driver: Driver,
    /// The records of users.
    pub store: HashMap<String, Record>,
    /// What had to be written into the journal before some of these were, the newest last.
    pub bequests: Vec<Snapshot>,
}

impl Deref for Service {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        &self.driver
    }
}

impl DerefMut for Service {
    fn deref_mut(&mut self) -> &mut Driver {
        &mut self.driver
    }
}

impl Service {
    /// A service where nobody has registered and no room is known.
    pub fn new(options: Options) -> Self {
        Service { driver: Driver::new(options), store: HashMap::new(), bequests: Vec::new() }
    }

    /// A service after a restart: its clock is another one, its registrations are read from the store.
    pub fn restarted(now: f64, options: Options, store: HashMap<String, Record>) -> Self {
        let mut driver = Driver::starting_at(now, options);
        for (user, record) in &store {
            driver.set_registrations(user, record.registrations.clone(), None);
        }
        Service { driver, store, bequests: Vec::new() }
    }

    /// A service where Juliet, a member of both rooms, has one device and is in neither.
    pub fn with_juliet(options: Options) -> Self {
        let mut service = Service::new(options);
        service.enable(JULIET, "phone");
        service.read(ORCHARD, &[JULIET], &[]);
        service.read(HALL, &[JULIET], &[]);
        service
    }

    /// A user registers a node of [`PUSHER`]. Returns whether it is the first one.
    pub fn enable(&mut self, user: &str, node: &str) -> bool {
        self.enable_at(user, PUSHER, node)
    }

    /// A user who is known to be a member of a room, and so counts for no stranger, registers a node of an app server. Returns
    /// whether it is the first one.
    pub fn enable_at(&mut self, user: &str, app_server: &str, node: &str) -> bool {
        let iq = enable_iq(app_server, node);
        let app_server = prepared(app_server);
        let facts = EnableFacts { user, app_server: app_server.as_deref(), is_local: false, is_member: true };
        let record = self.store.get(user).cloned().unwrap_or_default();
        let change = self.prepare_enable_with(&facts, &iq, record).unwrap();
        self.commit(user, change)
    }

    /// A user sends an IQ with `<enable/>`. Returns whether what it registers is the first device.
    pub fn request_enable(&mut self, user: &str, iq: &Element) -> Result<bool, RequestError> {
        let record = self.store.get(user).cloned().unwrap_or_default();
        let change = self.prepare_enable(user, iq, record)?;
        Ok(self.commit(user, change))
    }

    /// A user disables a node of [`PUSHER`], or without one the whole app server.
    pub fn disable(&mut self, user: &str, node: Option<&str>) -> usize {
        let node = node.map_or_else(String::new, |node| format!("node='{node}'"));
        let iq = iq(&format!("<disable xmlns='urn:xmpp:push:0' jid='{PUSHER}' {node}/>"));
        let change = self.prepare_disable(&iq, self.store.get(user).cloned().unwrap_or_default()).unwrap();
        let removed = change.removed;
        self.commit(user, change);
        removed
    }

    fn commit(&mut self, user: &str, change: Change) -> bool {
        let (registrations, added) = (change.record.registrations.clone(), change.added.as_deref());
        let bequest = self.bequest(user, &registrations, added);
        let is_new = self.set_registrations(user, registrations, added);
        if bequest.is_some() {
            self.bequest_stored(user, added);
        }
        self.bequests.extend(bequest);
        self.store.insert(user.to_owned(), change.record);
        is_new
    }

    /// The app servers of a user's devices take so many pushes that their domains get as many as they like from then on.
    pub fn acquaint(&mut self, user: &str) {
        for _ in 0..PUSHES_TO_FULL_SPEED {
            self.handle_ping(user);
            for push in self.pushes() {
                self.reply(&push, Outcome::Delivered);
            }
        }
    }

    /// A room is read: its members, and its occupants with their nicknames.
    pub fn read(&mut self, room: &str, members: &[&str], occupants: &[(&str, &str)]) {
        self.set_members(room, members.iter().map(|&jid| (jid, None)));
        self.set_occupants(room, occupants.iter().copied());
    }

    /// Romeo says something in a private room. Returns how many devices get a push.
    pub fn say(&mut self, room: &str, body: &str) -> usize {
        self.say_as(room, Some(ROMEO), body)
    }

    /// A user, or the room itself, says something in a private room. Returns how many devices get a push.
    pub fn say_as(&mut self, room: &str, sender: Option<&str>, body: &str) -> usize {
        self.broadcast(room, sender, PRIVATE, &format!("<body>{body}</body>"))
    }

    /// Romeo mentions a user.
    pub fn mention(&mut self, room: &str, user: &str, body: &str) -> usize {
        self.broadcast(room, Some(ROMEO), PRIVATE, &format!("<body>{body}</body>{}", mention_of(user)))
    }

    /// A room broadcasts a message with this content.
    pub fn broadcast(
        &mut self,
        room: &str,
        sender: Option<&str>,
        privacy: RoomPrivacy,
        content: &str,
    ) -> usize {
        self.broadcast_stanza(room, sender, privacy, &groupchat(room, content))
    }

    /// A room broadcasts this message. Returns how many devices get a push.
    pub fn broadcast_stanza(
        &mut self,
        room: &str,
        sender: Option<&str>,
        privacy: RoomPrivacy,
        message: &Element,
    ) -> usize {
        self.handle_message(Broadcast {
            room,
            sender,
            reply_author: None,
            message,
            privacy,
            keep_original: true,
            present: &[],
        })
    }

    /// Time passes until the engine wants to be polled.
    pub fn wait_for_deadline(&mut self) {
        assert!(self.advance_to_deadline(), "there is something to be done");
    }

    /// What is due now: at most `limit` pushes, and what was disabled.
    pub fn take_due(&mut self, limit: usize, scope: Scope) -> (Vec<Publish>, Vec<Disabled>) {
        let due = self.poll(limit, scope);
        (due.pushes.iter().map(|push| self.publish(push)).collect(), due.disabled)
    }

    /// As [`Service::take_due`], where nothing is disabled.
    pub fn take_pushes(&mut self, limit: usize, scope: Scope) -> Vec<Publish> {
        let (pushes, disabled) = self.take_due(limit, scope);
        assert_eq!(disabled, [], "nothing is disabled");
        pushes
    }

    /// All that leaves the outbox now, where nothing is disabled.
    pub fn pushes(&mut self) -> Vec<Publish> {
        self.take_pushes(ALL, Scope::AllRooms)
    }

    /// The one push that leaves the outbox now.
    pub fn push(&mut self) -> Publish {
        let mut pushes = self.pushes();
        assert_eq!(pushes.len(), 1, "one push leaves: {pushes:?}");
        pushes.remove(0)
    }

    /// Nothing leaves the outbox now.
    pub fn assert_quiet(&mut self, why: &str) {
        let pushes = self.pushes();
        assert!(pushes.is_empty(), "{why}: {pushes:?}");
    }

    /// The app server that a push went to answers.
    pub fn reply(&mut self, push: &Publish, outcome: Outcome) -> Handling {
        self.handle_reply(&push.id, push.app_server.as_str(), outcome)
    }

    /// As [`Service::reply`], where the answer disables the device.
    pub fn reply_disables(&mut self, push: &Publish, outcome: Outcome) -> Disabled {
        match self.reply(push, outcome) {
            Handling::Disabled(disabled) => disabled,
            other => panic!("the device is disabled, not {other:?}"),
        }
    }
}

/// The nodes that pushes go to, in order of their names.
pub fn nodes(pushes: &[Publish]) -> Vec<&str> {
    let mut nodes: Vec<&str> = pushes.iter().filter_map(|push| push.node.as_deref()).collect();
    nodes.sort_unstable();
    nodes
}

/// Options under which app servers may see what was said.
pub fn with_body() -> Options {
    Options { with_body: true, ..Options::default() }
}

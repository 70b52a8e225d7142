//! What a user has registered, as it is stored: one record per bare JID, one registration per device.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::app_server::AppServer;
use crate::publish_options::PublishOptions;
use crate::request::Enable;
use crate::stored_value::{StoredTable, StoredValue};
use crate::time::UnixTime;
use crate::way::{Way, forwarding_domain};

/// An enable request that was accepted (XEP-0357, section 5): one device of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// The `jid` attribute.
    pub app_server: AppServer,
    /// The `node` attribute.
    pub node: Option<Box<str>>,
    /// The form that goes back with every publish, as it came.
    pub publish_options: Option<PublishOptions>,
    /// When it was registered.
    pub timestamp: UnixTime,
    /// When there last was a sign of life since then, as far as that is stored.
    pub last_sign: Option<UnixTime>,
    /// Its place in the order in which the devices of the user were registered, as clocks may be set back. `None`: by an
    /// earlier version, or another module.
    pub arrival: Option<u64>,
    /// What most registrations do without.
    extras: Option<Box<Extras>>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Extras {
    /// The push identifier that it is stored under, where that is not the one of the app server and node.
    push_identifier: Option<Box<str>>,
    fields: StoredTable,
    /// It is no registration: it stands for a way to reach its user.
    way: Option<Way>,
}

/// The push identifier of what stands for registrations that cannot be read: no device has an empty one.
pub(crate) const STAND_IN: &str = "";

/// The push identifier of an app server and node, `jid<node`: the key of their registration in the record.
fn push_identifier_of(app_server: &AppServer, node: Option<&str>) -> String {
    format!("{}<{}", app_server.as_str(), node.unwrap_or_default())
}

impl Registration {
    /// The registration that follows from a request at `now`.
    pub(crate) fn new(enable: Enable, now: UnixTime) -> Self {
        let include_payload = enable.include_payload.as_deref().map(StoredValue::from);
        let extra = include_payload.map(|value| ("include_payload".into(), value)).into_iter().collect();
        let registration = Registration {
            app_server: enable.app_server,
            node: enable.node,
            publish_options: enable.publish_options,
            timestamp: now,
            last_sign: None,
            arrival: None,
            extras: None,
        };
        registration.with_extra_fields(extra)
    }

    /// A registration as it is stored under a push identifier, without what else stands there.
    pub fn stored(
        push_identifier: &str,
        app_server: AppServer,
        node: Option<Box<str>>,
        publish_options: Option<PublishOptions>,
        timestamp: UnixTime,
    ) -> Self {
        let is_usual = push_identifier_of(&app_server, node.as_deref()) == push_identifier;
        let extras = (!is_usual)
            .then(|| Box::new(Extras { push_identifier: Some(push_identifier.into()), ..Extras::default() }));
        Registration { app_server, node, publish_options, timestamp, last_sign: None, arrival: None, extras }
    }

    /// What stands for the registrations of a user whose record cannot be read so far. Nothing is ever pushed to it.
    pub(crate) fn stand_in() -> Self {
        Self::stored(STAND_IN, AppServer::prepared(""), None, None, UnixTime::from_seconds(f64::MAX))
    }

    /// What stands for a way to reach a user. What a user elsewhere is sent goes to their bare JID; of accounts on this server there
    /// is but one address.
    pub(crate) fn of_way(way: Way, user: &str) -> Self {
        let address = if way == Way::Forward { user } else { "" };
        let app_server = AppServer::prepared(address);
        let never = UnixTime::from_seconds(f64::MAX);
        let mut registration = Self::stored(way.push_identifier(), app_server, None, None, never);
        registration.extras.get_or_insert_default().way = Some(way);
        registration
    }

    /// The way that it stands for, where it does.
    pub fn way(&self) -> Option<Way> {
        self.extras.as_ref().and_then(|extras| extras.way)
    }

    /// The domain that its pushes go to, as domains are told apart. That messages forwarded there have arrived says nothing about app
    /// servers there: one account is enough for the former. A space is in no domain's name.
    pub(crate) fn domain(&self) -> Cow<'_, str> {
        let domain = self.app_server.domain();
        if self.way() == Some(Way::Forward) { forwarding_domain(domain).into() } else { domain.into() }
    }

    /// Whether it is one that stands for those which cannot be read.
    pub(crate) fn is_stand_in(&self) -> bool {
        self.app_server.as_str().is_empty() && self.push_identifier() == STAND_IN
    }

    /// Whether somebody has registered it.
    pub(crate) fn is_leased(&self) -> bool {
        !self.is_stand_in() && self.way().is_none()
    }

    /// The same, with what other modules have stored in it.
    pub fn with_extra_fields(mut self, fields: StoredTable) -> Self {
        if !fields.is_empty() {
            self.extras.get_or_insert_default().fields = fields;
        }
        self
    }

    /// When its lease has begun: it lasts from the request, or from the last sign of life.
    pub(crate) fn lease_begin(&self) -> UnixTime {
        self.last_sign.map_or(self.timestamp, |sign| self.timestamp.max(sign))
    }

    /// The push identifier: what the registration is stored under in the record.
    pub fn push_identifier(&self) -> Cow<'_, str> {
        match self.extras.as_ref().and_then(|extras| extras.push_identifier.as_deref()) {
            Some(push_identifier) => Cow::Borrowed(push_identifier),
            None => Cow::Owned(push_identifier_of(&self.app_server, self.node.as_deref())),
        }
    }

    /// The push identifier in pieces, for which no memory is asked.
    pub(crate) fn push_identifier_pieces(&self) -> impl Iterator<Item = &str> {
        let stored = self.extras.as_ref().and_then(|extras| extras.push_identifier.as_deref());
        let usual = [self.app_server.as_str(), "<", self.node.as_deref().unwrap_or_default()];
        stored.into_iter().chain(usual.into_iter().filter(move |_| stored.is_none()))
    }

    /// Everything else that stands in the stored registration.
    pub fn extra_fields(&self) -> &[(StoredValue, StoredValue)] {
        self.extras.as_ref().map_or(&[], |extras| &extras.fields)
    }

    /// Which of two of a user was registered first: one that does not say its place, and of two of those the one with the
    /// earlier time.
    fn cmp_arrival(&self, other: &Self) -> Ordering {
        let by_time = || self.timestamp.as_seconds().total_cmp(&other.timestamp.as_seconds());
        let by_name = || self.push_identifier().cmp(&other.push_identifier());
        self.arrival.cmp(&other.arrival).then_with(by_time).then_with(by_name)
    }

    fn is_of(&self, app_server: &AppServer, node: Option<&str>) -> bool {
        self.app_server == *app_server && self.node.as_deref() == node
    }
}

/// Everything that one user has registered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// The user's devices.
    pub registrations: Vec<Registration>,
    /// Entries that are no registrations we can read; they stay in the store.
    pub unreadable: StoredTable,
}

impl Record {
    /// Adds a registration. It replaces one of the same app server and node: the last request wins (XEP-0357, section 5).
    /// So it does one that only has the same push identifier, for they cannot both be stored. Beyond `max_devices` those that
    /// were registered first are removed, and returned.
    pub(crate) fn add(&mut self, mut registration: Registration, max_devices: usize) -> Vec<Registration> {
        let last = self.registrations.iter().filter_map(|registration| registration.arrival).max();
        registration.arrival = Some(last.map_or(1, |last| last.saturating_add(1)));
        let push_identifier = registration.push_identifier();
        self.registrations.retain(|old| {
            !old.is_of(&registration.app_server, registration.node.as_deref())
                && old.push_identifier() != push_identifier
        });
        drop(push_identifier);
        let room = max_devices.saturating_sub(1);
        let mut removed = Vec::new();
        while self.registrations.len() > room {
            let oldest = self.registrations.iter().enumerate().min_by(|(_, a), (_, b)| a.cmp_arrival(b));
            match oldest.map(|(index, _)| index) {
                Some(index) => removed.push(self.registrations.swap_remove(index)),
                None => break,
            }
        }
        self.registrations.push(registration);
        removed
    }

    /// Removes the registration of a node, or without a node all of the app server (XEP-0357, section 6),
    /// and returns how many there were.
    pub(crate) fn remove(&mut self, app_server: &AppServer, node: Option<&str>) -> usize {
        let before = self.registrations.len();
        self.registrations.retain(|registration| match node {
            Some(_) => !registration.is_of(app_server, node),
            None => registration.app_server != *app_server,
        });
        before - self.registrations.len()
    }

    /// Removes the registration with this push identifier, and returns whether it was there.
    pub fn remove_identified(&mut self, push_identifier: &str) -> bool {
        let before = self.registrations.len();
        self.registrations.retain(|registration| registration.push_identifier() != push_identifier);
        before > self.registrations.len()
    }

    /// Whether nothing at all is left to store.
    pub fn is_empty(&self) -> bool {
        self.registrations.is_empty() && self.unreadable.is_empty()
    }
}

//! What a user has registered, as it is stored: one record per bare JID, one registration per device.

use std::borrow::Cow;

use crate::app_server::AppServer;
use crate::publish_options::PublishOptions;
use crate::request::Enable;

/// The longest node that is accepted, in bytes.
pub const MAX_NODE: usize = 1024;

/// A value in a stored record that is passed along as it is: what other modules have put there.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredValue {
    /// `true` or `false`
    Boolean(bool),
    /// A whole number
    Integer(i64),
    /// Any other number
    Number(f64),
    /// A string, which need not be text
    Text(Box<[u8]>),
    /// A table
    Table(StoredTable),
}

impl From<&str> for StoredValue {
    fn from(text: &str) -> Self {
        StoredValue::Text(text.as_bytes().into())
    }
}

/// The fields of a stored table, in no particular order.
pub type StoredTable = Vec<(StoredValue, StoredValue)>;

/// An enable request that was accepted (XEP-0357, section 5): one device of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// The `jid` attribute.
    pub app_server: AppServer,
    /// The `node` attribute.
    pub node: Option<Box<str>>,
    /// The form that goes back with every publish, as it came.
    pub publish_options: Option<PublishOptions>,
    /// When it was registered, in seconds since 1970.
    pub timestamp: f64,
    /// What most registrations do without.
    unusual: Option<Box<Unusual>>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Unusual {
    /// The key, where it is not [`push_identifier`] of the app server and node.
    key: Option<Box<str>>,
    extra: StoredTable,
}

/// The push identifier of an app server and node, `jid<node`: the key of their registration in the record.
pub fn push_identifier(app_server: &AppServer, node: Option<&str>) -> String {
    format!("{}<{}", app_server.as_str(), node.unwrap_or_default())
}

impl Registration {
    /// The registration that follows from a request at `now`, in seconds since 1970.
    pub fn new(enable: Enable, now: f64) -> Self {
        let include_payload = enable.include_payload.as_deref().map(StoredValue::from);
        let extra = include_payload.map(|value| ("include_payload".into(), value)).into_iter().collect();
        let registration = Registration {
            app_server: enable.app_server,
            node: enable.node,
            publish_options: enable.publish_options,
            timestamp: now,
            unusual: None,
        };
        registration.with_extra(extra)
    }

    /// A registration as it is stored under a key, without what else stands there.
    pub fn stored(
        key: &str,
        app_server: AppServer,
        node: Option<Box<str>>,
        publish_options: Option<PublishOptions>,
        timestamp: f64,
    ) -> Self {
        let is_usual = push_identifier(&app_server, node.as_deref()) == key;
        let unusual = (!is_usual).then(|| Box::new(Unusual { key: Some(key.into()), extra: Vec::new() }));
        Registration { app_server, node, publish_options, timestamp, unusual }
    }

    /// The same, with what other modules have stored in it.
    pub fn with_extra(mut self, extra: StoredTable) -> Self {
        if !extra.is_empty() {
            self.unusual.get_or_insert_default().extra = extra;
        }
        self
    }

    /// The push identifier: the registration's key in the record.
    pub fn key(&self) -> Cow<'_, str> {
        match self.unusual.as_ref().and_then(|unusual| unusual.key.as_deref()) {
            Some(key) => Cow::Borrowed(key),
            None => Cow::Owned(push_identifier(&self.app_server, self.node.as_deref())),
        }
    }

    /// Everything else that stands in the stored registration.
    pub fn extra(&self) -> &[(StoredValue, StoredValue)] {
        self.unusual.as_ref().map_or(&[], |unusual| &unusual.extra)
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
    /// Adds a registration. It replaces one of the same app server and node: the last request wins
    /// (XEP-0357, section 5). Beyond `max_devices` the oldest are removed, and returned.
    pub fn add(&mut self, registration: Registration, max_devices: usize) -> Vec<Registration> {
        self.registrations.retain(|old| !old.is_of(&registration.app_server, registration.node.as_deref()));
        let room = max_devices.saturating_sub(1);
        let mut removed = Vec::new();
        while self.registrations.len() > room {
            let oldest = self.registrations.iter().enumerate().min_by(|(_, a), (_, b)| {
                a.timestamp.total_cmp(&b.timestamp).then_with(|| a.key().cmp(&b.key()))
            });
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
    pub fn remove(&mut self, app_server: &AppServer, node: Option<&str>) -> usize {
        let before = self.registrations.len();
        self.registrations.retain(|registration| match node {
            Some(_) => !registration.is_of(app_server, node),
            None => registration.app_server != *app_server,
        });
        before - self.registrations.len()
    }

    /// Removes the registration with this key, and returns whether it was there.
    pub fn remove_key(&mut self, key: &str) -> bool {
        let before = self.registrations.len();
        self.registrations.retain(|registration| registration.key() != key);
        before > self.registrations.len()
    }

    /// Whether nothing at all is left to store.
    pub fn is_empty(&self) -> bool {
        self.registrations.is_empty() && self.unreadable.is_empty()
    }
}

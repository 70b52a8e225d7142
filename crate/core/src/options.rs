//! What the operator has set.

use serde::{Deserialize, Serialize};

use crate::app_server::AppServer;
use crate::notify_level::DefaultLevel;

/// The options of the module, as docs/operators.md has them. Durations are in seconds.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// `push_notification_with_body`: tell the app server what was said.
    pub with_body: bool,
    /// `push_notification_with_sender`: tell the app server who said it, and in which room.
    pub with_sender: bool,
    /// `push_notification_important_body`: the text sent where the body is not; empty for none.
    pub important_body: String,
    /// `muc_push_max_body`: the longest text that is sent, in bytes; at least 16.
    pub max_body_bytes: usize,
    /// `push_max_errors`: persistent errors in a row before a device is disabled; at least 1.
    pub max_errors: u32,
    /// `push_max_devices`: devices of one user; at least 1.
    pub max_devices: usize,
    /// `muc_push_default`: which messages are pushed to members that have set no level.
    pub default_level: DefaultLevel,
    /// `muc_push_max_users_per_domain`: users with a device of one domain that is not this server's; at least 1.
    pub max_users_per_domain: usize,
    /// `muc_push_max_users`: users with a device in all; at least 1.
    pub max_users: usize,
    /// `muc_push_lease`: how long a registration lasts without a sign of life.
    pub lease: f64,
    /// `muc_push_interval`: the time between two pushes about the same room to the same device; 0 for none.
    pub push_interval: f64,
    /// `muc_push_account_interval`: the time between two pushes by a way to the same user, whatever they are about; 0 for none.
    pub way_interval: f64,
    /// `muc_push_app_servers`: the JIDs or domains of app servers that may be registered, as the server has prepared them;
    /// `None`: all.
    pub app_servers: Option<Vec<String>>,
    /// `muc_push_max_in_flight`: publishes that may be on their way to one app server domain; at least 1.
    pub max_in_flight: u32,
    /// `muc_push_reply_timeout`: how long an app server may take to answer.
    pub reply_timeout: f64,
    /// `muc_push_retry_delay`: the delay before the first retry; it doubles with each one.
    pub retry_delay: f64,
    /// `muc_push_max_retry_delay`: the delay beyond which it does not grow.
    pub max_retry_delay: f64,
    /// `muc_push_time_to_live`: how long a push that cannot be delivered is retried.
    pub time_to_live: f64,
    /// `muc_push_give_up_after`: how long a device may have nothing but transient errors.
    pub give_up_after: f64,
    /// Keep what was said, and by whom, also where app servers in general may not know it: there are some in this process that
    /// are told by [`Engine::words`](crate::Engine::words). It is not the operator's.
    #[serde(skip)]
    pub keep_words: bool,
    /// `muc_push_journal`: what is new is in the store before it is pushed, for a run that ends without a stop.
    pub journal: bool,
    /// How many members of a room are told of something at once. It is not the operator's: so many take a fraction of a
    /// millisecond, and the rest goes on later.
    #[serde(skip, default = "members_at_once")]
    pub members_at_once: usize,
    /// How many devices are looked at in one call for how valuable their state is. Nor is this the operator's: so many take some
    /// milliseconds.
    #[serde(skip, default = "devices_at_once")]
    pub devices_at_once: usize,
}

fn devices_at_once() -> usize {
    20_000
}

fn members_at_once() -> usize {
    1000
}

impl Default for Options {
    fn default() -> Self {
        Options {
            with_body: false,
            with_sender: false,
            important_body: "New Message!".to_owned(),
            max_body_bytes: 1024,
            max_errors: 16,
            max_devices: 5,
            max_users_per_domain: 10_000,
            max_users: 1_000_000,
            lease: 90.0 * 86400.0,
            default_level: DefaultLevel::Auto,
            push_interval: 1.0,
            way_interval: 20.0,
            app_servers: None,
            max_in_flight: 500,
            reply_timeout: 120.0,
            retry_delay: 10.0,
            max_retry_delay: 3600.0,
            time_to_live: 2.0 * 86400.0,
            give_up_after: 14.0 * 86400.0,
            keep_words: false,
            journal: true,
            members_at_once: members_at_once(),
            devices_at_once: devices_at_once(),
        }
    }
}

impl Options {
    /// The domains of the app servers that the operator has named.
    pub(crate) fn app_server_domains(&self) -> impl Iterator<Item = Box<str>> {
        let named = self.app_servers.iter().flatten();
        named.map(|jid| AppServer::prepared(jid).domain().into())
    }

    /// The delay before a retry, when `attempts` have failed before that one; in seconds, without jitter.
    pub(crate) fn back_off(&self, attempts: u32) -> f64 {
        (self.retry_delay * 2_f64.powi(attempts.min(62).cast_signed())).min(self.max_retry_delay)
    }
}

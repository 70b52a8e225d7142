//! The engine of mod_muc_cloud_notify: which of a room's members get a push (XEP-0357), when, and what it says.
//!
//! It is a state machine without I/O: it is told what happens on a MUC service, and says what is to be stored and sent. It
//! calls nobody, reads no clock, logs nothing, and has no randomness of its own.
//!
//! # How it is driven
//!
//! After every fact, its caller takes out all events and looks at the deadline:
//!
//! ```text
//! engine.handle_message(broadcast, now);           // or any other fact
//! while let Some(event) = engine.poll_event() { … }
//! set_timer(engine.next_deadline());
//!
//! // when the timer runs:
//! engine.handle_timeout(now);
//! while let Some(push) = engine.poll_push(now, scope) { send(push) }
//! ```
//!
//! # Two clocks
//!
//! [`Instant`] is on a clock that never goes back, and everything that the engine waits for is measured by it. [`UnixTime`] is
//! the time of day, and good for what is stored.

mod app_server;
mod change;
mod circuit_breaker;
mod device;
mod devices;
mod domains;
mod engine;
mod error;
mod event;
mod ids;
mod journal;
mod lists;
mod mention;
mod message;
mod notify_level;
mod ns;
mod options;
mod originals;
mod outbox;
mod outcome;
mod publish_options;
mod random;
mod registration;
mod request;
mod room;
mod slots;
mod stored_value;
mod summary;
mod tables;
mod time;
mod way;
mod work;

/// All that callers may use. The other modules are private, so that rustc finds what is used by nobody.
#[cfg_attr(as_program, allow(unused_imports, reason = "tests and signatures need the others"))]
mod api {
    pub use crate::app_server::AppServer;
    pub use crate::change::Change;
    pub use crate::device::Scope;
    pub use crate::devices::Deadline;
    pub use crate::engine::{
        AccountsState, AgedDevice, Bounce, Broadcast, Detail, DeviceState, DomainState, Engine, Forgotten,
        MessageState, NicknameState, PendingState, Push, PushDetails, Snapshot, SnapshotPlan, StanzaIdsState,
        Stats, StrangersState, UnreadEntry, UnreadState, Words,
    };
    pub use crate::error::{ErrorType, RequestError};
    pub use crate::event::{Answered, Disabled, Event, Reason};
    pub use crate::ids::{DeviceId, ForeignId, PushId};
    pub use crate::mention::{KnownNicknames, Mentions, Nickname};
    pub use crate::message::Message;
    pub use crate::notify_level::{DefaultLevel, RoomPrivacy};
    pub use crate::ns::CLIENT as NS_CLIENT;
    pub use crate::options::Options;
    pub use crate::publish_options::{
        MAX_FORM_ATTRIBUTES, MAX_FORM_DEPTH, MAX_FORM_ELEMENTS, MAX_FORM_SIZE, PublishOptions,
    };
    pub use crate::random::Random;
    pub use crate::registration::{Record, Registration};
    pub use crate::request::{EnableFacts, MAX_INCLUDE_PAYLOAD, MAX_NODE};
    pub use crate::room::{Coverage, Membership};
    pub use crate::stored_value::{StoredTable, StoredValue};
    pub use crate::summary::Summary;
    pub use crate::time::{Instant, UnixTime};
    pub use crate::way::{Forwarding, Way};
    #[cfg(feature = "work-count")]
    pub use crate::work::work_done;
}

#[cfg(not(as_program))]
pub use api::*;

// The engine and its binding as one program, in which nothing is public any more: see crate/unused.
#[cfg(as_program)]
#[path = "../../module/src/lib.rs"]
mod binding;
#[cfg(as_program)]
extern crate self as muc_cloud_notify_core;
#[cfg(as_program)]
use api::*;

#[cfg(as_program)]
fn main() {}

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
mod circuit_breaker;
mod device;
mod devices;
mod engine;
mod error;
mod event;
mod ids;
mod importance;
mod mention;
mod notify_level;
pub mod ns;
mod options;
mod outbox;
mod outcome;
mod publish_options;
mod random;
mod registration;
mod request;
mod room;
mod stored_value;
mod summary;
mod time;

pub use app_server::AppServer;
pub use device::Scope;
pub use devices::Deadline;
pub use engine::{
    Bounce, Broadcast, Change, DeviceState, Engine, PendingState, Push, PushDetails, Snapshot, Stats,
    UnreadState,
};
pub use error::{ErrorType, RequestError};
pub use event::{Disabled, Event, Reason};
pub use ids::{DeviceId, ForeignId, PushId};
pub use importance::is_important;
pub use mention::{Mentions, Nickname};
pub use notify_level::{DefaultLevel, RoomPrivacy};
pub use options::Options;
pub use publish_options::{MAX_FORM_DEPTH, MAX_FORM_SIZE, PublishOptions};
pub use random::Random;
pub use registration::{Record, Registration};
pub use request::MAX_NODE;
pub use room::Coverage;
pub use stored_value::{StoredTable, StoredValue};
pub use summary::Summary;
pub use time::{Instant, UnixTime};

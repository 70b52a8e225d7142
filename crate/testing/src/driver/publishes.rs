//! Publishes as a driver hands them out, and what becomes of them.

use minidom::Element;
use muc_cloud_notify_core::{AppServer, PublishOptions, Push, Reason, Summary, Way};

/// What an app server answers to a publish, or the server in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A result.
    Delivered,
    /// An error of type `wait`.
    Transient,
    /// The server could not reach the app server.
    Silent,
    /// An error of type `cancel`.
    Rejected,
}

/// A publish request as it leaves the outbox, with everything that is known of it.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The id of the IQ.
    pub id: String,
    /// The bare JID of the user whose device it goes to.
    pub user: String,
    /// The app server it is sent to.
    pub app_server: AppServer,
    /// The way it goes by, where it does not go to an app server.
    pub way: Option<Way>,
    /// The node of the device.
    pub node: Option<Box<str>>,
    /// The form that was registered with the device.
    pub publish_options: Option<PublishOptions>,
    /// What it says.
    pub summary: Summary,
    /// Whether one of the messages it stands for mentions the user.
    pub mentioned: bool,
    /// The message that other modules judge it by.
    pub judged_by: Option<Digest>,
}

impl Publish {
    /// The `message-count`.
    pub fn count(&self) -> u32 {
        self.summary.message_count
    }

    /// The `last-message-body`.
    pub fn body(&self) -> Option<&str> {
        self.summary.last_message_body.as_deref()
    }
}

/// What is kept of a message.
#[derive(Debug, Clone)]
pub struct Digest {
    /// The room's bare JID.
    pub room: String,
    /// The message itself, where another module wants to see it.
    pub original: Option<Element>,
}

/// A device that was disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// The bare JID of its user.
    pub user: String,
    /// Its push identifier.
    pub push_identifier: String,
    /// The app server.
    pub app_server: AppServer,
    /// Why.
    pub reason: Reason,
}

/// How an answer to a publish was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handling {
    /// It answers nothing of ours: no publish has this id, or it went to another JID.
    Unknown,
    /// It was expected.
    Taken,
    /// It was expected, and it was one error too many.
    Disabled(Disabled),
}

/// What was due at one time.
#[derive(Debug, Default)]
pub struct Due {
    /// What is to be sent.
    pub pushes: Vec<Push>,
    /// What was disabled.
    pub disabled: Vec<Disabled>,
}

impl From<muc_cloud_notify_core::Disabled> for Disabled {
    fn from(disabled: muc_cloud_notify_core::Disabled) -> Self {
        Disabled {
            user: disabled.user.as_ref().to_owned(),
            push_identifier: disabled.push_identifier.into(),
            app_server: disabled.app_server,
            reason: disabled.reason,
        }
    }
}

//! What the engine has decided that is no push: for its caller to carry out.

use std::sync::Arc;

use crate::app_server::AppServer;
use crate::ids::DeviceId;

/// Something for the engine's caller to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A device is not pushed to any more: it has to be removed from the store.
    DeviceDisabled(Disabled),
    /// A device whose lease has aged has had a result: that has to be stored.
    DeviceAnswered(Answered),
    /// What [`Engine::addressee`](crate::Engine::addressee) has said of this device holds no more.
    AddresseeChanged(DeviceId),
}

/// A device that is not pushed to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// The bare JID of the user.
    pub user: Arc<str>,
    /// The push identifier of the device.
    pub push_identifier: Box<str>,
    /// The app server.
    pub app_server: AppServer,
    /// Why.
    pub reason: Reason,
}

/// A device that has had a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The bare JID of the user.
    pub user: Arc<str>,
    /// The push identifier of the device.
    pub push_identifier: Box<str>,
}

/// Why a device was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// This many persistent errors in a row.
    Rejected(u32),
    /// Nothing but transient errors for as long as the operator puts up with.
    Unreachable,
    /// What its app server pushes to has ended, as this says: see [`Engine::handle_ended`](crate::Engine::handle_ended).
    Ended,
}

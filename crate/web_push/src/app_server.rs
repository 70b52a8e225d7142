//! The app server (XEP-0357): gives out nodes, and turns publishes into requests to push services.

use thiserror::Error;

use crate::encryption::{Ephemeral, encrypt};
use crate::keys::Keys;
use crate::node::{MAX_NODE, NodeKeys};
use crate::notification::{Content, Notification};
use crate::push_services::{Admission, PushServices};
use crate::subscription::{InvalidSubscription, Subscription};
use crate::vapid::Vapid;

/// What the operator has set.
pub struct Options {
    /// The push services that may be sent to.
    pub services: PushServices,
    /// A URI at which the operator can be reached.
    pub contact: String,
    /// How much of a message a notification shows.
    pub content: Content,
    /// For how many seconds a push service keeps what it cannot deliver.
    pub time_to_live: u32,
}

/// What a browser needs to be pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// Its node.
    pub node: String,
    /// What the node is published to with.
    pub secret: String,
}

/// Why there is no node for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SubscribeError {
    /// It is none.
    #[error(transparent)]
    Invalid(#[from] InvalidSubscription),
    /// It is not one of a push service that the operator allows.
    #[error("this app server does not push to the host of this endpoint")]
    NotAllowed,
    /// The endpoint is too long.
    #[error("the endpoint is too long for a node of {MAX_NODE} bytes")]
    TooLong,
}

impl SubscribeError {
    /// A name for each kind.
    pub fn name(self) -> &'static str {
        match self {
            SubscribeError::Invalid(_) => "malformed",
            SubscribeError::NotAllowed => "not-allowed",
            SubscribeError::TooLong => "too-long",
        }
    }
}

/// Why a node cannot be published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindError {
    /// This app server has not made the node.
    NotFound,
    /// The secret is not that of the node.
    Forbidden,
    /// The push service is not allowed any more.
    NotAllowed,
}

/// A subscription that may be pushed to.
pub struct Found {
    subscription: Subscription,
    /// Whether the push service may be at any address: the operator wants it where it is.
    pub is_anywhere: bool,
}

impl Found {
    /// The host of the push service.
    pub fn host(&self) -> &str {
        self.subscription.endpoint.host()
    }

    /// Its origin.
    pub fn origin(&self) -> String {
        self.subscription.endpoint.origin()
    }
}

/// A request (RFC 8030, section 5), which is a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushRequest {
    /// Where it goes.
    pub url: String,
    /// Its headers.
    pub headers: [(&'static str, String); 6],
    /// What it says, encrypted.
    pub body: Vec<u8>,
}

/// An app server.
pub struct AppServer {
    options: Options,
    nodes: NodeKeys,
    vapid: Vapid,
}

impl AppServer {
    /// The app server with these keys.
    pub fn new(keys: &Keys, options: Options) -> Self {
        let vapid = Vapid::new(&keys.vapid, options.contact.clone());
        AppServer { options, nodes: NodeKeys::new(&keys.node), vapid }
    }

    /// The key that browsers subscribe with, in base64url.
    pub fn public_key(&self) -> &str {
        self.vapid.public_key()
    }

    /// The node for a subscription.
    ///
    /// # Errors
    ///
    /// There is none for it.
    pub fn subscribe(&self, subscription: &Subscription) -> Result<Subscribed, SubscribeError> {
        self.options.services.admit(&subscription.endpoint).ok_or(SubscribeError::NotAllowed)?;
        let node = self.nodes.seal(subscription).ok_or(SubscribeError::TooLong)?;
        Ok(Subscribed { secret: self.nodes.secret(&node), node })
    }

    /// The subscription of a node that is published to.
    ///
    /// # Errors
    ///
    /// It may not be pushed to.
    pub fn find(&self, node: &str, secret: Option<&str>) -> Result<Found, FindError> {
        let subscription = self.nodes.open(node).ok_or(FindError::NotFound)?;
        if !secret.is_some_and(|secret| self.nodes.is_secret(node, secret)) {
            return Err(FindError::Forbidden);
        }
        let admission = self.options.services.admit(&subscription.endpoint).ok_or(FindError::NotAllowed)?;
        Ok(Found { subscription, is_anywhere: admission == Admission::Anywhere })
    }

    /// The request that brings a notification to a browser. `None` where it cannot be encrypted, which does not happen.
    ///
    /// unix_time: in seconds
    pub fn request(
        &mut self,
        found: &Found,
        notification: Notification,
        ephemeral: &Ephemeral,
        unix_time: u64,
    ) -> Option<PushRequest> {
        let notification = notification.with(self.options.content);
        let urgency = if notification.important { "high" } else { "normal" };
        // A newer push replaces an older one of the same room that was not delivered.
        let topic = self.nodes.topic(notification.room.as_deref().unwrap_or(&notification.service));
        let (plaintext, padded) = notification.to_plaintext();
        let body = encrypt(&found.subscription, &plaintext, padded, ephemeral)?;
        let headers = [
            ("Authorization", self.vapid.authorization(&found.origin(), unix_time)),
            ("Content-Encoding", "aes128gcm".to_owned()),
            ("Content-Type", "application/octet-stream".to_owned()),
            ("TTL", self.options.time_to_live.to_string()),
            ("Topic", topic),
            ("Urgency", urgency.to_owned()),
        ];
        Some(PushRequest { url: found.subscription.endpoint.url(), headers, body })
    }

    /// An origin has not taken what it was told of who this is: it is told anew next time.
    pub fn forget_authorization(&mut self, origin: &str) {
        self.vapid.forget(origin);
    }
}

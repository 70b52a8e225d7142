//! What mod_web_push_app_server computes: it takes browsers' push subscriptions (W3C Push API), turns each into a node for
//! XEP-0357, and makes of every publish the request (RFC 8030) that the browser's push service is sent.
//!
//! It does no I/O, and has no clock and no randomness of its own: all of these are arguments.
//!
//! Nothing is kept of a subscription. Its node is the subscription itself, sealed with a key that nobody else has.

mod address;
mod app_server;
mod base64url;
mod encryption;
mod endpoint;
mod keys;
mod node;
mod notification;
mod push_services;
mod subscription;
mod vapid;

/// All that callers may use. The other modules are private, so that rustc finds what is used by nobody.
#[cfg_attr(as_program, allow(unused_imports, reason = "signatures need the others"))]
mod api {
    pub use crate::address::is_public_address;
    pub use crate::app_server::{
        AppServer, FindError, Found, Options, PushRequest, SubscribeError, Subscribed,
    };
    pub use crate::encryption::{Ephemeral, MAX_PLAINTEXT, encrypt};
    pub use crate::keys::{KeyError, Keys};
    pub use crate::node::MAX_NODE;
    pub use crate::notification::{Content, Notification};
    pub use crate::push_services::PushServices;
    pub use crate::subscription::{InvalidSubscription, Subscription};
}

#[cfg(not(as_program))]
pub use api::*;

// The library and its binding as one program, in which nothing is public any more: see crate/unused.
#[cfg(as_program)]
#[path = "../../web_push_module/src/lib.rs"]
mod binding;
#[cfg(as_program)]
extern crate self as web_push_app_server_core;
#[cfg(as_program)]
use api::*;

#[cfg(as_program)]
fn main() {}

//! What a client asks for: `<enable/>` and `<disable/>` (XEP-0357, sections 5 and 6).

use minidom::Element;

use crate::app_server::AppServer;
use crate::error::RequestError;
use crate::ns;
use crate::options::Options;
use crate::publish_options::{self, PublishOptions};

/// The longest node that is accepted, in bytes.
pub const MAX_NODE: usize = 1024;

/// The longest `include_payload` that is accepted, in bytes. Clients send `true`.
pub const MAX_INCLUDE_PAYLOAD: usize = 64;

/// The facts about a request to enable pushes.
#[derive(Debug, Clone, Copy)]
pub struct EnableFacts<'a> {
    /// The bare JID of the user who asks.
    pub user: &'a str,
    /// The `jid` attribute as the server has prepared it; `None` where it is no JID, or is not there.
    pub app_server: Option<&'a str>,
    /// Whether the user has an account on this very server.
    pub is_local: bool,
    /// Whether the user is known to be a member of a room.
    pub is_member: bool,
}

/// A request to push to a node of an app server (XEP-0357, section 5).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Enable {
    /// The `jid` attribute: the app server.
    pub(crate) app_server: AppServer,
    /// The `node` attribute: the provisioned node of the app server.
    pub(crate) node: Option<Box<str>>,
    /// The publish-options form.
    pub(crate) publish_options: Option<PublishOptions>,
    /// The `include_payload` attribute, which some clients send and mod_cloud_notify stores.
    pub(crate) include_payload: Option<Box<str>>,
}

impl Enable {
    /// Reads a request to the service `host`.
    ///
    /// # Errors
    ///
    /// Every [`RequestError`].
    pub(crate) fn read(
        enable: &Element,
        facts: &EnableFacts<'_>,
        host: &str,
        options: &Options,
    ) -> Result<Self, RequestError> {
        let app_server = read_app_server(enable, facts.app_server)?;
        if app_server.is_at(host) || app_server.is_of(facts.user) {
            return Err(RequestError::OwnAddress);
        }
        if !is_allowed(&app_server, options) {
            return Err(RequestError::ForbiddenAppServer);
        }
        Ok(Enable {
            app_server,
            node: read_node(enable)?,
            publish_options: publish_options::read(enable)?,
            include_payload: read_include_payload(enable)?,
        })
    }
}

/// A request to stop pushing to a node of an app server, or to all of them (XEP-0357, section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disable {
    /// The `jid` attribute: the app server.
    pub(crate) app_server: AppServer,
    /// The `node` attribute; without it, every node of the app server is meant.
    pub(crate) node: Option<Box<str>>,
}

impl Disable {
    /// Reads the request.
    ///
    /// # Errors
    ///
    /// [`RequestError::MissingAppServer`], [`RequestError::MalformedAppServer`], [`RequestError::LongNode`].
    pub(crate) fn read(disable: &Element, app_server: Option<&str>) -> Result<Self, RequestError> {
        Ok(Disable { app_server: read_app_server(disable, app_server)?, node: read_node(disable)? })
    }
}

/// Finds `<enable/>` or `<disable/>` in an IQ.
pub(crate) fn payload<'a>(iq: &'a Element, name: &str) -> Option<&'a Element> {
    iq.get_child(name, ns::PUSH)
}

/// `prepared`: the `jid` attribute as the server has prepared it.
fn read_app_server(request: &Element, prepared: Option<&str>) -> Result<AppServer, RequestError> {
    request.attr("jid").ok_or(RequestError::MissingAppServer)?;
    prepared.map(AppServer::prepared).ok_or(RequestError::MalformedAppServer)
}

/// An empty node is no node: the push identifier does not tell them apart.
fn read_node(request: &Element) -> Result<Option<Box<str>>, RequestError> {
    match request.attr("node") {
        None | Some("") => Ok(None),
        Some(node) if node.len() > MAX_NODE => Err(RequestError::LongNode(MAX_NODE)),
        Some(node) => Ok(Some(node.into())),
    }
}

fn read_include_payload(enable: &Element) -> Result<Option<Box<str>>, RequestError> {
    match enable.attr("include_payload") {
        Some(value) if value.len() > MAX_INCLUDE_PAYLOAD => {
            Err(RequestError::LongIncludePayload(MAX_INCLUDE_PAYLOAD))
        }
        value => Ok(value.map(Into::into)),
    }
}

/// Whether the operator allows an app server: by its domain, its bare JID or its full one.
fn is_allowed(app_server: &AppServer, options: &Options) -> bool {
    let names = [app_server.domain(), app_server.bare(), app_server.as_str()];
    let allowed = options.app_servers.as_ref();
    allowed.is_none_or(|allowed| allowed.iter().any(|jid| names.contains(&jid.as_str())))
}

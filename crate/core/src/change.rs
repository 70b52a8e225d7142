//! What a request makes of a user's record: to be stored before the request is answered.

use minidom::Element;

use crate::error::RequestError;
use crate::options::Options;
use crate::registration::{Record, Registration};
use crate::request::{self, Disable, Enable, EnableFacts};
use crate::time::UnixTime;

/// What is to be stored before a request is answered. Nothing has changed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What the user's record becomes.
    pub record: Record,
    /// The push identifier of the registration that was added.
    pub added: Option<Box<str>>,
    /// How many registrations were removed, other than by replacement.
    pub removed: usize,
}

impl Change {
    /// That of an IQ with `<enable/>` to the service `host` (XEP-0357, section 5).
    pub(crate) fn enable(
        iq: &Element,
        facts: &EnableFacts<'_>,
        host: &str,
        mut record: Record,
        now: UnixTime,
        options: &Options,
    ) -> Result<Self, RequestError> {
        let payload = request::payload(iq, "enable").ok_or(RequestError::MissingAppServer)?;
        let registration = Registration::new(Enable::read(payload, facts, host, options)?, now);
        let added = registration.push_identifier().into();
        let removed = record.add(registration, options.max_devices).len();
        Ok(Change { record, added: Some(added), removed })
    }

    /// That of an IQ with `<disable/>` (XEP-0357, section 6).
    pub(crate) fn disable(
        iq: &Element,
        app_server: Option<&str>,
        mut record: Record,
    ) -> Result<Self, RequestError> {
        let payload = request::payload(iq, "disable").ok_or(RequestError::MissingAppServer)?;
        let disable = Disable::read(payload, app_server)?;
        let removed = record.remove(&disable.app_server, disable.node.as_deref());
        Ok(Change { record, added: None, removed })
    }
}

//! Why a request of a client is refused, and the stanza error that tells it so.

use thiserror::Error;

/// The `type` of a stanza error: what the sender may do about it (RFC 6120, section 8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// Retry after providing credentials.
    Auth,
    /// Do not retry: the error cannot be remedied.
    Cancel,
    /// Retry after changing the data sent.
    Modify,
    /// Retry after waiting: the error is temporary.
    Wait,
}

impl ErrorType {
    /// The value of the `type` attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorType::Auth => "auth",
            ErrorType::Cancel => "cancel",
            ErrorType::Modify => "modify",
            ErrorType::Wait => "wait",
        }
    }
}

/// A request to enable or disable pushes that cannot be followed (XEP-0357, sections 5 and 6).
///
/// Each variant knows the stanza error it is answered with; its message is the text of that error.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The `jid` attribute, which names the app server, is not there.
    #[error("the 'jid' attribute, which names the app server, is missing")]
    MissingAppServer,
    /// The `jid` attribute is no JID.
    #[error("the 'jid' attribute is not a valid JID: {0}")]
    MalformedAppServer(jid::Error),
    /// The operator does not allow this app server.
    #[error("this app server is not allowed here")]
    ForbiddenAppServer,
    /// The address is the service itself, one of its rooms, or the user who asks.
    #[error("the app server must be neither this service, nor one of its rooms, nor yourself")]
    OwnAddress,
    /// The data form is not a form of type `submit` with the `FORM_TYPE` of publish-options.
    #[error("the form must be of type 'submit', with the FORM_TYPE of pubsub#publish-options")]
    NotPublishOptions,
    /// The node is longer than [`crate::MAX_NODE`].
    #[error("the 'node' attribute is longer than {0} bytes")]
    LongNode(usize),
    /// The form holds more text than [`crate::MAX_FORM_SIZE`].
    #[error("the form is larger than {0} bytes")]
    LargeForm(usize),
    /// The form is nested deeper than [`crate::MAX_FORM_DEPTH`].
    #[error("the form is nested deeper than {0} levels")]
    DeepForm(usize),
}

impl RequestError {
    /// The `type` of the stanza error.
    pub fn error_type(&self) -> ErrorType {
        match self {
            RequestError::ForbiddenAppServer => ErrorType::Auth,
            RequestError::OwnAddress => ErrorType::Cancel,
            RequestError::MissingAppServer
            | RequestError::MalformedAppServer(_)
            | RequestError::NotPublishOptions
            | RequestError::LongNode(_)
            | RequestError::LargeForm(_)
            | RequestError::DeepForm(_) => ErrorType::Modify,
        }
    }

    /// The defined condition of the stanza error (RFC 6120, section 8.3.3).
    pub fn condition(&self) -> &'static str {
        match self {
            RequestError::MissingAppServer | RequestError::NotPublishOptions => "bad-request",
            RequestError::MalformedAppServer(_) => "jid-malformed",
            RequestError::ForbiddenAppServer => "forbidden",
            RequestError::OwnAddress => "not-allowed",
            RequestError::LongNode(_) | RequestError::LargeForm(_) | RequestError::DeepForm(_) => {
                "policy-violation"
            }
        }
    }
}

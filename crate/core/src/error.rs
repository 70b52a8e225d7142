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
    #[error("the 'jid' attribute is not a valid JID")]
    MalformedAppServer,
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
    /// The `include_payload` attribute is longer than [`crate::MAX_INCLUDE_PAYLOAD`].
    #[error("the 'include_payload' attribute is longer than {0} bytes")]
    LongIncludePayload(usize),
    /// The form takes more bytes than [`crate::MAX_FORM_SIZE`].
    #[error("the form is larger than {0} bytes")]
    LargeForm(usize),
    /// The form has more elements than [`crate::MAX_FORM_ELEMENTS`].
    #[error("the form has more than {0} elements")]
    ManyElements(usize),
    /// The form has more attributes than [`crate::MAX_FORM_ATTRIBUTES`].
    #[error("the form has more than {0} attributes")]
    ManyAttributes(usize),
    /// The form is nested deeper than [`crate::MAX_FORM_DEPTH`].
    #[error("the form is nested deeper than {0} levels")]
    DeepForm(usize),
    /// The service has as many users as it may have.
    #[error("this service takes no more users at the moment")]
    TooManyUsers,
    /// The user's domain has as many users as a domain may have.
    #[error("this service takes no more users of your domain at the moment")]
    TooManyUsersOfDomain,
    /// The user's domain has as many devices of users without a room as a domain may have.
    #[error("this service takes no more users of your domain who are not a member of any room")]
    TooManyStrangers,
}

impl RequestError {
    /// The `type` of the stanza error.
    pub fn error_type(&self) -> ErrorType {
        match self {
            RequestError::ForbiddenAppServer => ErrorType::Auth,
            RequestError::OwnAddress => ErrorType::Cancel,
            RequestError::TooManyUsers
            | RequestError::TooManyUsersOfDomain
            | RequestError::TooManyStrangers => ErrorType::Wait,
            RequestError::MissingAppServer
            | RequestError::MalformedAppServer
            | RequestError::NotPublishOptions
            | RequestError::LongNode(_)
            | RequestError::LongIncludePayload(_)
            | RequestError::LargeForm(_)
            | RequestError::ManyElements(_)
            | RequestError::ManyAttributes(_)
            | RequestError::DeepForm(_) => ErrorType::Modify,
        }
    }

    /// The defined condition of the stanza error (RFC 6120, section 8.3.3).
    pub fn condition(&self) -> &'static str {
        match self {
            RequestError::MissingAppServer | RequestError::NotPublishOptions => "bad-request",
            RequestError::MalformedAppServer => "jid-malformed",
            RequestError::ForbiddenAppServer => "forbidden",
            RequestError::OwnAddress => "not-allowed",
            RequestError::LongNode(_)
            | RequestError::LongIncludePayload(_)
            | RequestError::LargeForm(_)
            | RequestError::ManyElements(_)
            | RequestError::ManyAttributes(_)
            | RequestError::DeepForm(_) => "policy-violation",
            RequestError::TooManyUsers
            | RequestError::TooManyUsersOfDomain
            | RequestError::TooManyStrangers => "resource-constraint",
        }
    }
}

//! What the answer of an app server means (XEP-0357, section 7; RFC 6120, section 8.3.2).

use crate::error::ErrorType;

/// The answer to a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A result: the app server has it.
    Delivered,
    /// Try again later.
    Transient,
    /// Nobody answered, or the server could not reach the app server: try again later, and spare it.
    Silent,
    /// The app server does not want it. One such answer proves nothing: app servers also say it when
    /// something else goes wrong with them. Many in a row do.
    Rejected,
}

impl Outcome {
    /// The meaning of an error of this `type` and condition; one without a known type is a rejection.
    ///
    /// An app server that cannot be reached has said nothing. The server says so in its name, and, where no
    /// connection could be made at all, as an error that cannot be remedied (`cancel`): no reason to take
    /// every device there for gone while the app server is down. It also says so of what a connection that is lost may not
    /// have brought there (XEP-0198).
    pub(crate) fn of_error(error_type: Option<&str>, condition: Option<&str>) -> Self {
        if matches!(
            condition,
            Some("remote-server-not-found" | "remote-server-timeout" | "recipient-unavailable")
        ) {
            Outcome::Silent
        } else if error_type == Some(ErrorType::Wait.as_str()) {
            Outcome::Transient
        } else {
            Outcome::Rejected
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wait_is_transient() {
        assert_eq!(Outcome::of_error(Some("wait"), Some("resource-constraint")), Outcome::Transient);
        for error_type in [Some("cancel"), Some("auth"), Some("modify"), Some("continue"), Some("x"), None] {
            let outcome = Outcome::of_error(error_type, Some("resource-constraint"));
            assert_eq!(outcome, Outcome::Rejected, "{error_type:?}");
        }
    }

    #[test]
    fn who_cannot_be_reached_has_said_nothing() {
        for condition in ["remote-server-not-found", "remote-server-timeout", "recipient-unavailable"] {
            for error_type in [Some("wait"), Some("cancel"), None] {
                assert_eq!(Outcome::of_error(error_type, Some(condition)), Outcome::Silent, "{error_type:?}");
            }
        }
    }
}

//! What the answer of an app server means (XEP-0357, section 7; RFC 6120, section 8.3.2).

use crate::error::ErrorType;

/// The answer to a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
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
    pub fn of_error(error_type: Option<&str>, condition: Option<&str>) -> Self {
        if error_type != Some(ErrorType::Wait.as_str()) {
            Outcome::Rejected
        } else if condition == Some("remote-server-timeout") {
            Outcome::Silent
        } else {
            Outcome::Transient
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wait_is_transient() {
        assert_eq!(Outcome::of_error(Some("wait"), Some("resource-constraint")), Outcome::Transient);
        assert_eq!(Outcome::of_error(Some("wait"), Some("remote-server-timeout")), Outcome::Silent);
        for error_type in [Some("cancel"), Some("auth"), Some("modify"), Some("continue"), Some("x"), None] {
            let outcome = Outcome::of_error(error_type, Some("remote-server-timeout"));
            assert_eq!(outcome, Outcome::Rejected, "{error_type:?}");
        }
    }
}

//! The hosts of this server that publishes are from: the service itself, or the host of the user's account. Each has links of
//! its own to other servers.

/// The host that a publish is from: the service itself, unless something else was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Publisher(u16);

/// The hosts that publishes were from, besides the service: no more than the server has.
#[derive(Debug, Default)]
pub(crate) struct Publishers(Vec<Box<str>>);

impl Publishers {
    /// A host from which something was sent.
    pub(crate) fn find(&self, host: &str) -> Option<Publisher> {
        let place = self.0.iter().position(|known| **known == *host)?;
        u16::try_from(place + 1).ok().map(Publisher)
    }

    /// A host from which something is sent; the service itself, where there are more than can be told from each other.
    pub(crate) fn find_or_insert(&mut self, host: &str) -> Publisher {
        if let Some(known) = self.find(host) {
            return known;
        }
        if self.0.len() < usize::from(u16::MAX) {
            self.0.push(host.into());
        }
        self.find(host).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_is_told_from_the_others_and_from_the_service() {
        let mut publishers = Publishers::default();
        let verona = publishers.find_or_insert("verona.example");
        let mantua = publishers.find_or_insert("mantua.example");
        assert_eq!(publishers.find_or_insert("verona.example"), verona);
        assert_eq!(publishers.find("padua.example"), None);
        assert!(verona != mantua && verona != Publisher::default() && mantua != Publisher::default());
    }

    #[test]
    fn of_more_hosts_than_any_server_has_the_last_are_taken_for_the_service() {
        let hosts = (0..usize::from(u16::MAX)).map(|number| number.to_string().into());
        let mut publishers = Publishers(hosts.collect());
        assert_eq!(publishers.find_or_insert("verona.example"), Publisher::default());
        assert_eq!(publishers.find("verona.example"), None);
    }
}

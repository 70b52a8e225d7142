//! What a push says: the summary form of a publish (XEP-0357, section 7).

use std::collections::VecDeque;
use std::sync::Arc;

/// The fields of the summary form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// `message-count`: how many messages are unread, in all rooms of the service.
    pub message_count: u32,
    /// `last-message-sender`: the occupant JID of the newest one's author.
    pub last_message_sender: Option<Arc<str>>,
    /// `last-message-body`: its text, or a text in its place.
    pub last_message_body: Option<Arc<str>>,
}

impl Summary {
    /// The fields in the order of XEP-0357, section 7, without `FORM_TYPE`.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        let count = ("message-count", self.message_count.to_string());
        let sender =
            self.last_message_sender.iter().map(|sender| ("last-message-sender", sender.to_string()));
        let body = self.last_message_body.iter().map(|body| ("last-message-body", body.to_string()));
        std::iter::once(count).chain(sender).chain(body)
    }

    /// Whether another one says the same in the same texts. Texts are shared by all that is said of a message, so they
    /// need not be compared; should two be equal and not the same, no harm is done.
    fn is_same(&self, other: &Self) -> bool {
        fn is_shared(one: Option<&Arc<str>>, other: Option<&Arc<str>>) -> bool {
            match (one, other) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            }
        }
        self.message_count == other.message_count
            && is_shared(self.last_message_body.as_ref(), other.last_message_body.as_ref())
            && is_shared(self.last_message_sender.as_ref(), other.last_message_sender.as_ref())
    }
}

/// How many summaries keep their number.
const KEPT: usize = 64;

/// The newest summaries, each under a number: pushes that say the same have the same, and none ever means another one. They
/// hold the texts of at most 64 messages, also of those that were delivered.
#[derive(Debug, Default)]
pub(crate) struct Summaries {
    newest: VecDeque<Summary>,
    /// The number of the oldest of them.
    first: u64,
}

impl Summaries {
    /// The number of a summary.
    pub(crate) fn number(&mut self, summary: Summary) -> u64 {
        let known = self.newest.iter().rposition(|known| known.is_same(&summary));
        let place = known.unwrap_or_else(|| {
            if self.newest.len() == KEPT {
                self.newest.pop_front();
                self.first += 1;
            }
            self.newest.push_back(summary);
            self.newest.len() - 1
        });
        self.first + place as u64
    }

    /// The summary with this number.
    pub(crate) fn get(&self, number: u64) -> Option<&Summary> {
        self.newest.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(message_count: u32, body: &Arc<str>) -> Summary {
        Summary { message_count, last_message_sender: None, last_message_body: Some(body.clone()) }
    }

    #[test]
    fn the_same_summary_has_the_same_number_and_another_one_has_not() {
        let (hello, hi): (Arc<str>, Arc<str>) = ("hello".into(), "hi".into());
        let mut summaries = Summaries::default();
        let number = summaries.number(summary(1, &hello));
        assert_eq!(summaries.number(summary(1, &hello)), number);
        assert_ne!(summaries.number(summary(2, &hello)), number);
        assert_ne!(summaries.number(summary(1, &hi)), number);
        let sender = Summary { last_message_sender: Some(hi.clone()), ..summary(1, &hello) };
        assert_ne!(summaries.number(sender), number);
        assert_eq!(summaries.get(number), Some(&summary(1, &hello)));
    }

    #[test]
    fn the_newest_are_known_and_no_number_is_given_twice() {
        let hello: Arc<str> = "hello".into();
        let mut summaries = Summaries::default();
        for count in 0..200 {
            assert_eq!(summaries.number(summary(count, &hello)), u64::from(count));
        }
        assert_eq!(summaries.get(135), None);
        assert_eq!(summaries.get(136), Some(&summary(136, &hello)));
        assert_eq!(summaries.get(200), None);
        assert_eq!(summaries.number(summary(0, &hello)), 200);
    }
}

//! App servers: they answer as they please, or not at all, twice, late, or in somebody else's name.

use crate::driver::Outcome;
use crate::sim_chance::Chance;

/// How an app server behaves at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// It takes what it is sent.
    Takes,
    /// It knows none of the nodes.
    Rejects,
    /// It is overloaded.
    Waits,
    /// Nothing comes back.
    Silent,
    /// There is no way to it: the server says so in its name.
    Unreachable,
    /// Any of these, each time.
    Erratic,
}

const MOODS: [Mood; 8] = [
    Mood::Takes,
    Mood::Takes,
    Mood::Takes,
    Mood::Rejects,
    Mood::Waits,
    Mood::Silent,
    Mood::Unreachable,
    Mood::Erratic,
];

/// An answer on its way.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The id of the IQ.
    pub(super) id: String,
    /// Who it is from.
    pub(super) from: String,
    /// What it says.
    pub(super) outcome: Outcome,
}

/// Before the names of domains that messages are forwarded to.
const FORWARD: &str = "forward ";

/// An app server, or what takes its place in the address of a way.
#[derive(Debug)]
pub(super) struct SimAppServer {
    pub(super) jid: String,
    pub(super) domain: String,
    pub(super) mood: Mood,
    /// It lives in the same process: its answer is there before the push is sent.
    pub(super) is_in_process: bool,
    /// It has taken a publish once.
    pub(super) has_taken_any: bool,
}

/// How the answers of all of them go wrong: one in so many, 0 for none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quirks {
    pub(super) twice: usize,
    pub(super) late: usize,
    pub(super) forged: usize,
}

impl SimAppServer {
    pub(super) fn new(number: usize, is_in_process: bool) -> Self {
        // Some of them are at the same domain.
        let domain = format!("push{}.example", number / 2);
        let jid = if number.is_multiple_of(2) { domain.clone() } else { format!("app@{domain}/device") };
        SimAppServer { jid, domain, mood: Mood::Takes, is_in_process, has_taken_any: false }
    }

    /// The account of a user elsewhere, which messages are forwarded to. What is known of its domain is not what is known of app
    /// servers there.
    pub(super) fn of_account_elsewhere(jid: &str) -> Self {
        let domain = jid.split_once('@').map_or(jid, |(_, domain)| domain);
        SimAppServer { domain: format!("{FORWARD}{domain}"), ..SimAppServer::of_accounts_here(jid) }
    }

    /// All accounts of this server together, which have no address.
    pub(super) fn of_accounts_here(jid: &str) -> Self {
        SimAppServer {
            jid: jid.to_owned(),
            domain: String::new(),
            mood: Mood::Takes,
            is_in_process: false,
            has_taken_any: false,
        }
    }

    /// The domain that there are links to; nothing where none are needed.
    pub(super) fn linked_domain(&self) -> Option<&str> {
        let domain = self.domain.strip_prefix(FORWARD).unwrap_or(&self.domain);
        (!domain.is_empty()).then_some(domain)
    }

    /// Whether the link to it is being made.
    pub(super) fn is_connecting(&self) -> bool {
        self.mood == Mood::Silent
    }

    /// What comes back for a message that was forwarded: from its server, or, where that is out of reach, in its name.
    pub(super) fn answers_to_forwarded(
        &self,
        id: &str,
        quirks: Quirks,
        reply_timeout: f64,
        chance: &mut Chance,
    ) -> Vec<(f64, Answer)> {
        let (outcome, mut after) = match self.mood_now(chance) {
            Mood::Takes | Mood::Erratic if chance.one_in(2) => return Vec::new(),
            Mood::Takes | Mood::Erratic | Mood::Rejects => (Outcome::Rejected, chance.between(0.0, 3.0)),
            Mood::Waits => (Outcome::Transient, chance.between(0.0, 3.0)),
            Mood::Unreachable if chance.one_in(3) => (Outcome::Silent, 0.0),
            Mood::Unreachable => (Outcome::Silent, chance.between(0.0, 3.0)),
            Mood::Silent if chance.one_in(2) => return Vec::new(),
            Mood::Silent => (Outcome::Silent, chance.between(0.5, 3.0) * reply_timeout),
        };
        if chance.one_in(quirks.late) {
            after += chance.between(0.0, 2.0) * reply_timeout;
        }
        let answer = Answer { id: id.to_owned(), from: self.jid.clone(), outcome };
        let mut answers = Vec::new();
        if chance.one_in(quirks.forged) {
            answers.push((after / 2.0, Answer { from: "evil.example".to_owned(), ..answer.clone() }));
        }
        if chance.one_in(quirks.twice) {
            let other = chance.pick(&[Outcome::Rejected, Outcome::Transient, Outcome::Silent]);
            answers.push((after * 2.0, Answer { outcome: other, ..answer.clone() }));
        }
        answers.push((after, answer));
        answers
    }

    /// How it takes what comes now.
    fn mood_now(&self, chance: &mut Chance) -> Mood {
        match self.mood {
            Mood::Erratic => chance.pick(&MOODS[..7]),
            mood => mood,
        }
    }

    pub(super) fn change_mood(&mut self, chance: &mut Chance) {
        self.mood = chance.pick(&MOODS);
    }

    /// What it answers to a publish, each with how many seconds later it arrives.
    pub(super) fn answers(
        &mut self,
        id: &str,
        quirks: Quirks,
        reply_timeout: f64,
        chance: &mut Chance,
    ) -> Vec<(f64, Answer)> {
        let outcome = match self.mood_now(chance) {
            Mood::Takes | Mood::Erratic => Outcome::Delivered,
            Mood::Rejects => Outcome::Rejected,
            Mood::Waits => Outcome::Transient,
            Mood::Unreachable => Outcome::Silent,
            Mood::Silent => return Vec::new(),
        };
        let mut after = if chance.one_in(4) { chance.between(0.0, 20.0) } else { chance.between(0.0, 0.3) };
        if chance.one_in(quirks.late) {
            after = chance.between(0.8, 2.5) * reply_timeout;
        }
        let answer = Answer { id: id.to_owned(), from: self.jid.clone(), outcome };
        let mut answers = Vec::new();
        if chance.one_in(quirks.forged) {
            let forged = Answer { from: "evil.example".to_owned(), ..answer.clone() };
            answers.push((after / 2.0, forged));
        }
        if chance.one_in(quirks.twice) {
            let other = chance.pick(&[Outcome::Delivered, Outcome::Rejected, Outcome::Transient]);
            answers.push((after * 2.0, Answer { outcome: other, ..answer.clone() }));
        }
        answers.push((after, answer));
        answers
    }
}

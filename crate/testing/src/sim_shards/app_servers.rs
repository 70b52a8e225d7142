//! The app servers that all shards share: when they are there, what they take, and how much they are sent.

use crate::sim_chance::Chance;

/// How long after its return an app server is looked at as one that has just come back.
pub(super) const AFTER_RETURN: f64 = 30.0;

/// What an app server is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is always there.
    Steady,
    /// It goes away for minutes, and the servers lose their links.
    Leaves,
    /// It goes away for minutes, and what is sent to it vanishes.
    Vanishes,
    /// It goes away for seconds, several times.
    Flaps,
    /// It takes so many a second, and asks for patience beyond that.
    Limited,
    /// It has never answered anything.
    Silent,
    /// Each shard has one of its own, which is always there.
    Own,
}

/// All of them, and of how many of a thousand devices they are.
pub(super) const KINDS: [(Kind, u64); 7] = [
    (Kind::Steady, 400),
    (Kind::Leaves, 200),
    (Kind::Vanishes, 100),
    (Kind::Flaps, 120),
    (Kind::Limited, 120),
    (Kind::Silent, 30),
    (Kind::Own, 30),
];

impl Kind {
    /// The JID of the app server that a shard's devices of this kind are registered for.
    pub(super) fn jid(self, shard: usize) -> String {
        match self {
            Kind::Own => format!("push.own{shard}.example"),
            kind => format!("push.{kind:?}.example").to_lowercase(),
        }
    }
}

/// A time in which an app server is not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) from: f64,
    pub(super) until: f64,
}

/// What becomes of a push.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// It is taken, and the answer comes in then.
    Taken(f64),
    /// It is taken, and the answer is lost.
    TakenSilently,
    /// It is to be sent again later, which is said then.
    Refused(f64),
    /// There is no way to it, which the server says then.
    Unreachable(f64),
    /// Nobody gets it.
    Lost,
}

/// An app server.
#[derive(Debug)]
pub(super) struct SimAppServer {
    pub(super) kind: Kind,
    pub(super) outages: Vec<Outage>,
    most_a_second: u32,
    pub(super) in_flight: u32,
    /// For each second, how many pushes were sent, and how many were on their way at most.
    sent: Vec<u32>,
    peaks: Vec<u32>,
    pub(super) taken: u64,
    /// After which return somebody who had waited for it was told last, and how many seconds after.
    pub(super) told_after: f64,
    /// When somebody heard of something new through it last.
    pub(super) last_told: f64,
}

impl SimAppServer {
    /// One that takes so many a second if it is limited, in a run that goes wrong for so many seconds.
    pub(super) fn new(kind: Kind, seconds: f64, most_a_second: u32, chance: &mut Chance) -> Self {
        let mut outage = |from: (f64, f64), length: (f64, f64)| {
            let from = seconds * chance.between(from.0, from.1);
            Outage { from, until: from + chance.between(length.0, length.1) }
        };
        // What is said everywhere at once is said in the middle.
        let outages = match kind {
            Kind::Leaves => vec![outage((0.35, 0.45), (200.0, 400.0))],
            Kind::Vanishes => vec![outage((0.25, 0.35), (300.0, 420.0))],
            Kind::Flaps => vec![
                outage((0.1, 0.3), (1.0, 4.0)),
                outage((0.499, 0.5), (1.0, 4.0)),
                outage((0.6, 0.9), (20.0, 40.0)),
            ],
            _ => Vec::new(),
        };
        SimAppServer {
            kind,
            outages,
            most_a_second,
            in_flight: 0,
            sent: Vec::new(),
            peaks: Vec::new(),
            taken: 0,
            told_after: 0.0,
            last_told: 0.0,
        }
    }

    /// Whether the servers lose their links to it when it goes away.
    pub(super) fn is_announced(&self) -> bool {
        self.kind != Kind::Vanishes
    }

    /// Whether it is there all the time from one moment to another.
    fn is_there(&self, from: f64, until: f64) -> bool {
        self.outages.iter().all(|outage| until < outage.from || outage.until < from)
    }

    /// The outage that ended last.
    pub(super) fn last_outage(&self, now: f64) -> Option<Outage> {
        self.outages.iter().rev().find(|outage| outage.until <= now).copied()
    }

    /// Something is sent to it, by a server that has a link to it or not.
    pub(super) fn take(&mut self, now: f64, is_cut_off: bool, chance: &mut Chance) -> Fate {
        let second = now as usize;
        if self.sent.len() <= second {
            self.sent.resize(second + 1, 0);
            self.peaks.resize(second + 1, 0);
        }
        self.sent[second] += 1;
        self.in_flight += 1;
        self.peaks[second] = self.peaks[second].max(self.in_flight);
        let latency = chance.between(0.05, 0.15);
        let (arrives, answered) = (now + latency / 2.0, now + latency);
        if is_cut_off {
            return Fate::Unreachable(now + chance.between(0.0, 2.0));
        }
        if self.kind == Kind::Silent || !self.is_there(arrives, arrives) {
            return Fate::Lost;
        }
        if self.kind == Kind::Limited && self.sent[second] > self.most_a_second {
            return Fate::Refused(answered);
        }
        self.taken += 1;
        if self.is_there(arrives, answered) { Fate::Taken(answered) } else { Fate::TakenSilently }
    }

    /// How many were sent to it in a second, and how many were on their way, at most; of all the time, or of the time after each
    /// return.
    pub(super) fn peaks(&self, is_after_return: bool) -> (u32, u32) {
        let counts = |second: usize| {
            let at = second as f64;
            let is_after = |it: &Outage| (it.until.floor()..it.until + AFTER_RETURN).contains(&at);
            !is_after_return || self.outages.iter().any(is_after)
        };
        let most = |of: &[u32]| {
            let of = of.iter().enumerate().filter(|(second, _)| counts(*second));
            of.map(|(_, count)| *count).max().unwrap_or_default()
        };
        (most(&self.sent), most(&self.peaks))
    }
}

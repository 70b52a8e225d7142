//! App servers that do not answer are left alone for a while, instead of being asked once for every device.

use std::collections::HashMap;

use crate::app_server::AppServer;
use crate::options::Options;

/// How many publishes in a row must stay unanswered before an app server is rested.
const SILENCES: u32 = 5;

/// Whether an app server may be asked now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Permit {
    /// It may.
    Granted,
    /// Not before this time.
    Denied {
        /// When to come again; seconds on the engine's clock.
        until: f64,
    },
}

/// How many app servers are remembered before those that matter no more are forgotten.
const REMEMBERED: usize = 256;

/// The app servers that have not answered lately. Those that do are not listed.
#[derive(Debug, Default)]
pub struct Circuits(HashMap<AppServer, Circuit>);

#[derive(Debug, Default)]
struct Circuit {
    /// Publishes in a row without an answer.
    silences: u32,
    /// How often in a row it was rested.
    rests: u32,
    /// Until when nothing is sent, or how long the publish that is to try it out may take.
    closed_until: f64,
    /// A single publish was let through, to see whether it is answered.
    probing: bool,
}

impl Circuits {
    /// Asks to send a publish at `now`.
    pub fn ask(&mut self, app_server: &AppServer, now: f64, options: &Options) -> Permit {
        match self.0.get_mut(app_server) {
            Some(circuit) if circuit.silences >= SILENCES && now < circuit.closed_until => {
                Permit::Denied { until: circuit.closed_until }
            }
            Some(circuit) if circuit.silences >= SILENCES => {
                circuit.probing = true;
                circuit.closed_until = now + options.reply_timeout;
                Permit::Granted
            }
            _ => Permit::Granted,
        }
    }

    /// An app server has answered, whatever it said.
    pub fn answered(&mut self, app_server: &AppServer) {
        self.0.remove(app_server);
    }

    /// A publish was not answered.
    pub fn silent(&mut self, app_server: &AppServer, now: f64, options: &Options) {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, circuit| circuit.closed_until > now);
        }
        let circuit = self.0.entry(app_server.clone()).or_default();
        circuit.silences = circuit.silences.saturating_add(1);
        // What was sent before the rest began and times out during it says nothing new.
        if circuit.silences >= SILENCES && (circuit.probing || now >= circuit.closed_until) {
            circuit.closed_until = now + options.back_off(circuit.rests);
            circuit.rests = circuit.rests.saturating_add(1);
            circuit.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANTED: Permit = Permit::Granted;

    fn silent_five_times(circuits: &mut Circuits, app_server: &AppServer, now: f64) {
        for _ in 0..SILENCES {
            circuits.silent(app_server, now, &Options::default());
        }
    }

    #[test]
    fn is_closed_by_silence_and_opened_by_any_answer() {
        let (mut circuits, options) = (Circuits::default(), Options::default());
        let app_server = AppServer::stored("push.example");
        for _ in 1..SILENCES {
            circuits.silent(&app_server, 0.0, &options);
        }
        assert_eq!(circuits.ask(&app_server, 0.0, &options), GRANTED);
        circuits.silent(&app_server, 0.0, &options);
        assert_eq!(circuits.ask(&app_server, 0.0, &options), Permit::Denied { until: 10.0 });
        assert_eq!(circuits.ask(&AppServer::stored("other.example"), 0.0, &options), GRANTED);
        circuits.answered(&app_server);
        assert_eq!(circuits.ask(&app_server, 0.0, &options), GRANTED);
    }

    #[test]
    fn lets_one_publish_through_after_the_rest_and_rests_longer_each_time() {
        let (mut circuits, options) = (Circuits::default(), Options::default());
        let app_server = AppServer::stored("push.example");
        silent_five_times(&mut circuits, &app_server, 0.0);
        assert_eq!(circuits.ask(&app_server, 10.0, &options), GRANTED);
        assert_eq!(circuits.ask(&app_server, 10.0, &options), Permit::Denied { until: 130.0 });
        circuits.silent(&app_server, 130.0, &options);
        assert_eq!(circuits.ask(&app_server, 130.0, &options), Permit::Denied { until: 150.0 });
    }

    #[test]
    fn many_silences_at_once_are_one_reason_to_rest() {
        let (mut circuits, options) = (Circuits::default(), Options::default());
        let app_server = AppServer::stored("push.example");
        for _ in 0..100 {
            silent_five_times(&mut circuits, &app_server, 0.0);
        }
        assert_eq!(circuits.ask(&app_server, 0.0, &options), Permit::Denied { until: 10.0 });
    }
}

//! Links to the domains of app servers, which are lost and restored.

use super::simulation::{Killed, Simulation};
use super::truth::Key;
use crate::driver::Way;

impl Simulation {
    /// The link to a domain is lost, and with it the answers to what is on its way there, if the engine knows that the domain takes
    /// pushes. Panics where it waits for them nevertheless, or gives up what it was to wait for.
    pub(super) fn lose_link(&mut self) -> Result<(), Killed> {
        let (domain, linked) = self.some_domain();
        self.find_idle_forwards();
        let is_there = |key: &Key| self.app_servers[key.1].domain == domain;
        let (timeout, now) = (self.settings.options.reply_timeout, self.now);
        let flying = self.truth.devices.iter().filter(|(key, _)| is_there(key));
        let flying = flying.filter_map(|(key, device)| Some((*key, device.flight.as_ref()?.since)));
        let flying: Vec<(Key, f64)> = flying.collect();
        let is_any_due = flying.iter().any(|(_, since)| since + timeout > now);
        self.step()?;
        self.module.driver.now = self.now;
        let before = self.module.driver.stats().in_flight;
        self.module.driver.link_lost(&linked);
        let is_lost = self.module.driver.stats().in_flight < before;
        self.note(|| format!("the link to {domain} is lost, and {}: {is_lost}", flying.len()));
        let has_taken_any = self.app_servers.iter().any(|it| it.domain == domain && it.has_taken_any);
        // Of what was forwarded nobody need say that it was taken.
        let is_any_elsewhere = domain != linked;
        assert!(has_taken_any || is_any_elsewhere || !is_lost, "links to {domain} are no matter of ours");
        let is_known = self.caps.has_taken_any(&domain);
        assert!(is_lost || !is_known || !is_any_due, "what is on its way to {domain} is lost");
        if is_lost || is_known {
            flying.iter().for_each(|(key, _)| self.truth.land(*key, false));
        }
        if has_taken_any || is_lost || is_any_elsewhere {
            // So may what was on its way to devices that are gone.
            self.caps.link_lost(&domain);
        }
        // Some answers come all the same, over another link.
        if self.chance.one_in(2) {
            let jids = self.app_servers.iter().filter(|it| it.domain == domain).map(|it| it.jid.as_str());
            let jids: Vec<&str> = jids.collect();
            self.network.retain(|(_, answer)| !jids.contains(&answer.from.as_str()));
        }
        self.after_fact()
    }

    /// The link to a domain is there again, whether or not it was lost.
    pub(super) fn restore_link(&mut self) -> Result<(), Killed> {
        let (_, linked) = self.some_domain();
        self.note(|| format!("the link to {linked} is there"));
        self.fact(|driver| driver.link_restored(&linked), |_| ())
    }

    /// A domain by the name under which it is known how pushes are taken there, and by its own.
    fn some_domain(&mut self) -> (String, String) {
        let number = self.some_address();
        let app_server = &self.app_servers[number];
        let linked = app_server.linked_domain().expect("there are links to it");
        (app_server.domain.clone(), linked.to_owned())
    }

    /// One of the app servers, or of the accounts elsewhere.
    pub(super) fn some_address(&mut self) -> usize {
        let registered = self.settings.app_servers;
        if !self.settings.has_forwards {
            return self.chance.below(registered);
        }
        let user = self.chance.below(self.users.len());
        let elsewhere = self.is_elsewhere(user) && self.chance.one_in(2);
        if elsewhere { self.truth.way_key(user, Way::Forward).1 } else { self.chance.below(registered) }
    }
}

//! What is known of the domains of app servers: one that does not answer is not to be asked anew after each restart.

use crate::devices::Devices;
use crate::options::Options;
use crate::time::Instant;

pub use crate::domains::{DomainState, StrangersState};

/// Of how many domains a snapshot tells.
const MAX_DOMAINS: usize = 10_000;

/// The longest name, in bytes.
const MAX_DOMAIN: usize = 1023;

/// Those that something was sent to.
pub(super) fn take(devices: &Devices, now: Instant) -> Vec<DomainState> {
    devices.domains().states(MAX_DOMAINS, now)
}

/// Takes them up.
pub(super) fn restore(states: &[DomainState], devices: &mut Devices, options: &Options, now: Instant) {
    let states = states.iter().take(MAX_DOMAINS);
    for state in states.filter(|state| (1..=MAX_DOMAIN).contains(&state.domain.len())) {
        devices.domains_mut().restore(state, now, options);
    }
}

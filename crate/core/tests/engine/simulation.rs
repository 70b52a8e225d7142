//! The engine in simulated worlds, each held against a reference.

use muc_cloud_notify_testing::{sim_bounces, sim_rooms};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_model(steps in proptest::collection::vec(sim_rooms::step(), 1..150)) {
        let mut simulation = sim_rooms::Simulation::new();
        for step in steps {
            simulation.apply(step);
        }
        simulation.drain();
    }

    #[test]
    fn whoever_never_got_a_message_is_pushed_to_and_nobody_else(
        steps in proptest::collection::vec(sim_bounces::step(), 1..150),
    ) {
        let mut simulation = sim_bounces::Simulation::new();
        for step in steps {
            simulation.apply(step);
        }
        simulation.settle();
    }
}

//! The engine in simulated worlds, each held against a reference.

use muc_cloud_notify_testing::seeds::config;
use muc_cloud_notify_testing::{sim_bounces, sim_domains, sim_rooms};
use proptest::prelude::*;

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn the_engine_agrees_with_the_reference(
        transitions in sim_rooms::transitions(),
        members_at_once in 1..=4_usize,
    ) {
        let mut simulation = sim_rooms::Simulation::new(members_at_once);
        transitions.into_iter().for_each(|transition| simulation.apply(transition));
        simulation.settle();
    }

    #[test]
    fn members_get_a_push_for_what_their_clients_never_got_and_nobody_else_does(
        transitions in sim_bounces::transitions(),
    ) {
        let mut simulation = sim_bounces::Simulation::new();
        transitions.into_iter().for_each(|transition| simulation.apply(transition));
        simulation.settle();
    }

    #[test]
    fn no_domain_gets_more_than_it_may_and_nobody_is_forgotten(
        transitions in sim_domains::transitions(),
        push_interval in prop_oneof![Just(0.0), Just(1.0), Just(30.0), Just(300.0)],
    ) {
        let mut simulation = sim_domains::Simulation::with_interval(push_interval);
        transitions.into_iter().for_each(|transition| simulation.apply(transition));
        simulation.settle();
    }
}

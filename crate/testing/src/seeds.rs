//! How often properties are tried, and where seeds that found something are kept.
//!
//! A seed that makes a property fail is printed, and added to a file under `tests/proptest-regressions/`, one for each
//! module of tests. From then on it is tried first in each run. These files are committed, and a seed stays in them when
//! its bug is fixed. It stands for a course of events only as long as the strategies are what they were: before they
//! change, what a kept seed found becomes a test of its own.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::FileFailurePersistence;

/// So many fresh cases of a property, after the kept ones.
pub fn config(cases: u32) -> ProptestConfig {
    let persistence = FileFailurePersistence::SourceParallel("proptest-regressions");
    ProptestConfig { cases, failure_persistence: Some(Box::new(persistence)), ..ProptestConfig::default() }
}

//! What several integration tests share; each uses a part of it.
#![allow(dead_code, reason = "each test is a crate of its own")]

pub(crate) mod oracle;

use proptest::test_runner::{Config, FileFailurePersistence};

/// Cases that once failed are kept beside the tests, and committed.
pub(crate) fn config() -> Config {
    Config {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    }
}

//! What several integration tests share; each uses a part of it.
#![allow(dead_code, reason = "each test is a crate of its own")]

pub(crate) mod oracle;

//! What several integration tests share; each uses a part of it.
#![allow(dead_code, reason = "each test is a crate of its own")]

pub(crate) mod cases;
pub(crate) mod oracle;

use danskin::prelude::Targets;

/// Numbers made into targets of a loss: `width` of them for each row.
pub(crate) fn suited(mut targets: Vec<f64>, kind: Targets, width: usize) -> Vec<f64> {
    match kind {
        Targets::Real | Targets::Signed => {}
        Targets::NotNegative | Targets::Positive => targets.iter_mut().for_each(|y| *y = y.abs()),
        Targets::Classes => {
            for row in targets.chunks_exact_mut(width) {
                let sum: f64 = row.iter().map(|y| y.abs()).sum();
                row.iter_mut().for_each(|y| *y = y.abs() / sum);
            }
        }
    }
    targets
}

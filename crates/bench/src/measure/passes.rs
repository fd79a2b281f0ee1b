//! Seconds of each pass over D, beside those of reading an array of known size.

use std::hint::black_box;
use std::time::Instant;

use danskin::ctx::Ctx;
use danskin::design::{Footprint, Matrix};
use danskin::prelude::*;
use danskin::vector::max_abs;
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::probe::{Probe, ProbeError};
use crate::choice::{AnyProblem, named};

named! {
    /// A pass over D.
    PassKind:
    /// D z.
    Predictions = "D z",
    /// grad_z L = D^T f(D z).
    Gradient = "gradient",
    /// L_zz v and L_xz v, D z_t known.
    ReverseKept = "reverse step, D z_t kept",
    /// L_zz v and L_xz v, D z_t computed on the way.
    Reverse = "reverse step, z_t kept",
    /// L_zz v, D z_t known.
    Hessian = "Hessian product";
    "a pass over D"
}

impl PassKind {
    /// Bytes of D that it reads.
    #[must_use]
    pub fn bytes_read(self, footprint: Footprint) -> u64 {
        footprint.bytes_read(self != Self::Predictions)
    }
}

/// Seconds, sample by sample.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PassSamples {
    /// Bytes that the probe reads.
    pub probe_bytes: u64,
    /// Of reading them.
    pub probe: Vec<f64>,
    /// Of each pass.
    pub passes: Vec<(PassKind, Vec<f64>)>,
}

/// Times the probe and each pass over `matrix`, which is D of `problem` at x, one after the other, `samples` times. Predictions
/// D z are about 1 at the most.
///
/// # Errors
///
/// [`ProbeError`] where the array to read does not fit into memory.
pub fn passes(
    problem: &AnyProblem,
    matrix: Matrix<'_>,
    x: &[f64],
    samples: usize,
    ctx: &mut Ctx,
) -> Result<PassSamples, ProbeError> {
    let probe = Probe::beyond_caches(&Machine::this())?;
    let (m, p) = problem.dims();
    let width = (m / matrix.columns().max(1)).max(1);
    let (mut memo, mut cross) = (vec![0.0; problem.memo_len()], vec![0.0; p]);
    let (mut z, v, mut out) = (vec![1.0; m], vec![1.0; m], vec![0.0; m]);
    matrix.apply_wide(width, &z, &mut memo, ctx);
    let largest = max_abs(&memo);
    z.fill(if largest > 0.0 { 1.0 / largest } else { 1.0 });

    let mut found = PassSamples {
        probe_bytes: probe.bytes(),
        probe: Vec::new(),
        passes: PassKind::ALL.iter().map(|&kind| (kind, Vec::new())).collect(),
    };
    // The first time is for what is done once: memory touched, threads started.
    for round in 0..=samples {
        let note = |seconds: &mut Vec<f64>, work: &mut dyn FnMut()| {
            let start = Instant::now();
            work();
            seconds.extend(Some(start.elapsed().as_secs_f64()).filter(|_| round > 0));
        };
        note(&mut found.probe, &mut || probe.read());
        // What of D stays in caches from pass to pass is there again, as in a solve.
        matrix.apply_wide(width, &z, &mut memo, ctx);
        for (kind, seconds) in &mut found.passes {
            note(seconds, &mut || {
                let z = black_box(&z[..]);
                match kind {
                    PassKind::Predictions => matrix.apply_wide(width, z, &mut memo, ctx),
                    PassKind::Gradient => problem.grad_z(z, x, &mut out, &mut memo, ctx),
                    PassKind::ReverseKept => {
                        let at = Point { memo: &memo, ..Point::new(z, x) };
                        problem.hess_cross(at, &v, &mut out, -0.01, &mut cross, ctx);
                    }
                    PassKind::Reverse => problem.hess_cross(Point::new(z, x), &v, &mut out, -0.01, &mut cross, ctx),
                    PassKind::Hessian => problem.hess(Point { memo: &memo, ..Point::new(z, x) }, &v, &mut out, ctx),
                }
            });
        }
    }
    black_box((&out, &cross));
    Ok(found)
}

//! Cyclic coordinate descent in Gram form, q kept: z_j <- sign(v) max(|v| - lambda_j, 0) / H_jj, v = q_j + H_jj z_j.
//!
//! It needs no inverse, and takes over where rounding forbids one: atoms that depend on each other but for the last digits.

use super::active::{Active, Ended, PAD, Quadratic};

/// Sweeps from one look at the gap to the next.
const BETWEEN: usize = 10;

/// Goes on from where `active` is.
#[inline(always)]
pub(super) fn solve(active: &mut Active, problem: &Quadratic<'_>, ended: Ended) -> Ended {
    let mut ended = ended;
    active.dense.clear();
    active.dense.resize(problem.lambda.len(), 0.0);
    for (&j, &z) in active.indices.iter().zip(&active.values) {
        active.dense[j] = z;
    }
    while ended.sweeps < problem.sweeps {
        let sweeps = BETWEEN.min(problem.sweeps - ended.sweeps);
        for _ in 0..sweeps {
            sweep(active, problem);
        }
        ended.sweeps += sweeps;
        active.indices.clear();
        active.values.clear();
        for (j, &z) in active.dense.iter().enumerate() {
            if z != 0.0 {
                active.indices.push(j);
                active.values.push(z);
            }
        }
        let ratio = active.renew(problem);
        ended.gap = active.gap(problem, ratio);
        if ended.gap <= problem.target {
            ended.converged = true;
            break;
        }
    }
    ended
}

#[inline(always)]
fn sweep(active: &mut Active, problem: &Quadratic<'_>) {
    for (j, &lambda) in problem.lambda.iter().enumerate() {
        let (curvature, before) = (problem.entry(j, j), active.dense[j]);
        let v = active.correlation(j) + curvature * before;
        let z = match v.abs() - lambda {
            above if above > 0.0 && curvature > 0.0 && !(problem.nonnegative && v < 0.0) => {
                above.copysign(v) / curvature
            }
            _ => 0.0,
        };
        let change = z - before;
        if change != 0.0 {
            active.dense[j] = z;
            for (q, column) in active.correlations.iter_mut().zip(problem.column(j)) {
                for l in 0..PAD {
                    q[l] -= change * column[l];
                }
            }
        }
    }
}

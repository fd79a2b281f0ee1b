//! A block of signals without D^T D, by working sets: for each signal, the atoms that violate their conditions most join
//! those in use, the problem over these alone is solved in Gram form, and q = D^T r of all atoms says whether that was
//! enough.
//!
//! ```text
//! W <- S + the atoms of largest |q_j| / lambda_j > 1,   z_W <- argmin over W,   r = u - D z,   q = D^T r - mu z
//! ```
//!
//! L falls in every round that finds an atom to add. q is one matrix product for all signals of the block that are still open.

use danskin_core::vector::dot;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::active::{Active, Ended, PAD, Quadratic};
use super::atoms::Atoms;
use super::penalties::Bounds;

/// Rounds at the most: the atoms that may join double from one to the next.
const ROUNDS: usize = 40;
/// Atoms that join in the first.
const FIRST: usize = 32;
/// Rounds that find nothing to add, after which rounding is all that is left.
const IDLE: usize = 3;
/// Share of the gap asked that is asked of the problem over W.
const SHARE: f64 = 0.25;

/// What the signals of a block have in common.
pub(super) struct Common<'a> {
    pub(super) atoms: &'a Atoms,
    pub(super) mu: &'a [f64],
    pub(super) nonnegative: bool,
    pub(super) sweeps: usize,
}

/// Memory of the rounds.
#[derive(Default)]
pub(super) struct Scratch {
    residuals: Vec<f64>,
    correlations: Vec<[f64; PAD]>,
    candidates: Vec<(f64, usize)>,
    chosen: Vec<usize>,
    panel: Vec<f64>,
    gram: Vec<[f64; PAD]>,
    linear: Vec<[f64; PAD]>,
    lambda: Vec<f64>,
    inverse: Vec<[f64; PAD]>,
}

/// A signal on its way.
pub(super) struct Open<'a> {
    pub(super) signal: &'a [f64],
    pub(super) square: f64,
    pub(super) target: f64,
    pub(super) bounds: Bounds<'a>,
    /// z, by its entries.
    pub(super) z: Vec<(usize, f64)>,
    pub(super) ended: Ended,
}

/// Solves for all of `open`.
pub(super) fn solve(common: &Common<'_>, open: &mut [Open<'_>], active: &mut Active, scratch: &mut Scratch) {
    let (n, blocks) = (common.atoms.features, common.atoms.count.div_ceil(PAD));
    let mut left: Vec<usize> = (0..open.len()).collect();
    let mut idle = vec![0; open.len()];
    for round in 0..=ROUNDS {
        scratch.residuals.clear();
        for &k in &left {
            scratch.residuals.extend_from_slice(open[k].signal);
            let start = scratch.residuals.len() - n;
            common.atoms.subtract(&open[k].z, &mut scratch.residuals[start..]);
        }
        scratch.correlations.resize(left.len() * blocks, [0.0; PAD]);
        common.atoms.correlate(&scratch.residuals, blocks, &mut scratch.correlations);
        let mut at = 0;
        left.retain(|&k| {
            let open = &mut open[k];
            let place = at;
            at += 1;
            look(common, open, place, scratch);
            if open.ended.gap <= open.target {
                open.ended.converged = true;
                return false;
            }
            idle[k] += usize::from(scratch.candidates.is_empty());
            if round == ROUNDS || idle[k] > IDLE {
                return false;
            }
            step(common, open, FIRST << round.min(20), active, scratch);
            true
        });
        if left.is_empty() {
            break;
        }
    }
}

/// The gap of a signal whose residual and q are the ones at `place`, and its atoms that violate their conditions.
fn look(common: &Common<'_>, open: &mut Open<'_>, place: usize, scratch: &mut Scratch) {
    let (n, blocks) = (common.atoms.features, common.atoms.count.div_ceil(PAD));
    let residual = &scratch.residuals[place * n..][..n];
    let q = &mut scratch.correlations[place * blocks..][..blocks].as_flattened_mut()[..common.atoms.count];
    let mut square = dot(residual, residual);
    for &(j, z) in &open.z {
        q[j] -= common.mu[j] * z;
        square += common.mu[j] * z * z;
    }
    scratch.candidates.clear();
    let mut most = 0.0;
    for (j, (&q, &inverse)) in q.iter().zip(open.bounds.inverse.as_flattened()).enumerate() {
        let ratio = if common.nonnegative { q } else { q.abs() } * inverse;
        if ratio > 1.0 {
            most = if ratio > most { ratio } else { most };
            scratch.candidates.push((ratio, j));
        }
    }
    let scale = if most > 1.0 { 1.0 / most } else { 1.0 };
    let slack: f64 = open.z.iter().map(|&(j, z)| open.bounds.lambda[j] * z.abs() - scale * z * q[j]).sum();
    let slack = if slack < 0.0 { 0.0 } else { slack };
    open.ended.gap = 0.5 * (1.0 - scale) * (1.0 - scale) * square + slack;
    // Those in use stay anyway.
    scratch.candidates.retain(|&(_, j)| open.z.iter().all(|&(used, _)| used != j));
}

/// Adds `most` atoms at the most, and moves z to the minimiser over those in use.
fn step(common: &Common<'_>, open: &mut Open<'_>, most: usize, active: &mut Active, scratch: &mut Scratch) {
    let Scratch { candidates, chosen, panel, gram, linear, lambda, inverse, .. } = scratch;
    if candidates.len() > most {
        candidates.select_nth_unstable_by(most, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        candidates.truncate(most);
    }
    chosen.clear();
    chosen.extend(open.z.iter().map(|&(j, _)| j).chain(candidates.iter().map(|&(_, j)| j)));
    // The order in which a selection leaves what it selects is nothing to depend on.
    chosen[open.z.len()..].sort_unstable();
    let (n, width) = (common.atoms.features, chosen.len());
    let blocks = width.div_ceil(PAD);
    common.atoms.gather(chosen, panel);
    gram.clear();
    gram.resize(width * blocks, [0.0; PAD]);
    linear.clear();
    linear.resize(blocks, [0.0; PAD]);
    let atoms = MatRef::from_column_major_slice(panel, n, width);
    matmul(
        MatMut::from_column_major_slice_with_stride_mut(gram.as_flattened_mut(), width, width, blocks * PAD),
        Accum::Replace,
        atoms.transpose(),
        atoms,
        1.0,
        Par::Seq,
    );
    lambda.clear();
    inverse.clear();
    inverse.resize(blocks, [0.0; PAD]);
    for (i, (&j, atom)) in chosen.iter().zip(panel.chunks_exact(n)).enumerate() {
        gram[i * blocks + i / PAD][i % PAD] += common.mu[j];
        linear[i / PAD][i % PAD] = dot(atom, open.signal);
        lambda.push(open.bounds.lambda[j]);
        inverse[i / PAD][i % PAD] = open.bounds.inverse[j / PAD][j % PAD];
    }
    active.start.clear();
    active.start.extend(open.z.iter().enumerate().map(|(i, &(_, z))| (i, z)));
    let problem = Quadratic {
        gram,
        linear,
        lambda,
        inverse,
        nonnegative: common.nonnegative,
        square: open.square,
        target: SHARE * open.target,
        sweeps: common.sweeps,
    };
    let ended = active.solve_apart(&problem);
    open.ended.steps += ended.steps;
    open.ended.sweeps += ended.sweeps;
    open.z.clear();
    open.z.extend(active.indices.iter().zip(&active.values).filter(|(_, z)| **z != 0.0).map(|(&i, &z)| (chosen[i], z)));
}

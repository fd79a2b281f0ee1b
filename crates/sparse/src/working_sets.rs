//! The quadratic problem with a sparse solution, to a duality gap, by working sets.
//!
//! ```text
//! P(z) = 1/2 sum_i w_i (u_i - y_i)² + sum_j (l1_j |z_j| + l2_j z_j² / 2),   u = D z,   z >= 0 if asked for
//! ```
//!
//! Each round reads D once: for the correlations of the residual, and by them a dual point, the gap, the columns that no solution
//! uses (Ndiaye et al. 2017) and those that come next to their constraint, on which the problem is solved before the next round
//! (Massias, Gramfort and Salmon 2018).

use std::ops::ControlFlow;

use danskin_core::vector::dot;

use crate::columns::Columns;
use crate::gap::{Scale, Term};
use crate::inner::{Coordinate, Data, Inner};

/// Rounds without progress after which there will be none.
const STALLED: usize = 3;
/// Sweeps over the columns without a penalty, if there are several.
const FREE_SWEEPS: usize = 100;
/// Roundings that the correlation of such a column may be from 0.
const FREE_SLACK: f64 = 4.0;

/// One number for all, or one for each.
#[derive(Clone, Copy, Debug)]
pub enum Each<'a> {
    /// The same for all.
    All(f64),
    /// One for each.
    Of(&'a [f64]),
}

impl Each<'_> {
    #[inline(always)]
    fn at(self, j: usize) -> f64 {
        match self {
            Self::All(value) => value,
            Self::Of(values) => values[j],
        }
    }

    fn fits(self, len: usize) -> bool {
        match self {
            Self::All(_) => true,
            Self::Of(values) => values.len() == len,
        }
    }
}

/// The problem. Numbers are finite, and weights, l1 and l2 at least 0; where they are not, a solve says so or ends by its limits.
#[derive(Clone, Copy, Debug)]
pub struct Quadratic<'a> {
    /// D, n x m.
    pub columns: &'a Columns,
    /// w, length n; empty for ones.
    pub weights: &'a [f64],
    /// y, length n.
    pub targets: &'a [f64],
    /// l1, length m.
    pub l1: Each<'a>,
    /// l2, length m.
    pub l2: Each<'a>,
    /// Whether z is to be at least 0.
    pub nonnegative: bool,
}

/// How a problem is solved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkingSets {
    /// The gap at which it ends.
    pub tolerance: f64,
    /// Rounds at the most.
    pub rounds: usize,
    /// Sweeps over one working set at the most.
    pub epochs: usize,
    /// Columns of the first working set, but for those in use from the start.
    pub first: usize,
}

impl Default for WorkingSets {
    fn default() -> Self {
        Self { tolerance: 1e-8, rounds: 200, epochs: 10_000, first: 64 }
    }
}

/// What ended a solve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The gap is the tolerance or less.
    Converged,
    /// The gap falls no more, for rounding.
    Stalled,
    /// The rounds are over.
    Limit,
    /// Whoever watched asked for it.
    Interrupted,
    /// A number overflowed or was not finite from the start.
    NotFinite,
}

/// What a solve found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// An upper bound on P(z) - min P.
    pub gap: f64,
    /// P(z).
    pub value: f64,
    /// What ended it.
    pub status: Status,
    /// Rounds, each of which read D once.
    pub rounds: usize,
    /// Sweeps over working sets.
    pub epochs: usize,
    /// Systems solved on supports.
    pub newton: usize,
    /// Columns other than 0 in z.
    pub support: usize,
}

/// Memory, and what is known of D, from one solve to the next.
#[derive(Debug, Default)]
pub struct Workspace {
    inner: Inner,
    /// The D and W of `squares`.
    id: Option<u64>,
    weights: Vec<f64>,
    /// `d_j^T W d_j` of all columns.
    squares: Vec<f64>,
    /// Columns that a solution may use.
    active: Vec<u32>,
    /// Of the active columns: correlations of the residual, and those of the best dual point.
    c: Vec<f64>,
    best: Vec<f64>,
    /// W (y - D z).
    weighted: Vec<f64>,
    order: Vec<(f64, u32)>,
    set: Vec<Coordinate>,
}

/// Where a round begins.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// P(z).
    value: f64,
    /// (y - D z)^T W (y - D z).
    square: f64,
    /// The gap at z, by the best dual point known.
    gap: f64,
}

impl WorkingSets {
    /// Goes on from z, length m, until the gap is the tolerance. `residual` becomes y - D z. `watch` is told of the gap each round,
    /// and may end it.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn solve(
        &self,
        problem: &Quadratic<'_>,
        z: &mut [f64],
        residual: &mut Vec<f64>,
        workspace: &mut Workspace,
        watch: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Outcome {
        problem.check(z.len());
        let data = Data { columns: problem.columns, weights: problem.weights, nonnegative: problem.nonnegative };
        let free = workspace.begin(problem, z);
        let scale = problem.slack_scale();
        let mut outcome = Outcome {
            gap: f64::INFINITY,
            value: f64::INFINITY,
            status: Status::Limit,
            rounds: 0,
            epochs: 0,
            newton: 0,
            support: 0,
        };
        let (mut bound, mut stalled, mut sharper) = (f64::NEG_INFINITY, 0, 1.0);
        while outcome.rounds < self.rounds.max(1) {
            outcome.rounds += 1;
            problem.residual(z, residual);
            workspace.fit_free(problem, &free, z, residual, scale);
            let round = workspace.measure(problem, z, residual, &mut bound, scale);
            let fell = round.value < outcome.value * (1.0 - f64::EPSILON) || round.gap < 0.99 * outcome.gap;
            stalled = if fell { 0 } else { stalled + 1 };
            (outcome.value, outcome.gap) = (round.value, round.gap);
            if !(round.value.is_finite() && round.gap.is_finite()) {
                outcome.status = Status::NotFinite;
                break;
            }
            let watched = watch(round.gap);
            outcome.status = if round.gap <= self.tolerance {
                Status::Converged
            } else if watched.is_break() {
                Status::Interrupted
            } else if stalled >= STALLED {
                Status::Stalled
            } else {
                Status::Limit
            };
            if outcome.status != Status::Limit || outcome.rounds == self.rounds {
                break;
            }
            if workspace.screen(problem, z, round.gap) {
                // What was dropped was in use: z is another.
                outcome.value = f64::INFINITY;
                continue;
            }
            workspace.choose(problem, z, self.first << stalled.min(16));
            if stalled > 0 {
                sharper *= 0.1;
            }
            let tolerance = (0.1 * round.gap).max(0.3 * self.tolerance) * sharper;
            let Workspace { inner, set, weighted, .. } = workspace;
            inner.begin(data, set, weighted);
            let spent = inner.solve(data, round.square, tolerance, self.epochs);
            inner.each(|j, value| z[j as usize] = value);
            outcome.epochs += spent.epochs;
            outcome.newton += spent.newton;
        }
        outcome.support = z.iter().filter(|z| **z != 0.0).count();
        outcome
    }
}

impl Quadratic<'_> {
    fn check(&self, len: usize) {
        let (n, m) = (self.columns.rows(), self.columns.columns());
        assert_eq!(len, m, "one z for each column");
        assert_eq!(self.targets.len(), n, "one target for each row");
        assert!(self.weights.is_empty() || self.weights.len() == n, "one weight for each row");
        assert!(self.l1.fits(m) && self.l2.fits(m), "one l1 and l2 for each column");
    }

    /// `y - D z`.
    fn residual(&self, z: &[f64], residual: &mut Vec<f64>) {
        residual.clear();
        residual.extend_from_slice(self.targets);
        for (j, z) in z.iter().enumerate() {
            if *z != 0.0 {
                self.columns.axpy(j, -z, residual);
            }
        }
    }

    /// W v.
    fn weigh(&self, v: &[f64], out: &mut Vec<f64>) {
        out.clear();
        if self.weights.is_empty() {
            out.extend_from_slice(v);
        } else {
            out.extend(v.iter().zip(self.weights).map(|(v, w)| v * w));
        }
    }

    /// Rounding of a correlation, but for the norm of its column.
    fn slack_scale(&self) -> f64 {
        let mut weighted = Vec::new();
        self.weigh(self.targets, &mut weighted);
        let square = dot(&weighted, self.targets);
        FREE_SLACK * f64::EPSILON * (4.0 + (self.targets.len() as f64).sqrt()) * square.max(0.0).sqrt()
    }

    fn is_free(&self, j: usize) -> bool {
        self.l1.at(j) == 0.0 && self.l2.at(j) == 0.0
    }
}

impl Workspace {
    /// Memory for nothing as yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a problem; returns the columns without a penalty.
    fn begin(&mut self, problem: &Quadratic<'_>, z: &mut [f64]) -> Vec<u32> {
        let (columns, weights) = (problem.columns, problem.weights);
        let m = columns.columns();
        let same = self.id == Some(columns.id())
            && self.weights.len() == weights.len()
            && self.weights.iter().zip(weights).all(|(a, b)| a.to_bits() == b.to_bits());
        self.active.clear();
        self.active.extend(0..m as u32);
        if !same {
            self.id = Some(columns.id());
            self.weights.clear();
            self.weights.extend_from_slice(weights);
            self.squares.resize(m, 0.0);
            columns.squares_of(&self.active, weights, &mut self.squares);
        }
        self.best.clear();
        if problem.nonnegative {
            z.iter_mut().for_each(|z| *z = z.max(0.0));
        }
        let free = |j: &u32| problem.is_free(*j as usize) && self.squares[*j as usize] > 0.0;
        match (problem.l1, problem.l2) {
            (Each::All(l1), _) if l1 > 0.0 => Vec::new(),
            (_, Each::All(l2)) if l2 > 0.0 => Vec::new(),
            _ => self.active.iter().copied().filter(free).collect(),
        }
    }

    /// Makes the residual orthogonal to the columns without a penalty, as the dual point has to be: for one of them at once.
    fn fit_free(&mut self, problem: &Quadratic<'_>, free: &[u32], z: &mut [f64], residual: &mut [f64], scale: f64) {
        problem.weigh(residual, &mut self.weighted);
        for _ in 0..FREE_SWEEPS {
            let mut moved = false;
            for &j in free {
                let j = j as usize;
                let c = problem.columns.dot(j, &self.weighted);
                let square = self.squares[j];
                let mut step = c / square;
                if problem.nonnegative {
                    step = step.max(-z[j]);
                }
                if step == 0.0 || c.abs() <= 0.25 * scale * square.sqrt() {
                    continue;
                }
                moved = true;
                z[j] += step;
                problem.columns.axpy(j, -step, residual);
                if problem.weights.is_empty() {
                    problem.columns.axpy(j, -step, &mut self.weighted);
                } else {
                    problem.weigh(residual, &mut self.weighted);
                }
            }
            if !moved {
                break;
            }
        }
    }

    /// P and the gap at z. `bound` is the greatest value of a dual point so far.
    fn measure(&mut self, problem: &Quadratic<'_>, z: &[f64], residual: &[f64], bound: &mut f64, scale: f64) -> Round {
        self.c.resize(self.active.len(), 0.0);
        problem.columns.correlations_of(&self.active, &self.weighted, &mut self.c);
        let square = dot(&self.weighted, residual).max(0.0);
        let terms = self.active.iter().zip(&self.c).map(|(&j, &c)| {
            let j = j as usize;
            let slack = scale * self.squares[j].sqrt();
            Term { c, z: z[j], l1: problem.l1.at(j), l2: problem.l2.at(j), slack }
        });
        let Scale { s, gap } = Scale::best(terms, square, problem.nonnegative);
        let penalty: f64 = z
            .iter()
            .enumerate()
            .filter(|(_, z)| **z != 0.0)
            .map(|(j, z)| problem.l1.at(j) * z.abs() + 0.5 * problem.l2.at(j) * z * z)
            .sum();
        let value = square / 2.0 + penalty;
        if value - gap >= *bound || self.best.len() != self.c.len() {
            *bound = value - gap;
            self.best.clear();
            self.best.extend(self.c.iter().map(|c| s * c));
            return Round { value, square, gap };
        }
        Round { value, square, gap: (value - *bound).max(0.0) }
    }

    /// Drops the columns that no solution uses: the dual solution is within sqrt(2 gap) of every dual point. Whether z changed.
    fn screen(&mut self, problem: &Quadratic<'_>, z: &mut [f64], gap: f64) -> bool {
        let radius = (2.0 * gap).sqrt();
        let (mut kept, mut changed) = (0, false);
        for k in 0..self.active.len() {
            let j = self.active[k] as usize;
            let size = if problem.nonnegative { self.best[k] } else { self.best[k].abs() };
            // A margin for the rounding of both sides.
            let dropped = (size + radius * self.squares[j].sqrt()) * (1.0 + 1e-12) < problem.l1.at(j);
            if dropped {
                changed |= z[j] != 0.0;
                z[j] = 0.0;
                continue;
            }
            self.active[kept] = self.active[k];
            self.best[kept] = self.best[k];
            self.c[kept] = self.c[k];
            kept += 1;
        }
        self.active.truncate(kept);
        self.best.truncate(kept);
        self.c.truncate(kept);
        changed
    }

    /// The working set: columns in use or free, and those nearest to their constraint.
    fn choose(&mut self, problem: &Quadratic<'_>, z: &[f64], first: usize) {
        self.order.clear();
        let mut used = 0;
        for (k, &j) in self.active.iter().enumerate() {
            let j = j as usize;
            if z[j] != 0.0 || problem.is_free(j) {
                used += 1;
                self.order.push((f64::NEG_INFINITY, k as u32));
                continue;
            }
            let square = self.squares[j];
            if square > 0.0 {
                // Of the residual, not of the best dual point, which may be of an earlier round and know nothing of what z lacks now.
                let size = if problem.nonnegative { self.c[k] } else { self.c[k].abs() };
                self.order.push(((problem.l1.at(j) - size) / square.sqrt(), k as u32));
            }
        }
        let len = (2 * used).max(used + first).min(self.order.len());
        let by = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if len > 0 && len < self.order.len() {
            self.order.select_nth_unstable_by(len - 1, by);
            self.order.truncate(len);
        }
        self.order.sort_unstable_by_key(|&(_, k)| k);
        self.set.clear();
        self.set.extend(self.order.iter().map(|&(_, k)| {
            let column = self.active[k as usize];
            let j = column as usize;
            Coordinate {
                column,
                z: z[j],
                c: self.c[k as usize],
                l1: problem.l1.at(j),
                l2: problem.l2.at(j),
                square: self.squares[j],
            }
        }));
    }
}

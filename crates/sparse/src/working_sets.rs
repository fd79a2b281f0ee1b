//! The quadratic problem with a sparse solution, to a duality gap, by working sets.
//!
//! ```text
//! P(z) = 1/2 sum_i w_i (u_i - y_i)² + sum_j (l1_j |z_j| + l2_j z_j² / 2),   u = D z,   z_j >= 0 if asked for
//! ```
//!
//! Each round reads D once: for the correlations of the residual, and by them a dual point, the gap, the columns that no solution
//! uses (Ndiaye et al. 2017) and those that come next to their constraint, on which the problem is solved before the next round
//! (Massias, Gramfort and Salmon 2018).

use std::ops::ControlFlow;

use danskin_core::vector::dot;

use crate::columns::Columns;
use crate::free::Basis;
use crate::gap::{Scale, Term};
use crate::inner::{Coordinate, Data, Inner};

/// Columns from which working sets are chosen before D is read again, for each of such a set, or one of so many of D.
const POOL: usize = 16;
/// Part of the gap to which the problem on these columns is solved.
const SHARE: f64 = 0.1;
/// Part of the gap to which the problem on a working set is solved.
const INNER: f64 = 0.03;
/// Rounds without progress after which there will be none.
const STALLED: usize = 4;
/// Sweeps over working sets in all.
const SWEEPS: usize = 100_000;
/// Part of its tolerance to which a problem on a working set is solved after a round without progress.
const SHARPER: f64 = 0.01;
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
    /// Which columns may be negative in any case, length m; empty for none.
    pub free: &'a [bool],
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
        Self { tolerance: 1e-8, rounds: 200, epochs: 10_000, first: 32 }
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

/// How far a solve is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// A round has read D.
    Round {
        /// An upper bound on P(z) - min P.
        gap: f64,
    },
    /// Some sweeps over a working set were done.
    Sweeps {
        /// How many since the last word.
        count: usize,
    },
}

/// What a solve found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// An upper bound on P(z) - min P, unless it is not proved.
    pub gap: f64,
    /// Whether the gap is a bound. Of several columns without a penalty that are held at 0 or above, or are too many for a basis of what they span, correlations count as 0 that are
    /// so in the rounding of each, which says nothing of their combinations.
    pub is_proved: bool,
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
    /// That of which c holds the correlations of all columns; empty if it does not.
    known: Vec<f64>,
    /// The root of y^T W y.
    size: f64,
    /// Of the columns without a penalty, if there are several.
    basis: Option<Basis>,
    /// Columns among which working sets are chosen before all are looked at again, and their correlations.
    pool: Vec<u32>,
    pool_c: Vec<f64>,
    /// Distances to the constraint, and places.
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
    /// Goes on from z, length m, until the gap is the tolerance. `residual` becomes y - D z. `watch` is told of each round, and of
    /// sweeps in between, and may end it.
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
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Outcome {
        problem.check(z.len());
        let Some(basis) = workspace.basis(problem) else {
            return self.solve_as_it_is(problem, z, residual, workspace, watch);
        };
        let turned = Quadratic { columns: basis.columns(), ..*problem };
        let entered = basis.enter(z);
        let mut v = entered.clone();
        let outcome = self.solve_as_it_is(&turned, &mut v, residual, workspace, watch);
        let bounded = (0..z.len()).filter(|&j| problem.is_free(j) && problem.is_bounded(j)).count();
        basis.leave(&entered, &v, z);
        problem.residual(z, residual);
        workspace.basis = Some(basis);
        // A combination of many columns may be off by the rounding of larger numbers than those of the basis.
        problem.weigh(residual, &mut workspace.weighted);
        let value = dot(&workspace.weighted, residual) / 2.0 + problem.penalty(z);
        let gap = outcome.gap + (value - outcome.value).max(0.0);
        let support = z.iter().filter(|z| **z != 0.0).count();
        Outcome { value, gap, is_proved: bounded == 0, support, ..outcome }
    }

    /// [`WorkingSets::solve`], each column without a penalty by itself.
    fn solve_as_it_is(
        &self,
        problem: &Quadratic<'_>,
        z: &mut [f64],
        residual: &mut Vec<f64>,
        workspace: &mut Workspace,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Outcome {
        let data = Data { columns: problem.columns, weights: problem.weights };
        let free = workspace.begin(problem, z);
        let mut outcome = Outcome {
            gap: f64::INFINITY,
            is_proved: free.len() < 2,
            value: f64::INFINITY,
            status: Status::Limit,
            rounds: 0,
            epochs: 0,
            newton: 0,
            support: 0,
        };
        let (mut bound, mut stalled, mut sharper, mut interrupted) = (f64::NEG_INFINITY, 0, 1.0, false);
        while outcome.rounds < self.rounds.max(1) {
            outcome.rounds += 1;
            problem.residual(z, residual);
            interrupted |= workspace.fit_free(problem, &free, (z, residual), watch);
            let round = workspace.measure(problem, z, residual, &mut bound);
            let fell = round.value < outcome.value * (1.0 - f64::EPSILON) || round.gap < 0.99 * outcome.gap;
            stalled = if fell { 0 } else { stalled + 1 };
            (outcome.value, outcome.gap) = (round.value, round.gap);
            if !(round.value.is_finite() && round.gap.is_finite()) {
                outcome.status = Status::NotFinite;
                break;
            }
            interrupted |= watch(Progress::Round { gap: round.gap }).is_break();
            outcome.status = if round.gap <= self.tolerance {
                Status::Converged
            } else if interrupted {
                Status::Interrupted
            } else if stalled >= STALLED {
                Status::Stalled
            } else {
                Status::Limit
            };
            if outcome.status != Status::Limit || outcome.rounds == self.rounds || outcome.epochs >= SWEEPS {
                break;
            }
            if workspace.screen(problem, z, round.gap + f64::EPSILON * round.value) {
                // What was dropped was in use: z is another.
                outcome.value = f64::INFINITY;
                continue;
            }
            if stalled > 0 {
                sharper *= SHARPER;
            }
            let first = self.first << stalled.min(16);
            let enough = (SHARE * round.gap).max(0.3 * self.tolerance) * sharper;
            let Round { mut gap, mut square, .. } = round;
            let part = workspace.pool(problem, z, first);
            loop {
                workspace.choose(problem, z, first);
                let tolerance = (INNER * gap).max(0.3 * self.tolerance) * sharper;
                let Workspace { inner, set, weighted, .. } = workspace;
                inner.begin(data, set, weighted);
                let spent = inner.solve(data, square, tolerance, self.epochs, watch);
                inner.each(|j, value| z[j as usize] = value);
                outcome.epochs += spent.epochs;
                outcome.newton += spent.newton;
                interrupted |= spent.interrupted;
                if !part || interrupted {
                    break;
                }
                problem.residual(z, residual);
                interrupted |= workspace.fit_free(problem, &free, (z, residual), watch);
                square = dot(&workspace.weighted, residual);
                let before = gap;
                gap = workspace.measure_pool(problem, z, square);
                if interrupted || gap.is_nan() || gap <= enough || gap > 0.9 * before {
                    break;
                }
            }
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
        assert!(self.free.is_empty() || self.free.len() == m, "one flag for each column");
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

    /// What the gap is a sum of, over the columns of `list` with correlations c.
    fn terms<'b>(
        &'b self,
        list: &'b [u32],
        c: &'b [f64],
        z: &'b [f64],
        squares: &'b [f64],
        scale: f64,
    ) -> impl Iterator<Item = Term> + Clone + 'b {
        list.iter().zip(c).map(move |(&j, &c)| {
            let j = j as usize;
            let (l1, l2) = (self.l1.at(j), self.l2.at(j));
            let slack = if l1 == 0.0 && l2 == 0.0 { scale * squares[j].sqrt() } else { 0.0 };
            Term { c, z: z[j], l1, l2, slack, bounded: self.is_bounded(j) }
        })
    }

    fn penalty(&self, z: &[f64]) -> f64 {
        let used = z.iter().enumerate().filter(|(_, z)| **z != 0.0);
        used.map(|(j, z)| self.l1.at(j) * z.abs() + 0.5 * self.l2.at(j) * z * z).sum()
    }

    fn is_bounded(&self, j: usize) -> bool {
        self.nonnegative && !self.free.get(j).is_some_and(|free| *free)
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
        self.take_up(problem.columns, problem.weights);
        self.best.clear();
        problem.weigh(problem.targets, &mut self.weighted);
        self.size = dot(&self.weighted, problem.targets).max(0.0).sqrt();
        z.iter_mut().enumerate().filter(|(j, _)| problem.is_bounded(*j)).for_each(|(_, z)| *z = z.max(0.0));
        self.free(problem)
    }

    /// What is known of D and W.
    fn take_up(&mut self, columns: &Columns, weights: &[f64]) {
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
            self.known.clear();
            columns.squares_of(&self.active, weights, &mut self.squares);
        }
    }

    /// The columns without a penalty, of those that are not 0.
    fn free(&self, problem: &Quadratic<'_>) -> Vec<u32> {
        let free = |j: &u32| problem.is_free(*j as usize) && self.squares[*j as usize] > 0.0;
        match (problem.l1, problem.l2) {
            (Each::All(l1), _) if l1 > 0.0 => Vec::new(),
            (_, Each::All(l2)) if l2 > 0.0 => Vec::new(),
            _ => self.active.iter().copied().filter(free).collect(),
        }
    }

    /// A basis of several columns without a penalty.
    fn basis(&mut self, problem: &Quadratic<'_>) -> Option<Basis> {
        let may_turn = |j: &u32| problem.is_free(*j as usize) && !problem.is_bounded(*j as usize);
        let free: Vec<u32> = (0..problem.columns.columns() as u32).filter(may_turn).collect();
        if free.len() < 2 {
            return None;
        }
        let (columns, weights) = (problem.columns, problem.weights);
        let known = self.basis.take().filter(|basis| basis.is_of(columns, weights, &free));
        known.or_else(|| {
            self.take_up(columns, weights);
            Basis::new(columns, weights, &free, &self.squares)
        })
    }

    /// Rounding of a correlation, but for the norm of its column: that of the terms of a residual.
    fn slack(&self, z: &[f64]) -> f64 {
        let used = z.iter().zip(&self.squares).filter(|(z, _)| **z != 0.0);
        let size = used.fold(self.size, |size, (z, square)| size + z.abs() * square.sqrt());
        FREE_SLACK * f64::EPSILON * (4.0 + (self.weighted.len() as f64).sqrt()) * size
    }

    /// Makes the residual orthogonal to the columns without a penalty, as the dual point has to be, by turns: one of them, or an
    /// orthonormal basis, at once but for rounding. Whether it was interrupted.
    fn fit_free(
        &mut self,
        problem: &Quadratic<'_>,
        free: &[u32],
        (z, residual): (&mut [f64], &mut [f64]),
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> bool {
        problem.weigh(residual, &mut self.weighted);
        if free.is_empty() {
            return false;
        }
        let mut c = vec![0.0; free.len()];
        for _ in 0..FREE_SWEEPS {
            let slack = 0.25 * self.slack(z);
            problem.columns.correlations_of(free, &self.weighted, &mut c);
            // What is left of the correlations, in parts of what rounding leaves.
            let left = free.iter().zip(&c).fold(0.0_f64, |left, (&j, &c)| {
                let c = if problem.is_bounded(j as usize) && z[j as usize] == 0.0 { c.max(0.0) } else { c.abs() };
                left.max(c / self.squares[j as usize].sqrt())
            });
            if left.is_nan() || left <= slack {
                return false;
            }
            if watch(Progress::Sweeps { count: 1 }).is_break() {
                return true;
            }
            for &j in free {
                let j = j as usize;
                let mut step = problem.columns.dot(j, &self.weighted) / self.squares[j];
                if problem.is_bounded(j) {
                    step = step.max(-z[j]);
                }
                z[j] += step;
                problem.columns.column(j).axpy(-step, &[], residual);
                problem.columns.column(j).axpy(-step, problem.weights, &mut self.weighted);
            }
        }
        false
    }

    /// P and the gap at z. `bound` is the greatest value of a dual point so far.
    fn measure(&mut self, problem: &Quadratic<'_>, z: &[f64], residual: &[f64], bound: &mut f64) -> Round {
        let scale = self.slack(z);
        let are_all = self.active.len() == self.squares.len();
        let is_known = self.known.len() == self.weighted.len()
            && self.known.iter().zip(&self.weighted).all(|(a, b)| a.to_bits() == b.to_bits());
        // The first round of a solve is often at the z of the last one of another, of other lambdas or to another gap.
        if !(are_all && is_known && self.c.len() == self.active.len()) {
            self.c.resize(self.active.len(), 0.0);
            problem.columns.correlations_of(&self.active, &self.weighted, &mut self.c);
            self.known.clear();
            if are_all {
                self.known.extend_from_slice(&self.weighted);
            }
        }
        let square = dot(&self.weighted, residual);
        let terms = problem.terms(&self.active, &self.c, z, &self.squares, scale);
        let Scale { s, gap } = Scale::best(&terms, square);
        let value = square / 2.0 + problem.penalty(z);
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
            let size = if problem.is_bounded(j) { self.best[k] } else { self.best[k].abs() };
            // A margin for the rounding of both sides; that of the gap is in it.
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
        if kept < self.active.len() {
            self.known.clear();
        }
        self.active.truncate(kept);
        self.best.truncate(kept);
        self.c.truncate(kept);
        changed
    }

    /// Gathers the columns of the next working sets: all active ones, or if there are many more than those to be used, the nearest to
    /// their constraint. Whether it is a part only.
    fn pool(&mut self, problem: &Quadratic<'_>, z: &[f64], first: usize) -> bool {
        let used = self.rank(problem, z, true);
        let len = (POOL * set_len(used, first, problem.columns.is_dense())).max(self.active.len() / POOL);
        let part = len < self.active.len() / 2;
        if part {
            self.nearest(len);
        } else {
            self.order.clear();
            self.order.extend((0..self.active.len() as u32).map(|k| (0.0, k)));
        }
        self.pool.clear();
        self.pool_c.clear();
        for &(_, k) in &self.order {
            self.pool.push(self.active[k as usize]);
            self.pool_c.push(self.c[k as usize]);
        }
        part
    }

    /// The gap of the problem on the pool at z.
    fn measure_pool(&mut self, problem: &Quadratic<'_>, z: &[f64], square: f64) -> f64 {
        let scale = self.slack(z);
        problem.columns.correlations_of(&self.pool, &self.weighted, &mut self.pool_c);
        Scale::best(&problem.terms(&self.pool, &self.pool_c, z, &self.squares, scale), square).gap
    }

    /// The working set: columns in use or free, and the nearest of the pool.
    fn choose(&mut self, problem: &Quadratic<'_>, z: &[f64], first: usize) {
        let used = self.rank(problem, z, false);
        self.nearest(set_len(used, first, problem.columns.is_dense()));
        self.set.clear();
        self.set.extend(self.order.iter().map(|&(_, k)| {
            let column = self.pool[k as usize];
            let j = column as usize;
            Coordinate {
                column,
                z: z[j],
                c: self.pool_c[k as usize],
                l1: problem.l1.at(j),
                l2: problem.l2.at(j),
                square: self.squares[j],
                bounded: problem.is_bounded(j),
            }
        }));
    }

    /// Writes down how far each of the active columns, or of the pool, is from its constraint, those in use or free before all
    /// others. Returns how many these are.
    fn rank(&mut self, problem: &Quadratic<'_>, z: &[f64], of_active: bool) -> usize {
        let (list, c) = if of_active { (&self.active, &self.c) } else { (&self.pool, &self.pool_c) };
        self.order.clear();
        let mut used = 0;
        for (k, (&j, &c)) in list.iter().zip(c).enumerate() {
            let (j, k) = (j as usize, k as u32);
            let square = self.squares[j];
            if z[j] != 0.0 || problem.is_free(j) {
                used += 1;
                self.order.push((f64::NEG_INFINITY, k));
            } else if square > 0.0 {
                // By the residual, not the best dual point, which may be of an earlier round and know nothing of what z lacks now.
                let size = if problem.is_bounded(j) { c } else { c.abs() };
                self.order.push(((problem.l1.at(j) - size) / square.sqrt(), k));
            }
        }
        used
    }

    /// Keeps the `len` first of the order, in the order of their places.
    fn nearest(&mut self, len: usize) {
        let by = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if len > 0 && len < self.order.len() {
            self.order.select_nth_unstable_by(len - 1, by);
            self.order.truncate(len);
        }
        self.order.sort_unstable_by_key(|&(_, k)| k);
    }
}

/// Length of a working set where so many columns are in use: twice as many, or of a dense D, whose Gram matrices cost more than a round, a quarter more.
fn set_len(used: usize, first: usize, dense: bool) -> usize {
    used + first.max(if dense { used / 4 } else { used })
}

#[cfg(test)]
mod tests {
    use danskin_core::design::Design;
    use danskin_core::testing::random;
    use proptest::prelude::*;

    use super::*;

    /// A problem with everything of its own.
    #[derive(Clone, Debug)]
    struct Case {
        n: usize,
        m: usize,
        /// Row by row.
        d: Vec<f64>,
        dense: bool,
        weights: Vec<f64>,
        y: Vec<f64>,
        l1: Vec<f64>,
        l2: Vec<f64>,
        nonnegative: bool,
        free: Vec<bool>,
    }

    impl Case {
        fn columns(&self) -> Columns {
            let design = if self.dense {
                Design::dense(self.n, self.m, self.d.clone())
            } else {
                let entries: Vec<_> = (0..self.n * self.m)
                    .filter(|&k| self.d[k] != 0.0)
                    .map(|k| (k / self.m, k % self.m, self.d[k]))
                    .collect();
                Design::from_triplets(self.n, self.m, &entries)
            };
            Columns::new(&design.unwrap()).unwrap()
        }

        fn problem<'a>(&'a self, columns: &'a Columns) -> Quadratic<'a> {
            Quadratic {
                columns,
                weights: &self.weights,
                targets: &self.y,
                l1: Each::Of(&self.l1),
                l2: Each::Of(&self.l2),
                nonnegative: self.nonnegative,
                free: &self.free,
            }
        }

        fn is_bounded(&self, j: usize) -> bool {
            self.nonnegative && !self.free.get(j).is_some_and(|free| *free)
        }

        fn weight(&self, i: usize) -> f64 {
            if self.weights.is_empty() { 1.0 } else { self.weights[i] }
        }

        fn residual(&self, z: &[f64]) -> Vec<f64> {
            let row = |i: usize| (0..self.m).map(|j| self.d[i * self.m + j] * z[j]).sum::<f64>();
            (0..self.n).map(|i| self.y[i] - row(i)).collect()
        }

        fn value(&self, z: &[f64]) -> f64 {
            let fit: f64 = self.residual(z).iter().enumerate().map(|(i, r)| 0.5 * self.weight(i) * r * r).sum();
            fit + (0..self.m).map(|j| self.l1[j] * z[j].abs() + 0.5 * self.l2[j] * z[j] * z[j]).sum::<f64>()
        }

        fn square(&self, j: usize) -> f64 {
            (0..self.n).map(|i| self.weight(i) * self.d[i * self.m + j].powi(2)).sum()
        }

        /// A z with almost the least P, by ISTA with momentum and restarts: nothing that the solver has.
        fn by_proximal_gradient(&self) -> Vec<f64> {
            let step = 1.0 / (0..self.m).map(|j| self.square(j) + self.l2[j]).sum::<f64>().max(1e-300);
            let (mut z, mut v, mut t) = (vec![0.0; self.m], vec![0.0; self.m], 1.0_f64);
            for _ in 0..3000 {
                let r = self.residual(&v);
                let next: Vec<f64> = (0..self.m)
                    .map(|j| {
                        let c: f64 = (0..self.n).map(|i| self.d[i * self.m + j] * self.weight(i) * r[i]).sum();
                        let u = v[j] + step * (c - self.l2[j] * v[j]);
                        let low = if self.is_bounded(j) { 0.0 } else { u + step * self.l1[j] };
                        (u - step * self.l1[j]).max(0.0) + low.min(0.0)
                    })
                    .collect();
                if self.value(&next) > self.value(&z) {
                    (v, t) = (z.clone(), 1.0);
                    continue;
                }
                let faster = (1.0 + (1.0 + 4.0 * t * t).sqrt()) / 2.0;
                v = next.iter().zip(&z).map(|(new, old)| new + (t - 1.0) / faster * (new - old)).collect();
                (z, t) = (next, faster);
            }
            z
        }

        /// The largest violation of the conditions of a minimum, in parts of the norms of the column and of y.
        fn violation(&self, z: &[f64]) -> f64 {
            let r = self.residual(z);
            let size = (0..self.n).map(|i| self.weight(i) * self.y[i] * self.y[i]).sum::<f64>().sqrt();
            (0..self.m).fold(0.0, |most, j| {
                let c: f64 = (0..self.n).map(|i| self.d[i * self.m + j] * self.weight(i) * r[i]).sum();
                let off = if z[j] != 0.0 {
                    (c - self.l1[j] * z[j].signum() - self.l2[j] * z[j]).abs()
                } else if self.is_bounded(j) {
                    (c - self.l1[j]).max(0.0)
                } else {
                    (c.abs() - self.l1[j]).max(0.0)
                };
                most.max(off / (self.square(j).sqrt() * size).max(1e-300))
            })
        }
    }

    fn solve(case: &Case, settings: WorkingSets) -> (Outcome, Vec<f64>) {
        let columns = case.columns();
        let (mut z, mut residual) = (vec![0.0; case.m], Vec::new());
        let mut on = |_| ControlFlow::Continue(());
        let found = settings.solve(&case.problem(&columns), &mut z, &mut residual, &mut Workspace::new(), &mut on);
        (found, z)
    }

    fn cases() -> impl Strategy<Value = Case> {
        let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0..3_usize, any::<bool>());
        (0..12_usize, 0..16_usize, any::<u64>(), 0.0..1.2_f64, flags).prop_map(
            |(n, m, seed, part, (dense, weighted, nonnegative, twins, free, elastic))| {
                let draw = |len: usize, k: u64| random::vector(len, seed.wrapping_add(k) >> 8);
                let mut d = draw(n * m, 1000);
                let kept = draw(n * m, 2000);
                if !dense {
                    d.iter_mut().zip(&kept).for_each(|(d, kept)| *d = if *kept < 0.4 { 0.0 } else { *d });
                }
                for i in 0..n {
                    if twins && m > 4 {
                        // Two of a kind, one the other's negative, and one of nothing.
                        d[i * m + 1] = d[i * m];
                        d[i * m + 3] = -d[i * m];
                        d[i * m + 4] = 0.0;
                    }
                }
                let y = draw(n, 3000);
                let weights = if weighted { draw(n, 4000).iter().map(|w| w.abs() * 2.0).collect() } else { Vec::new() };
                let mut case =
                    Case { n, m, d, dense, weights, y, l1: vec![0.0; m], l2: vec![0.0; m], nonnegative, free: vec![] };
                let r = case.y.clone();
                let most = (0..m).fold(0.0, |most: f64, j| {
                    let c: f64 = (0..n).map(|i| case.d[i * m + j] * case.weight(i) * r[i]).sum();
                    most.max(c.abs())
                });
                let shares = draw(m, 5000);
                case.l1 = shares.iter().map(|share| most * part.powi(2) * (1.0 + 0.3 * share)).map(f64::abs).collect();
                if elastic {
                    case.l2 = draw(m, 6000).iter().map(|v| if *v > 0.0 { *v } else { 0.0 }).collect();
                }
                for j in 0..free.min(m) {
                    (case.l1[m - 1 - j], case.l2[m - 1 - j]) = (0.0, 0.0);
                }
                if nonnegative && seed % 2 == 0 {
                    // The columns without a penalty, and one that has one, may be negative all the same.
                    case.free = (0..m).map(|j| j == 2 || m - 1 - j < free).collect();
                }
                case
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// Whatever the problem, the least value found by other means is no lower than the gap says, and no lower than what was
        /// found by much.
        #[test]
        fn the_gap_bounds_what_is_lacking(case in cases()) {
            let reference = case.by_proximal_gradient();
            let least = case.value(&reference);
            let p0 = case.value(&vec![0.0; case.m]);
            for rounds in [1, 2, 3, 200] {
                let tolerance = 1e-12 * p0;
                let (found, z) = solve(&case, WorkingSets { tolerance, rounds, first: 2, ..WorkingSets::default() });
                let value = case.value(&z);
                prop_assert!((found.value - value).abs() <= 1e-12 * p0, "{found:?} {value}");
                // `least` is itself known from above only.
                prop_assert!(value - found.gap <= least + 1e-11 * p0, "{found:?} {value} {least}");
                if rounds == 200 {
                    prop_assert!(value <= least + 1e-11 * p0, "{found:?} {value} {least}");
                    prop_assert!(found.gap <= 1e-10 * p0, "{found:?} {p0}");
                    prop_assert!(case.violation(&z) < 1e-5, "{found:?} {}", case.violation(&z));
                    prop_assert!(z.iter().enumerate().all(|(j, z)| *z >= 0.0 || !case.is_bounded(j)));
                }
            }
        }

        /// A start at any z, with the memory of another problem over the same D, changes nothing of the minimum.
        #[test]
        fn a_path_ends_where_each_problem_alone_does(case in cases(), start in any::<u64>()) {
            let columns = case.columns();
            let p0 = case.value(&vec![0.0; case.m]);
            let settings = WorkingSets { tolerance: 1e-12 * p0, first: 3, ..WorkingSets::default() };
            let (mut z, mut residual) = (random::vector(case.m, start >> 8), Vec::new());
            let (mut workspace, mut on) = (Workspace::new(), |_| ControlFlow::Continue(()));
            for factor in [2.0, 1.0, 0.3, 1.0] {
                let mut of = case.clone();
                of.l1.iter_mut().for_each(|l1| *l1 *= factor);
                let found = settings.solve(&of.problem(&columns), &mut z, &mut residual, &mut workspace, &mut on);
                let (alone, _) = solve(&of, settings);
                prop_assert!((found.value - alone.value).abs() <= 1e-10 * p0, "{found:?} {alone:?}");
                let expected = of.residual(&z);
                prop_assert!(residual.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-11));
            }
        }
    }

    /// A design large enough for several tasks.
    fn large(dense: bool) -> Case {
        let (n, m) = (150, 2500);
        let d = random::vector(n * m, 5);
        let kept = random::vector(n * m, 6);
        let d = d.iter().zip(&kept).map(|(d, kept)| if dense || *kept > 0.6 { *d } else { 0.0 }).collect();
        let (y, weights) = (random::vector(n, 7), random::vector(n, 8).iter().map(|w| w.abs()).collect());
        Case { n, m, d, dense, weights, y, l1: vec![0.4; m], l2: vec![0.0; m], nonnegative: false, free: vec![] }
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        for dense in [true, false] {
            let case = large(dense);
            let settings = WorkingSets { tolerance: 1e-10, ..WorkingSets::default() };
            let bits = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (found, z) = pool.install(|| solve(&case, settings));
                assert_eq!(found.status, Status::Converged, "{found:?}");
                assert!(found.support > 20 && found.newton > 0, "{found:?}");
                (found, z.into_iter().map(f64::to_bits).collect::<Vec<_>>())
            };
            let one = bits(1);
            assert!(one == bits(2) && one == bits(3), "dense: {dense}");
        }
    }

    #[test]
    fn what_is_not_finite_is_told() {
        for bad in [f64::NAN, f64::INFINITY, 1e200] {
            for dense in [true, false] {
                let mut case = large(dense);
                case.y[3] = bad;
                let (found, _) = solve(&case, WorkingSets::default());
                assert_eq!(found.status, Status::NotFinite, "{bad} {found:?}");
            }
        }
    }

    #[test]
    fn nothing_is_solved_at_once() {
        for (n, m) in [(0, 0), (0, 4), (4, 0)] {
            for dense in [true, false] {
                let (d, y, l1) = (vec![1.0; n * m], vec![1.0; n], vec![1.0; m]);
                let case =
                    Case { n, m, d, dense, weights: vec![], y, l1, l2: vec![0.0; m], nonnegative: false, free: vec![] };
                let (found, z) = solve(&case, WorkingSets::default());
                assert_eq!((found.status, found.gap, found.rounds), (Status::Converged, 0.0, 1));
                assert!(z.iter().all(|z| *z == 0.0));
            }
        }
    }

    #[test]
    fn an_impossible_gap_ends_for_rounding_and_a_watch_ends_it_at_once() {
        let case = large(true);
        let (found, _) = solve(&case, WorkingSets { tolerance: 0.0, rounds: 10_000, ..WorkingSets::default() });
        assert!(matches!(found.status, Status::Stalled | Status::Converged), "{found:?}");
        assert!(found.gap < 1e-13 * found.value && found.rounds < 60, "{found:?}");
        let columns = case.columns();
        let ended = |settings: WorkingSets, ends: &dyn Fn(Progress) -> bool| {
            let (mut z, mut residual, mut over) = (vec![0.0; case.m], Vec::new(), false);
            let mut on = |progress: Progress| {
                over |= ends(progress);
                if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let problem = case.problem(&columns);
            let found = settings.solve(&problem, &mut z, &mut residual, &mut Workspace::new(), &mut on);
            assert!((found.value - case.value(&z)).abs() <= 1e-12 * found.value, "{found:?}");
            found
        };
        let by_round =
            ended(WorkingSets::default(), &|progress| matches!(progress, Progress::Round { gap } if gap < 1.0));
        assert_eq!(by_round.status, Status::Interrupted);
        assert!(by_round.gap < 1.0 && by_round.rounds > 1, "{by_round:?}");
        let exact = WorkingSets { tolerance: 0.0, ..WorkingSets::default() };
        let by_sweeps = ended(exact, &|progress| matches!(progress, Progress::Sweeps { .. }));
        assert_eq!(by_sweeps.status, Status::Interrupted);
        assert!(by_sweeps.epochs < found.epochs, "{by_sweeps:?} {found:?}");
    }

    /// Columns without a penalty that are next to dependent span what their differences do: the problem is that of these.
    #[test]
    fn nearly_dependent_free_columns_are_those_of_their_span() {
        let (n, m) = (40, 30);
        for (apart, weighted) in [(1e-3, false), (1e-7, true), (1e-8, false), (1e-9, true)] {
            let d = random::vector(n * m, 8);
            let mut near = d.clone();
            for (row, of) in near.chunks_exact_mut(m).zip(d.chunks_exact(m)) {
                row[m - 1] = of[m - 2] + apart * of[m - 1];
            }
            // The residual of the first free column alone is mostly along the second.
            let y: Vec<f64> = (0..n).map(|i| 3.0 * d[i * m + m - 1] + 0.1 * d[i * m] + d[i * m + 1]).collect();
            let weights = if weighted { random::vector(n, 9).iter().map(|w| 0.1 + w.abs()).collect() } else { vec![] };
            let mut l1 = vec![0.5; m];
            l1[m - 2..].fill(0.0);
            let case = |d: Vec<f64>| Case {
                n,
                m,
                d,
                dense: true,
                weights: weights.clone(),
                y: y.clone(),
                l1: l1.clone(),
                l2: vec![0.0; m],
                nonnegative: false,
                free: vec![],
            };
            let settings = WorkingSets { tolerance: 1e-11, ..WorkingSets::default() };
            let (expected, reference) = solve(&case(d), settings);
            let (found, z) = solve(&case(near), settings);
            assert_eq!((found.status, expected.status), (Status::Converged, Status::Converged), "{apart:e}");
            // The second direction is known to the rounding of the columns over what tells them apart.
            let rounding = f64::EPSILON / apart * expected.value;
            let allowed = found.gap + expected.gap + 100.0 * rounding;
            assert!((found.value - expected.value).abs() <= allowed, "{apart:e}: {found:?} {expected:?}");
            let off = danskin_core::vector::distance(&z[..m - 2], &reference[..m - 2]);
            assert!(off <= 1e-4, "{apart:e}: {off:e}");
        }
    }
}

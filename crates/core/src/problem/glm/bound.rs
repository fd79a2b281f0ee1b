//! A proved bound on the error of g1 of a generalised linear problem, from one gradient.
//!
//! Let delta = z - z*, d = D delta, G = grad_z L(z, x), mu_j > 0 the least curvature of the penalty at coordinate j. The
//! secants S_i of w phi_u between u*_i and u_i and Q_j >= mu_j of the penalty's derivative make an identity of the change of
//! the gradient,
//!
//! ```text
//! G = grad_z L(z) - grad_z L(z*) = H delta,        H = D^T S D + Q
//! ```
//!
//! With E = ‖mu^(-1/2) G‖, a² = sum S_i d_i² and b = ‖Q^(1/2) delta‖, Cauchy and Schwarz give
//!
//! ```text
//! a² + b² = delta^T G <= b ‖Q^(-1/2) G‖ <= b E             and so       b <= E,  a <= E / 2
//! ```
//!
//! and, with N >= ‖D mu^(-1/2)‖², ‖d‖² <= N b². For targets, g1 - g* is C d with C the secants of w phi_x; for weights, with those of
//! phi. If C_i² <= kappa² S_i + beta for all rows, then ‖C d‖² <= kappa² a² + beta ‖d‖² <= kappa² (b E - b²) + beta N b², which over 0 <= b <= E is at most
//!
//! ```text
//! kappa⁴ E² / (4 (kappa² - beta N))   where 2 beta N <= kappa²,        beta N E²   elsewhere
//! ```
//!
//! Any kappa will do; the best of some is taken. Where phi is a function of u - x, C = -S and kappa² = max S.
//!
//! S, C and the like are had from how far a row can be from its prediction at z*, |u_i - u*_i| = |d_i| <= h_i. With q_i = ‖mu^(-1/2) D_i‖², |d_i| <= q_i^(1/2) b, and
//! the first h_i is q_i^(1/2) E. A bound S_i from below that holds within h_i leaves b² + S_i d_i² <= b E, and makes it q_i^(1/2) E / (1 + S_i q_i) where S_i q_i <= 1, else
//! E / (2 S_i^(1/2)), again and again.
//!
//! For log lambda, with r >= 0 convex, r'' in [c, c'] and mu = c lambda: r(z_j) - r(z*_j) lies between r'(z_j) delta_j - c' delta_j² / 2 and r'(z_j) delta_j, and
//! sum_g (lambda_g ‖r'_g‖ ‖delta_g‖)² is at most max_g (lambda_g ‖r'_g‖² / c) b². For the entries of D, with a_i = w phi_u of row i and Delta a = S d,
//! g1 - g* is Delta a z^T + a delta^T - Delta a delta^T at the places of the entries.
//!
//! Rounding: the bound is that of exact arithmetic at the gradient as computed, plus what k roundings in each sum can have
//! changed in it (gamma_k; Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1), terms of second order in the unit
//! roundoff left out, and what each operation loses where it underflows. By norms of D that takes no pass; entry by entry, with |D| |z| and |D|^T applied to the errors of the rows, it takes one, and is smaller
//! by orders of magnitude.

use std::sync::{Arc, OnceLock};

use super::{Glm, Penalty, RowLoss, Wrt};
use crate::certificate::{AnalyticBound, Effort, Theorem, Unproved};
use crate::ctx::Ctx;
use crate::design::{Block, Pass, UNDERFLOW, gamma};
use crate::problem::loss::Between;
use crate::problem::{Objective, Point};
use crate::rowwise;
use crate::vector::norm;

/// Times that a row is localised again at the most.
const LOCALISATIONS: usize = 6;
/// Gain of a localisation below which a row is left as it is.
const WORTHWHILE: f64 = 0.9;
/// Rounds of a search for kappa², and values a round.
const KAPPA_ROUNDS: usize = 2;
const GRID: usize = 16;
/// Share of the bound at the best kappa² of all rows above which no other is looked for.
const LITTLE_TO_GAIN: f64 = 0.95;
/// Roundings in an evaluation of a loss of one prediction, generously; each prediction more adds two.
const ROUNDINGS: f64 = 32.0;
/// Share of the bound from which what rounding adds is worth sharper constants.
const NOTABLE: f64 = 0.05;

/// Numbers that D and the penalties decide alone, in the metric of the groups' penalties where there are groups.
#[derive(Debug)]
pub(super) struct Constants {
    /// q_i but for a factor: `sum_j D_ij² / lambda_g(j)`; `None` where those of the design itself are, as all columns share a lambda.
    row_squares: Option<Vec<f64>>,
    /// ‖D‖_F² in that metric.
    pub(super) frobenius: f64,
    /// A bound on ‖D‖² in it, made when it is asked for.
    pub(super) norm: OnceLock<f64>,
    /// Additions for a prediction, and for an entry of the gradient.
    pub(super) roundings: (usize, usize),
}

/// What rounding leaves open in a row; kept as numbers, as a pass over D writes them.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowError {
    /// ‖a_i‖, a = w phi_u.
    pub(super) size: f64,
    /// How far a_i may be from that of z, as norms go.
    pub(super) error: f64,
    /// How far u_i may be from d_i z, and how far that is within what an evaluation of the loss leaves open.
    pub(super) moved: f64,
}

impl RowError {
    pub(super) const LEN: usize = 3;
    /// Where `moved` stands.
    pub(super) const MOVED: usize = 2;

    fn write(self, out: &mut [f64]) {
        out.copy_from_slice(&[self.size, self.error, self.moved]);
    }

    pub(super) fn read(from: &[f64]) -> Self {
        Self { size: from[0], error: from[1], moved: from[2] }
    }
}

/// C² - kappa² S <= c2 - kappa² s for every kappa, where that is positive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowSplit {
    pub(super) c2: f64,
    pub(super) s: f64,
}

impl RowSplit {
    /// Infinite where both have overflowed: nothing is then known of the row.
    fn beta(self, kappa_squared: f64) -> f64 {
        let beta = self.c2 - kappa_squared * self.s;
        if beta.is_nan() { f64::INFINITY } else { beta }
    }
}

/// What is known of a row between z and z*.
#[derive(Clone, Copy, Debug)]
struct RowBound {
    split: RowSplit,
    /// At least every S.
    most: f64,
    /// How much g1 can be in error on account of rounding.
    own: f64,
    localised: bool,
}

impl RowBound {
    /// Of a row of no weight.
    const NONE: Self = Self { split: RowSplit { c2: 0.0, s: 0.0 }, most: 0.0, own: 0.0, localised: true };
}

impl AsRef<RowSplit> for RowBound {
    fn as_ref(&self) -> &RowSplit {
        &self.split
    }
}

/// The metric in which everything is measured, and norms in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    /// What makes q_i of a row's square.
    pub(super) factor: f64,
    /// The least mu_j.
    pub(super) least: f64,
    /// ‖mu^(-1/2) G‖.
    pub(super) gradient: f64,
    /// ‖mu^(1/2) z‖.
    pub(super) latent: f64,
    /// ‖mu^(-1/2) lambda r'(z)‖.
    pub(super) penalty: f64,
    /// The largest lambda_j mu_j^(-1/2).
    pub(super) pull: f64,
}

/// Where a bound is asked for, and what is known there before a row is looked at.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    /// With its gradient and memo.
    pub(super) at: Point<'a>,
    pub(super) metric: Metric,
    pub(super) constants: &'a Constants,
    /// q_i but for the metric's factor.
    pub(super) squares: &'a [f64],
    /// N.
    pub(super) spread: f64,
}

impl Setting<'_> {
    /// q_i.
    pub(super) fn q(&self, row: usize) -> f64 {
        times(self.metric.factor, self.squares[row])
    }

    /// ‖mu^(-1/2) e‖ of an e of which each entry is what `k` operations lose to underflow, before lambda is put to their results, and in dividing by mu^(1/2).
    pub(super) fn lost(&self, k: usize) -> f64 {
        let Metric { least, pull, .. } = self.metric;
        k as f64 * UNDERFLOW * (self.at.z.len() as f64).sqrt() * (1.0 + 1.0 / least.sqrt() + pull)
    }
}

/// Rows that are known at a time.
pub(super) const BLOCK: usize = 256;

/// How far they can be from where they are at z*, and secants, curvatures and crosses within that.
pub(super) struct RowBlock {
    pub(super) h: [f64; BLOCK],
    between: [[f64; BLOCK]; 3],
}

impl RowBlock {
    /// What is known within h of row `k`.
    pub(super) fn between(&self, k: usize) -> Between {
        let [secant, curvature, cross] = [0, 1, 2].map(|of| self.between[of][k]);
        Between { secant, curvature, cross }
    }
}

impl Default for RowBlock {
    fn default() -> Self {
        Self { h: [0.0; BLOCK], between: [[0.0; BLOCK]; 3] }
    }
}

/// Which point a bound is asked for, and between which.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    /// The error of g1.
    Error(Effort),
    /// What a right-hand side of this norm moves in L_xz L_zz^-1, at z itself.
    Linear(f64),
}

impl<L: RowLoss, R: Penalty> Glm<L, R> {
    pub(super) fn error_of_g1(&self, at: Point<'_>, effort: Effort, ctx: &mut Ctx) -> Result<AnalyticBound, Unproved> {
        self.certify(at, Asked::Error(effort), ctx)
    }

    pub(super) fn effect_of_residual(&self, at: Point<'_>, residual: f64, ctx: &mut Ctx) -> Result<f64, Unproved> {
        Ok(self.certify(at, Asked::Linear(residual), ctx)?.iterate)
    }

    /// How much rounding can have done to g1: what predictions are computed from, and the loss and the sums themselves. It asks for no penalty.
    pub(super) fn rounding_of_g1(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let (n, row, matrix) = (self.design.rows(), self.row(at.x), self.matrix(at.x));
        let mut squares = ctx.take(n);
        if self.wrt == Wrt::Design {
            matrix.row_squares(&[], &mut squares, ctx);
        } else {
            squares.copy_from_slice(self.design.row_squares());
        }
        let (of_dots, lost) = (matrix.roundings().0, self.lost_in_predictions(matrix.roundings().0));
        let prediction = gamma(of_dots + 2) * norm(at.z);
        let mut rows = ctx.take(n);
        self.with_predictions(at, ctx, |memo, _| {
            rowwise::for_each(1, &mut rows, |i, out| {
                let of_row = (row.of(memo, i), row.y(i), row.weight(i));
                let moved = self.moved(of_row.0, of_row.1, prediction * squares[i].sqrt() + lost);
                let between = self.between(of_row.0, of_row.1, moved);
                let own = match self.wrt {
                    Wrt::Design => self.row_error(of_row, moved).error * norm(at.z),
                    _ => self.bound_row(of_row, moved, 0.0, between).own,
                };
                // A loss that does not say what it does leaves the sums alone.
                out[0] = if own.is_nan() { 0.0 } else { own };
            });
        });
        let of_rows = norm(&rows);
        ctx.give(rows);
        ctx.give(squares);
        of_rows + (self.evaluation() + gamma(self.latent_len() + 8)) * norm_of_gradient(self, at, ctx)
    }

    /// Makes the norm of D sharper, where it is kept.
    pub(super) fn sharpen(&self, x: &[f64], ctx: &mut Ctx) {
        if !self.constants_depend_on_x() {
            let constants = self.constants(x, ctx);
            constants
                .norm
                .get_or_init(|| self.matrix(x).norm_bound(&self.column_scales(x), self.row_squares(&constants), ctx));
        }
    }

    fn certify(&self, at: Point<'_>, asked: Asked, ctx: &mut Ctx) -> Result<AnalyticBound, Unproved> {
        self.check_convexity(at.x)?;
        let bound = self.with_gradient(at, ctx, |at, ctx| self.certify_known(at, asked, ctx))?;
        if bound.total().is_finite() { Ok(bound) } else { Err(Unproved::Overflow) }
    }

    /// Calls `read` with gradient and memo at `at`, evaluated where they are not there.
    pub(super) fn with_gradient<T>(
        &self,
        at: Point<'_>,
        ctx: &mut Ctx,
        read: impl FnOnce(Point<'_>, &mut Ctx) -> T,
    ) -> T {
        if !at.grad_z.is_empty() && !at.memo.is_empty() {
            return read(at, ctx);
        }
        let (mut grad_z, mut memo) = (ctx.take(self.latent_len()), ctx.take(self.memo_len()));
        self.grad_z(at.z, at.x, &mut grad_z, &mut memo, ctx);
        let found = read(Point { grad_z: &grad_z, memo: &memo, ..at }, ctx);
        ctx.give(memo);
        ctx.give(grad_z);
        found
    }

    pub(super) fn check_convexity(&self, x: &[f64]) -> Result<(), Unproved> {
        let weights = self.weights(x);
        if let Some(row) = weights.iter().position(|weight| weight.is_nan() || *weight < 0.0) {
            return Err(Unproved::NegativeWeight { row, weight: weights[row] });
        }
        let (regularisation, convexity) = (self.regularisation(x), self.penalty.curvature().0);
        let is_convex = |group: usize| regularisation.lambda(group) * convexity > 0.0;
        let column = match &*self.groups {
            [] if self.design.columns() > 0 && !is_convex(0) => Some(0),
            [] => None,
            groups => groups.iter().position(|group| !is_convex(*group as usize)),
        };
        column.map_or(Ok(()), |column| Err(Unproved::NotStronglyConvex { column }))
    }

    /// Whether the metric or D is x.
    pub(super) fn constants_depend_on_x(&self) -> bool {
        match self.wrt {
            Wrt::Targets | Wrt::Weights => false,
            Wrt::Regularisation => !self.groups.is_empty(),
            Wrt::Design => true,
        }
    }

    /// Those of D and the penalties at x, kept where x is neither.
    pub(super) fn constants(&self, x: &[f64], ctx: &mut Ctx) -> Arc<Constants> {
        let depends = self.constants_depend_on_x();
        if let Some(kept) = self.constants.get().filter(|_| !depends) {
            return Arc::clone(kept);
        }
        let (matrix, scales) = (self.matrix(x), self.column_scales(x));
        let row_squares = (!scales.is_empty() || self.wrt == Wrt::Design).then(|| {
            let mut row_squares = vec![0.0; self.design.rows()];
            matrix.row_squares(&scales, &mut row_squares, ctx);
            row_squares
        });
        let squares = row_squares.as_deref().unwrap_or(self.design.row_squares());
        let frobenius = squares.iter().sum::<f64>() * (1.0 + gamma(squares.len() + matrix.columns()));
        let made = Arc::new(Constants { row_squares, frobenius, norm: OnceLock::new(), roundings: matrix.roundings() });
        if depends { made } else { Arc::clone(self.constants.get_or_init(|| made)) }
    }

    /// 1 / lambda of each column; empty where all share one.
    fn column_scales(&self, x: &[f64]) -> Vec<f64> {
        let regularisation = self.regularisation(x);
        self.groups.iter().map(|group| 1.0 / regularisation.lambda(*group as usize)).collect()
    }

    /// q_i but for a factor.
    pub(super) fn row_squares<'a>(&'a self, constants: &'a Constants) -> &'a [f64] {
        constants.row_squares.as_deref().unwrap_or(self.design.row_squares())
    }

    /// Relative error of an evaluation of the loss.
    pub(super) fn evaluation(&self) -> f64 {
        (ROUNDINGS + 2.0 * self.loss.width() as f64) * f64::EPSILON
    }

    /// What an evaluation of the loss can lose to underflow.
    pub(super) fn vanished(&self) -> f64 {
        (ROUNDINGS + 2.0 * self.loss.width() as f64) * UNDERFLOW
    }

    /// The setting at `at`, where gradient and memo are known.
    pub(super) fn setting<'a>(&'a self, at: Point<'a>, constants: &'a Constants, ctx: &mut Ctx) -> Setting<'a> {
        let metric = self.metric(at, ctx);
        let spread = times(metric.factor, constants.norm.get().copied().unwrap_or(constants.frobenius));
        Setting { at, metric, constants, squares: self.row_squares(constants), spread }
    }

    fn metric(&self, at: Point<'_>, ctx: &mut Ctx) -> Metric {
        let (m, convexity) = (self.latent_len(), self.penalty.curvature().0);
        let regularisation = self.regularisation(at.x);
        let shared = if self.groups.is_empty() { regularisation.lambda(0) } else { 1.0 };
        let [mut gradient, mut latent, mut penalty] = [(); 3].map(|()| ctx.take(m));
        regularisation.each(m, |lambda, _, j| {
            let root = (lambda * convexity).sqrt();
            gradient[j] = at.grad_z[j] / root;
            latent[j] = at.z[j] * root;
            penalty[j] = lambda * self.penalty.first(at.z[j]) / root;
        });
        let metric = Metric {
            factor: 1.0 / (shared * convexity),
            least: regularisation.smallest_lambda() * convexity,
            gradient: norm(&gradient),
            latent: norm(&latent) * (1.0 + gamma(m + 8)) + (m as f64).sqrt() * UNDERFLOW,
            penalty: norm(&penalty),
            pull: (regularisation.largest_lambda() / convexity).sqrt(),
        };
        [penalty, latent, gradient].into_iter().for_each(|buffer| ctx.give(buffer));
        metric
    }

    fn certify_known(&self, at: Point<'_>, asked: Asked, ctx: &mut Ctx) -> Result<AnalyticBound, Unproved> {
        let constants = self.constants(at.x, ctx);
        let (n, is_sharp) = (self.design.rows(), constants.norm.get().is_some());
        let setting = self.setting(at, &constants, ctx);
        let mut errors = ctx.take(RowError::LEN * n);
        let effort = if asked == Asked::Error(Effort::Pass) { Effort::Pass } else { Effort::Norms };
        let found = self.energy(&setting, effort, &mut errors, ctx);
        let (energy, is_linear) = match (found, asked) {
            (Err(reason), _) => {
                ctx.give(errors);
                return Err(reason);
            }
            (Ok(energy), Asked::Error(_)) => (energy, false),
            (_, Asked::Linear(residual)) => (residual / setting.metric.least.sqrt(), true),
        };

        let bounded = match self.wrt {
            Wrt::Regularisation => self.bound_by_penalty(&setting, energy, is_linear, ctx),
            _ => {
                let mut rows = vec![RowBound::NONE; n];
                let far = if is_linear { 0.0 } else { energy };
                rowwise::for_each_block(1, BLOCK, &mut rows, |first, out| {
                    self.bound_rows(&setting, &errors, first, far, out);
                });
                if self.wrt == Wrt::Design {
                    self.bound_by_design(&setting, (&rows, &errors), energy, is_linear, ctx)
                } else {
                    self.bound_by_rows(&setting, (&rows, &errors), energy, ctx)
                }
            }
        };
        ctx.give(errors);
        let Bounded { bound, own, localised, theorem, uses_norm } = bounded;
        if is_linear {
            return Ok(AnalyticBound { iterate: bound, rounding: 0.0, localised, theorem, is_loose: false });
        }
        // Products of what cannot vanish with what can.
        let own = own + (self.parameter_len() as f64).sqrt() * self.vanished();
        // E is in part what rounding can have done to the gradient.
        let share = if energy > 0.0 { (setting.metric.gradient / energy).min(1.0) } else { 1.0 };
        let (iterate, rounding) = (bound * share, bound * (1.0 - share) + own);
        let by_norms = matches!(asked, Asked::Error(Effort::Norms)) && rounding > NOTABLE * iterate;
        let is_loose = !is_sharp && !self.constants_depend_on_x() && (uses_norm || by_norms);
        Ok(AnalyticBound { iterate, rounding, localised, theorem, is_loose })
    }

    /// E, with what rounding can have changed in it; and `errors` of all rows.
    pub(super) fn energy(
        &self,
        setting: &Setting<'_>,
        effort: Effort,
        errors: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<f64, Unproved> {
        let (m, metric) = (self.latent_len(), &setting.metric);
        let of_sums = match effort {
            Effort::Pass => self.errors_by_a_pass(setting, errors, ctx),
            Effort::Norms => self.errors_by_norms(setting, errors),
        };
        if let Some(row) = errors.chunks_exact(RowError::LEN).position(|row| RowError::read(row).error.is_nan()) {
            return Err(Unproved::Loss { row });
        }
        // The penalty's term, its sum with the rest, and the norm.
        let rounded = of_sums
            + 8.0 * f64::EPSILON * (metric.penalty + metric.gradient)
            + gamma(m + 8) * metric.gradient
            + setting.lost(setting.constants.roundings.1 + 8);
        Ok((metric.gradient + rounded) * (1.0 + gamma(m + 8)))
    }

    /// What a row's prediction, known but for `moved`, leaves open.
    fn row_error(&self, (u, y, weight): (&[f64], &[f64], f64), moved: f64) -> RowError {
        let moved = self.moved(u, y, moved);
        self.error_of_row((self.slope(u, y), weight), moved, self.between(u, y, moved).curvature)
    }

    /// How far u may be from what it stands for, `by` on account of its sum, and what an evaluation of the loss leaves open.
    pub(super) fn moved(&self, u: &[f64], y: &[f64], by: f64) -> f64 {
        // One of u - y knows no other scale.
        let unit = if self.loss.is_of_difference() { 0.0 } else { 1.0 };
        let moved = by + self.evaluation() * (unit + norm(u) + norm(y)) + self.vanished();
        if moved.is_nan() { f64::INFINITY } else { moved }
    }

    fn error_of_row(&self, (slope, weight): (f64, f64), moved: f64, curvature: f64) -> RowError {
        if weight == 0.0 && !curvature.is_nan() {
            return RowError { size: 0.0, error: 0.0, moved };
        }
        let error = weight * (curvature * moved + self.evaluation() * slope + self.vanished()) + UNDERFLOW;
        // NaN says that the loss does not know; infinities times 0 are far too much.
        let error = if error.is_nan() && !curvature.is_nan() { f64::INFINITY } else { error };
        RowError { size: weight * slope, error, moved }
    }

    /// What rounding leaves open in phi, whose slope is at most `steepest`, beside what it makes of u and y.
    pub(super) fn error_of_value(&self, u: &[f64], y: &[f64], steepest: f64) -> f64 {
        let terms = if self.loss.is_of_difference() {
            self.loss.value(u, y).abs()
        } else {
            (steepest + norm(y)) * (1.0 + norm(u))
        };
        self.evaluation() * terms + self.vanished()
    }

    /// `errors` of all rows, and what they and the sums of the gradient come to, ‖mu^(-1/2) Delta G‖, by norms.
    fn errors_by_norms(&self, setting: &Setting<'_>, errors: &mut [f64]) -> f64 {
        let Setting { at, constants, spread, .. } = *setting;
        let row = self.row(at.x);
        let prediction = gamma(constants.roundings.0 + 2) * setting.metric.latent;
        let lost = self.lost_in_predictions(constants.roundings.0);
        let width = self.loss.width();
        rowwise::for_each_block(RowError::LEN, BLOCK, errors, |first, out| {
            let rows = out.len() / RowError::LEN;
            let [u, y] = [at.memo, row.targets].map(|vector| row.of_rows(vector, first, rows));
            let (mut slopes, mut block) = ([0.0; BLOCK], RowBlock::default());
            let moved = &mut block.h[..rows];
            for (k, moved) in moved.iter_mut().enumerate() {
                let part = k * width..(k + 1) * width;
                let by = prediction * setting.q(first + k).sqrt() + lost;
                *moved = self.moved(&u[part.clone()], &y[part], by);
            }
            self.slopes(u, y, &mut slopes[..rows]);
            self.loss.between_of_rows(u, y, &block.h[..rows], block.between.each_mut().map(|out| &mut out[..rows]));
            for (k, out) in out.chunks_exact_mut(RowError::LEN).enumerate() {
                let of_row = (slopes[k], row.weight(first + k));
                self.error_of_row(of_row, block.h[k], block.between[1][k]).write(out);
            }
        });
        let sum = |offset: usize| norm_of(errors.iter().skip(offset).step_by(RowError::LEN).copied());
        let (sizes, of_rows) = (sum(0), sum(1));
        spread.sqrt() * (of_rows + gamma(constants.roundings.1 + 2) * (sizes + of_rows))
    }

    /// What the predictions of a row lose to underflow, of `roundings` operations each.
    pub(super) fn lost_in_predictions(&self, roundings: usize) -> f64 {
        (roundings + 2) as f64 * UNDERFLOW * (self.loss.width() as f64).sqrt()
    }

    /// The same entry by entry, by one pass over |D|.
    fn errors_by_a_pass(&self, setting: &Setting<'_>, errors: &mut [f64], ctx: &mut Ctx) -> f64 {
        let Setting { at, constants, .. } = *setting;
        let (row, width, m) = (self.row(at.x), self.loss.width(), self.latent_len());
        let lost = self.lost_in_predictions(constants.roundings.0);
        let (of_dots, of_sums) = (gamma(constants.roundings.0 + 2), gamma(constants.roundings.1 + 2));
        let link = |block: Block<'_>| {
            for k in 0..block.rows {
                let (i, part) = (block.first + k, k * width..(k + 1) * width);
                let of_row = (row.of(at.memo, i), row.y(i), row.weight(i));
                let error = self.row_error(of_row, of_dots * norm(&block.dots[0][part.clone()]) + lost);
                error.write(&mut block.row_output[k * RowError::LEN..][..RowError::LEN]);
                block.weights[part].fill(error.error + of_sums * (error.size + error.error));
            }
        };
        let (mut absolute, mut out) = (ctx.take(m), ctx.take(m));
        absolute.iter_mut().zip(at.z).for_each(|(to, z)| *to = z.abs());
        self.matrix(at.x).with_absolute(ctx, |matrix, ctx| {
            let pass = Pass { width, inputs: &[&absolute], row_output: &mut *errors, out: &mut out, ..Pass::default() };
            matrix.pass(pass, &link, ctx);
        });
        let convexity = self.penalty.curvature().0;
        self.regularisation(at.x).each(m, |lambda, _, j| out[j] /= (lambda * convexity).sqrt());
        let found = norm(&out);
        ctx.give(out);
        ctx.give(absolute);
        found * (1.0 + gamma(m + 8))
    }

    /// ‖phi_u‖ of a row.
    pub(super) fn slope(&self, u: &[f64], y: &[f64]) -> f64 {
        if let [_] = u {
            let mut out = [0.0];
            self.loss.grad_u(u, y, 1.0, &mut out);
            return out[0].abs();
        }
        let mut out = vec![0.0; u.len()];
        self.loss.grad_u(u, y, 1.0, &mut out);
        norm(&out)
    }

    /// At least ‖phi_u(v)‖ for ‖v - u‖ <= `h`: phi is convex, so that of one prediction it is largest at an end.
    pub(super) fn steepest(&self, u: &[f64], y: &[f64], h: f64, curvature: f64) -> f64 {
        match u {
            [u] if h < f64::INFINITY => self.slope(&[u - h], y).max(self.slope(&[u + h], y)),
            _ => self.slope(u, y) + curvature * h,
        }
    }

    /// ‖phi_u‖ of consecutive rows.
    fn slopes(&self, u: &[f64], y: &[f64], out: &mut [f64]) {
        let width = self.loss.width();
        if width == 1 {
            self.loss.grad_u_of_rows(u, y, &[], out);
            out.iter_mut().for_each(|slope| *slope = slope.abs());
        } else {
            let rows = u.chunks_exact(width).zip(y.chunks_exact(width));
            out.iter_mut().zip(rows).for_each(|(out, (u, y))| *out = self.slope(u, y));
        }
    }

    /// Rows between z and z*, from row `first` on, where E is `energy`.
    fn bound_rows(&self, setting: &Setting<'_>, errors: &[f64], first: usize, energy: f64, out: &mut [RowBound]) {
        let at = setting.at;
        let (row, width, rows) = (self.row(at.x), self.loss.width(), out.len());
        let [u, y] = [at.memo, row.targets].map(|vector| row.of_rows(vector, first, rows));
        let moved = |k: usize| errors[(first + k) * RowError::LEN + RowError::MOVED];
        let block = self.localise(setting, errors, first, rows, energy);
        // A row is localised where its curvature is known to a factor of e, or its secant is to that of the curvature at u.
        let e = std::f64::consts::E;
        let is_known = |k: usize| block.between[0][k] * e >= block.between[1][k];
        let mut here = [[f64::INFINITY; BLOCK]; 3];
        if !(0..rows).all(is_known) {
            let far: Vec<f64> = (0..rows).map(moved).collect();
            self.loss.between_of_rows(u, y, &far[..rows], here.each_mut().map(|out| &mut out[..rows]));
        }
        for (k, out) in out.iter_mut().enumerate() {
            let part = k * width..(k + 1) * width;
            let of_row = (&u[part.clone()], &y[part], row.weight(first + k));
            let bound = self.bound_row(of_row, moved(k), block.h[k], block.between(k));
            let localised = bound.localised || is_known(k) || block.between[0][k] * e >= here[0][k];
            *out = RowBound { localised, ..bound };
        }
    }

    /// A row whose prediction is within `h` and `moved` of that at z*, but for whether it is localised: one of no weight always is.
    fn bound_row(&self, (u, y, weight): (&[f64], &[f64], f64), moved: f64, h: f64, here: Between) -> RowBound {
        if weight == 0.0 && self.wrt != Wrt::Weights {
            return RowBound::NONE;
        }
        let most = weight * here.curvature;
        let (c2, s, own) = match self.wrt {
            Wrt::Targets if self.loss.is_of_difference() => {
                (square(most), most, most * moved + weight * self.vanished())
            }
            Wrt::Targets => {
                let cross = weight * here.cross;
                (square(cross), weight * here.secant, cross * moved + weight * self.vanished())
            }
            Wrt::Weights => {
                let steepest = self.steepest(u, y, h + moved, here.curvature);
                (square(steepest), weight * here.secant, steepest * moved + self.error_of_value(u, y, steepest))
            }
            Wrt::Regularisation | Wrt::Design => (0.0, 0.0, 0.0),
        };
        // Infinities times 0: what is not known is taken for the worst.
        let worst = |number: f64| if number.is_nan() { f64::INFINITY } else { number };
        RowBound { split: RowSplit { c2: worst(c2), s: s.max(0.0) }, most: worst(most), own, localised: false }
    }

    /// What the loss knows within h. One that does not say was found out before.
    pub(super) fn between(&self, u: &[f64], y: &[f64], h: f64) -> Between {
        self.loss.between(u, y, h).unwrap_or(Between::UNKNOWN)
    }

    /// How far predictions of `rows` rows from `first` on can be from those at z*, but for what rounding moved them by, and what the loss does within
    /// both.
    pub(super) fn localise(
        &self,
        setting: &Setting<'_>,
        errors: &[f64],
        first: usize,
        rows: usize,
        energy: f64,
    ) -> RowBlock {
        let at = setting.at;
        let row = self.row(at.x);
        let [u, y] = [at.memo, row.targets].map(|vector| row.of_rows(vector, first, rows));
        let moved = |k: usize| errors[(first + k) * RowError::LEN + RowError::MOVED];
        let q = |k: usize| setting.q(first + k);
        let (mut block, mut far) = (RowBlock::default(), [0.0; BLOCK]);
        for k in 0..rows {
            block.h[k] = if energy == 0.0 { 0.0 } else { q(k).sqrt() * energy };
        }
        for round in 0..=LOCALISATIONS {
            (0..rows).for_each(|k| far[k] = block.h[k] + moved(k));
            self.loss.between_of_rows(u, y, &far[..rows], block.between.each_mut().map(|out| &mut out[..rows]));
            let mut is_nearer = false;
            for k in 0..rows {
                let nearer = reach(q(k), row.weight(first + k) * block.between[0][k], energy);
                let gains = round < LOCALISATIONS && nearer < WORTHWHILE * block.h[k];
                block.h[k] = if gains { nearer } else { block.h[k] };
                is_nearer |= gains;
            }
            if !is_nearer {
                break;
            }
        }
        block
    }

    fn bound_by_rows(
        &self,
        setting: &Setting<'_>,
        (rows, errors): (&[RowBound], &[f64]),
        energy: f64,
        ctx: &mut Ctx,
    ) -> Bounded {
        let Setting { at, spread, .. } = *setting;
        let own = norm_of(rows.iter().map(|row| row.own));
        let split = best_split(rows, spread);
        let is_difference = self.wrt == Wrt::Targets && self.loss.is_of_difference();
        // phi_x = -phi_u, row by row, whose sizes are there.
        let size = if is_difference {
            norm_of(errors.chunks_exact(RowError::LEN).map(|row| RowError::read(row).size))
        } else {
            norm_of_gradient(self, at, ctx)
        };
        Bounded {
            bound: energy * split.value(spread).sqrt(),
            own: own + self.evaluation() * size,
            localised: rows.iter().all(|row| row.localised),
            theorem: if is_difference { Theorem::Difference } else { Theorem::Split },
            uses_norm: split.beta > 0.0,
        }
    }

    fn bound_by_design(
        &self,
        setting: &Setting<'_>,
        (rows, errors): (&[RowBound], &[f64]),
        energy: f64,
        is_linear: bool,
        ctx: &mut Ctx,
    ) -> Bounded {
        let (at, width) = (setting.at, self.loss.width());
        let (mut of_columns, mut of_rows) = (ctx.take(self.design.columns()), ctx.take(self.design.rows()));
        for (to, z) in of_columns.iter_mut().zip(at.z.chunks_exact(width)) {
            *to = z.iter().map(|z| square(z.abs())).sum();
        }
        let errors = || errors.chunks_exact(RowError::LEN).map(RowError::read);
        of_rows.iter_mut().zip(errors()).for_each(|(to, row)| *to = square(row.size));
        let (z, a) = self.matrix(at.x).largest_sums(&of_columns, &of_rows, ctx);
        of_rows.iter_mut().zip(errors()).for_each(|(to, row)| *to = row.error + gamma(2 * width + 2) * row.size);
        let of_rows_error = norm(&of_rows);
        ctx.give(of_rows);
        ctx.give(of_columns);
        let most = rows.iter().fold(0.0_f64, |most, row| most.max(row.most));
        let (change, delta) = (most.sqrt() * energy / 2.0, energy / setting.metric.least.sqrt());
        Bounded {
            bound: change * z.sqrt() + a.sqrt() * delta + if is_linear { 0.0 } else { change * delta },
            own: of_rows_error * z.sqrt(),
            localised: rows.iter().all(|row| row.localised),
            theorem: Theorem::Design,
            uses_norm: false,
        }
    }

    fn bound_by_penalty(&self, setting: &Setting<'_>, energy: f64, is_linear: bool, ctx: &mut Ctx) -> Bounded {
        let at = setting.at;
        let regularisation = self.regularisation(at.x);
        let (low, high) = self.penalty.curvature();
        let mut groups = vec![0.0; regularisation.lambdas.len()];
        regularisation.each_penalised(at.z.len(), |lambda, group, j| {
            groups[group] += square(lambda.sqrt() * self.penalty.first(at.z[j]).abs());
        });
        let most = groups.iter().fold(0.0_f64, |most, group| most.max(*group));
        let second_order = if is_linear { 0.0 } else { 0.5 * (high / low) * energy * energy };
        Bounded {
            bound: (most / low).sqrt() * energy + second_order,
            // Sums of terms of one sign, each of which may have vanished before lambda was put to it.
            own: (self.evaluation() + gamma(at.z.len())) * norm_of_gradient(self, at, ctx)
                + at.z.len() as f64 * self.vanished() * (1.0 + regularisation.largest_lambda()),
            localised: true,
            theorem: Theorem::Penalty,
            uses_norm: false,
        }
    }
}

/// ‖g1‖, by which its own rounding is measured.
pub(super) fn norm_of_gradient<P: Objective>(problem: &P, at: Point<'_>, ctx: &mut Ctx) -> f64 {
    let mut gradient = ctx.take_zeroed(problem.parameter_len());
    problem.grad_x(at, 1.0, &mut gradient, ctx);
    let found = norm(&gradient);
    ctx.give(gradient);
    found
}

/// A product of numbers at least 0, that does not vanish where neither does.
pub(super) fn times(a: f64, b: f64) -> f64 {
    if a > 0.0 && b > 0.0 { (a * b).max(f64::MIN_POSITIVE) } else { a * b }
}

/// The most that |d| can be with b² + s d² <= b `energy` and d² <= q b².
fn reach(q: f64, s: f64, energy: f64) -> f64 {
    if s * q <= 1.0 { q.sqrt() * energy / (1.0 + s * q) } else { 0.5 * energy / s.sqrt() }
}

/// The square of a number at least 0, that does not vanish where it does not.
pub(super) fn square(number: f64) -> f64 {
    if number > 0.0 { (number * number).max(f64::MIN_POSITIVE) } else { number }
}

/// The norm of some numbers, none of whose squares vanish.
pub(super) fn norm_of(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let plain: f64 = numbers.clone().map(|number| number * number).sum();
    if plain.is_normal() { plain.sqrt() } else { norm(&numbers.collect::<Vec<_>>()) }
}

struct Bounded {
    bound: f64,
    /// What rounding does to g1 itself.
    own: f64,
    localised: bool,
    theorem: Theorem,
    /// Whether a smaller norm of D would make it smaller.
    uses_norm: bool,
}

/// kappa² and beta with c2 - kappa² s <= beta for every row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    kappa_squared: f64,
    pub(super) beta: f64,
}

impl Split {
    /// That of the least beta there is.
    pub(super) fn of_largest<T: AsRef<RowSplit> + Sync>(rows: &[T]) -> Self {
        let [split] = Self::at(rows, [largest_ratio(rows).0]);
        split
    }

    /// Those of the least beta at some kappa².
    fn at<T: AsRef<RowSplit> + Sync, const K: usize>(rows: &[T], kappas: [f64; K]) -> [Self; K] {
        let betas = rowwise::largest_of(rows, |row| kappas.map(|kappa_squared| row.as_ref().beta(kappa_squared)));
        std::array::from_fn(|k| Self { kappa_squared: kappas[k], beta: betas[k].max(0.0) })
    }

    /// max of kappa² a² + beta N b² over a² + b² <= a, for what D^T q moves, with ‖S^(-1/2) q‖ = 1.
    pub(super) fn value_along(self, spread: f64) -> f64 {
        let (kappa_squared, beta) = (self.kappa_squared, times(self.beta, spread));
        if beta <= 2.0 * kappa_squared { kappa_squared } else { 0.25 * beta / (1.0 - kappa_squared / beta) }
    }

    /// max over 0 <= b <= 1 of kappa² (b - b²) + beta N b².
    pub(super) fn value(self, spread: f64) -> f64 {
        let (kappa_squared, beta) = (self.kappa_squared, times(self.beta, spread));
        if 2.0 * beta > kappa_squared {
            beta
        } else if kappa_squared == 0.0 {
            0.0
        } else {
            0.25 * kappa_squared / (1.0 - beta / kappa_squared)
        }
    }
}

/// (the largest c2 / s that is finite, that c2).
fn largest_ratio<T: AsRef<RowSplit>>(rows: &[T]) -> (f64, f64) {
    let (mut largest, mut of_largest) = (0.0_f64, 0.0);
    for &RowSplit { c2, s } in rows.iter().map(T::as_ref).filter(|row| row.s > 0.0) {
        let ratio = c2 / s;
        if ratio > largest && ratio.is_finite() {
            (largest, of_largest) = (ratio, c2);
        }
    }
    (largest, of_largest)
}

/// A split whose value is about as small as it can be.
pub(super) fn best_split<T: AsRef<RowSplit> + Sync>(rows: &[T], spread: f64) -> Split {
    let (largest, of_largest) = largest_ratio(rows);
    let [mut best, none] = Split::at(rows, [largest, 0.0]);
    // A smaller kappa² leaves at least what the row of the largest ratio then needs: where that soon costs as much as kappa² itself,
    // there is nothing to be gained.
    let dear = of_largest * spread;
    if best.beta == 0.0 && dear > LITTLE_TO_GAIN * (0.25 * largest + dear) {
        return best;
    }
    if none.value(spread) < best.value(spread) {
        best = none;
    }
    if largest == 0.0 {
        return best;
    }
    // The value has one minimum in kappa²; where the grid is too coarse to see it, what is found holds all the same.
    let (mut low, mut high) = ((1e-12 * largest).ln(), largest.ln());
    for _ in 0..KAPPA_ROUNDS {
        let step = (high - low) / (GRID - 1) as f64;
        let kappas = std::array::from_fn::<_, GRID, _>(|k| (low + k as f64 * step).exp());
        let splits = Split::at(rows, kappas);
        let least = (0..GRID).min_by(|&a, &b| splits[a].value(spread).total_cmp(&splits[b].value(spread))).unwrap_or(0);
        if splits[least].value(spread) < best.value(spread) {
            best = splits[least];
        }
        let middle = low + least as f64 * step;
        (low, high) = (middle - step, middle + step);
    }
    best
}

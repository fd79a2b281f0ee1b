//! A proved bound on the error of a hypergradient of a generalised linear problem, from one product with its Hessian.
//!
//! Of f(z*(x), x) the gradient is grad_x f - L_xz v with L_zz v = grad_z f, all at z*. With H = L_zz, K = L_xz and c = grad_z f at z, stars for them at z*,
//! and any v with H v = c + r:
//!
//! ```text
//! K v - K* v* = (K - K*) v + K* H*^-1 ((H* - H) v + r + c - c*)
//! ```
//!
//! H* - H = D^T diag(delta) D and the penalty's, where delta_i, the change of w phi_uu from u_i to u*_i, is at most T_i |d_i| with T_i what
//! [`Third`](crate::problem::loss::Third) knows within h_i, the largest that |d_i| can be; d = D (z - z*), S, h and E are those of the bound on g1. Of numbers (T_i |p_i| |d_i|)², p = D v, the sum is largest under |d_i| <= h_i
//! and sum S_i d_i² <= E²/4 where the rows that give most for their S_i have all they can: a fractional knapsack.
//!
//! For q = diag(delta) p, and y = H*^-1 D^T q: a² = sum S*_i (D y)_i² and b = ‖Q*^(1/2) y‖ satisfy a² + b² = q^T D y <= g a with g = ‖S*^(-1/2) q‖, so
//! that a <= g and b <= g/2. With C² <= kappa² S* + beta row by row and N >= ‖D mu^(-1/2)‖², ‖C D y‖² <= kappa² a² + beta N b² is at most
//!
//! ```text
//! kappa² g²   where beta N <= 2 kappa²,        (beta N)² g² / (4 (beta N - kappa²))   elsewhere
//! ```
//!
//! What remains on the right of H*^-1 is a vector w, and ‖C D H*^-1 w‖ is bounded as g1's error is, with ‖mu^(-1/2) w‖ in the place of E.
//!
//! Source: the implicit function theorem; the bounds are this project's.

use super::bound::{BLOCK, RowError, RowSplit, Setting, Split, best_split, norm_of, norm_of_gradient, square, times};
use super::{Glm, Penalty, RowLoss, Wrt};
use crate::certificate::{AnalyticBound, Changes, Effort, OuterChanges, Theorem, Unproved};
use crate::ctx::Ctx;
use crate::design::{Block, Pass, UNDERFLOW, gamma};
use crate::problem::loss::Between;
use crate::problem::{Objective, Point, Problem};
use crate::rowwise;
use crate::vector::norm;

/// What a row, or a coordinate, adds to a norm: `slope` times what it moved by, no more than `cap`. It moves by `reach` at the most, and each unit costs
/// `cost`; costs add up as squares.
#[derive(Clone, Copy, Debug)]
struct Offer {
    slope: f64,
    cap: f64,
    cost: f64,
    reach: f64,
}

/// The largest norm that can be had for `budget`; infinite where that is not known.
fn most_of(offers: impl Iterator<Item = Offer>, budget: f64) -> f64 {
    // What each gives, and for what, if it alone has the budget.
    let mut gains: Vec<(f64, f64)> = offers
        .filter(|offer| offer.cap > 0.0 && offer.slope > 0.0 && offer.reach > 0.0)
        .map(|Offer { slope, cap, cost, reach }| {
            // A kink gives all at once.
            let enough = cap / slope;
            let reach = if cost > 0.0 { reach.min(budget / cost) } else { reach };
            let moved = if enough < reach { enough } else { reach };
            (if slope < f64::INFINITY { (slope * moved).min(cap) } else { cap }, moved * cost / budget)
        })
        .collect();
    let largest = gains.iter().fold(0.0_f64, |most, (gain, _)| most.max(*gain));
    if largest == 0.0 || largest == f64::INFINITY {
        return largest;
    }
    // Squares in units of the largest gain and of the budget: what vanishes is nothing beside them.
    gains.iter_mut().for_each(|(gain, price)| (*gain, *price) = ((*gain / largest).powi(2), price.powi(2)));
    gains.sort_by(|a, b| (b.0 / b.1).total_cmp(&(a.0 / a.1)));
    let (mut sum, mut left) = (0.0, 1.0);
    for (gain, price) in gains {
        // What costs nothing, or what is not known.
        if price == 0.0 || price.is_nan() {
            sum += gain;
        } else if price >= left {
            sum += gain * (left / price);
            break;
        } else {
            (sum, left) = (sum + gain, left - price);
        }
    }
    largest * sum.sqrt() * (1.0 + 1e-12)
}

/// What is known of a row between z and z*; p are the predictions of v.
#[derive(Clone, Copy, Debug)]
struct RowBend {
    /// At z*.
    split: RowSplit,
    /// At least every w phi_uu.
    most: f64,
    /// At most w phi_uu at z*.
    least: f64,
    /// At most the secant S between z and z*.
    secant: f64,
    /// h.
    reach: f64,
    /// w T ‖p‖, and the largest that the change of w phi_uu p can be.
    curvature: [f64; 2],
    /// The same of the row of L_xz v.
    cross: [f64; 2],
    /// ‖w phi_uu p‖, and what rounding can have done to it.
    size: f64,
    error: f64,
    /// What the rounding of u can add to the change of w phi_uu p.
    moved: f64,
    /// What rounding can have done to the row of L_xz v.
    own: f64,
    localised: bool,
    /// Whether the loss said all this.
    is_known: bool,
}

impl AsRef<RowSplit> for RowBend {
    fn as_ref(&self) -> &RowSplit {
        &self.split
    }
}

impl RowBend {
    /// Of a row of no weight.
    const NONE: Self = Self {
        split: RowSplit { c2: 0.0, s: 0.0 },
        most: 0.0,
        least: 0.0,
        secant: 0.0,
        reach: 0.0,
        curvature: [0.0; 2],
        cross: [0.0; 2],
        size: 0.0,
        error: 0.0,
        moved: 0.0,
        own: 0.0,
        localised: true,
        is_known: true,
    };

    /// What it offers to a norm in units of `share`.
    fn offer(self, [slope, cap]: [f64; 2], share: f64) -> Offer {
        let of = |number: f64| if number == 0.0 { 0.0 } else { number / share };
        Offer { slope: of(slope), cap: of(cap), cost: self.secant.sqrt(), reach: self.reach }
    }
}

/// A norm of one number a row.
fn norm_of_rows(rows: &[RowBend], of: impl Fn(&RowBend) -> f64 + Clone) -> f64 {
    norm_of(rows.iter().map(of))
}

/// z and its adjoint, and what is known there.
struct Adjoint<'a> {
    setting: &'a Setting<'a>,
    v: &'a [f64],
    /// E, at least, and the bound on ‖z - z*‖ that follows.
    energy: f64,
    radius: f64,
    rows: Vec<RowBend>,
    errors: Vec<f64>,
    /// ‖diag(delta) p‖ at the most.
    q: f64,
}

/// How K* H*^-1 answers, and what K does by itself.
struct Answer {
    /// Of a right-hand side w with ‖mu^(-1/2) w‖ = 1.
    plain: f64,
    /// Of one D^T q with ‖S*^(-1/2) q‖ = 1.
    along: f64,
    /// ‖(K - K*) v‖ at the most.
    direct: f64,
    /// What rounding can have done to K v.
    own: f64,
    /// Whether a smaller norm of D would make it smaller.
    uses_norm: bool,
}

impl<L: RowLoss, R: Penalty> Glm<L, R> {
    pub(super) fn error_of_adjoint(
        &self,
        at: Point<'_>,
        [v, rhs]: [&[f64]; 2],
        cross: &mut [f64],
        outer: OuterChanges<'_>,
        ctx: &mut Ctx,
    ) -> Result<AnalyticBound, Unproved> {
        self.check_convexity(at.x)?;
        let bound = self.with_gradient(at, ctx, |at, ctx| self.error_at(at, [v, rhs], cross, outer, ctx))?;
        if bound.total().is_finite() { Ok(bound) } else { Err(Unproved::Overflow) }
    }

    fn error_at(
        &self,
        at: Point<'_>,
        [v, rhs]: [&[f64]; 2],
        cross: &mut [f64],
        outer: OuterChanges<'_>,
        ctx: &mut Ctx,
    ) -> Result<AnalyticBound, Unproved> {
        let constants = self.constants(at.x, ctx);
        let (n, m, width) = (self.design.rows(), self.latent_len(), self.loss.width());
        let is_sharp = constants.norm.get().is_some();
        let setting = self.setting(at, &constants, ctx);
        let (metric, spread) = (&setting.metric, setting.spread);
        let mut errors = vec![0.0; RowError::LEN * n];
        let energy = self.energy(&setting, Effort::Norms, &mut errors, ctx)?;
        let radius = energy / metric.least.sqrt();
        let Some(changes) = outer(radius, ctx) else { return Err(Unproved::Outer) };

        let (mut p, mut image) = (ctx.take(n * width), ctx.take(m));
        self.product(at, v, &mut p, &mut image, ctx);
        self.cross_of(at, v, &p, cross, ctx);
        let row = self.row(at.x);
        let of_dots = gamma(constants.roundings.0 + 2)
            * (self.in_metric(at, |j, root| v[j] * root) + (m as f64).sqrt() * UNDERFLOW);
        let lost = self.lost_in_predictions(constants.roundings.0);
        let mut rows = vec![RowBend::NONE; n];
        rowwise::for_each_block(1, BLOCK, &mut rows, |first, out| {
            let block = self.localise(&setting, &errors, first, out.len(), energy);
            for (k, out) in out.iter_mut().enumerate() {
                let i = first + k;
                let of_row = (row.of(at.memo, i), row.y(i), row.weight(i));
                let within = (block.h[k], errors[i * RowError::LEN + RowError::MOVED], block.between(k));
                let of_size = of_dots * setting.q(i).sqrt() + lost;
                let bend = self.bend_of_row(of_row, within, [norm(row.of(&p, i)), of_size]);
                *out = bend.unwrap_or(RowBend { is_known: false, ..RowBend::NONE });
            }
        });
        let residual = self.in_metric(at, |j, root| (image[j] - rhs[j]) / root);
        let size = self.in_metric(at, |j, root| (image[j].abs() + rhs[j].abs()) / root);
        ctx.give(image);
        ctx.give(p);
        if let Some(row) = rows.iter().position(|row| !row.is_known) {
            return Err(Unproved::Loss { row });
        }

        // sum S d² is at most a quarter of E².
        let budget = 0.5 * energy;
        let q = most_of(rows.iter().map(|row| row.offer(row.curvature, 1.0)), budget);
        let scaled = most_of(rows.iter().map(|row| row.offer(row.curvature, row.least.sqrt())), budget);
        let known = Adjoint { setting: &setting, v, energy, radius, rows, errors, q };
        let answer = self.answer(&known, ctx);

        let of_rows = norm_of_rows(&known.rows, |row| row.error);
        let rounded = spread.sqrt()
            * (of_rows + gamma(constants.roundings.1 + 2) * (norm_of_rows(&known.rows, |row| row.size) + of_rows))
            + 8.0 * f64::EPSILON * (size + self.penalty.curvature().1 * self.in_metric(at, |j, root| v[j] * root))
            + gamma(m + 8) * residual
            + setting.lost(constants.roundings.1 + 8)
            + spread.sqrt() * norm_of_rows(&known.rows, |row| row.moved);
        let by = |factor: f64, number: f64| if number == 0.0 { 0.0 } else { factor * number };
        let (across, along) = (by(answer.plain, spread.sqrt() * q), by(answer.along, scaled));
        let right = self.change_of_penalty(&known) + residual + changes.grad_z / metric.least.sqrt();
        let total = answer.direct + across.min(along) + by(answer.plain, right) + changes.grad_x;
        let share = if energy > 0.0 { (metric.gradient / energy).min(1.0) } else { 1.0 };
        let vanished = (self.parameter_len() as f64).sqrt() * self.vanished();
        Ok(AnalyticBound {
            iterate: total * share,
            rounding: total * (1.0 - share) + by(answer.plain, rounded) + answer.own + vanished,
            localised: known.rows.iter().all(|row| row.localised),
            theorem: Theorem::Adjoint,
            is_loose: !is_sharp && !self.constants_depend_on_x() && (answer.uses_norm || across < along),
        })
    }

    /// `p = D v`, and `image = L_zz v`, by one pass.
    fn product(&self, at: Point<'_>, v: &[f64], p: &mut [f64], image: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        let (row, width) = (self.row(at.x), self.loss.width());
        let link = |block: Block<'_>| {
            block.row_output.copy_from_slice(block.dots[0]);
            let rows = [at.memo, row.targets].map(|vector| row.of_rows(vector, block.first, block.rows));
            let weights = row.weights_of(block.first, block.rows);
            row.loss.grad_tangents_of_rows([rows[0], rows[1], block.dots[0]], weights, block.weights, (0.0, &mut []));
        };
        self.matrix(at.x).pass(Pass { width, inputs: &[v], row_output: p, out: image, ..Pass::default() }, &link, ctx);
        self.regularisation(at.x).add_second(at.z, v, image);
    }

    /// `out = L_xz v`: without a pass by `p = D v`, unless x are the entries of D.
    fn cross_of(&self, at: Point<'_>, v: &[f64], p: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let row = self.row(at.x);
        out.fill(0.0);
        match self.wrt {
            Wrt::Targets => rowwise::for_each(self.loss.width(), out, |i, out| {
                row.loss.grad_y_tangent(row.of(at.memo, i), row.y(i), row.of(p, i), row.weight(i), out);
            }),
            Wrt::Weights => rowwise::for_each(1, out, |i, out| {
                out[0] = row.loss.value_tangent(row.of(at.memo, i), row.y(i), row.of(p, i));
            }),
            Wrt::Regularisation | Wrt::Design => self.cross(at, v, 1.0, out, ctx),
        }
    }

    /// The norm of a vector of R^m whose entries follow from j and mu_j^(1/2).
    fn in_metric(&self, at: Point<'_>, of: impl Fn(usize, f64) -> f64) -> f64 {
        let (mut numbers, convexity) = (vec![0.0; self.latent_len()], self.penalty.curvature().0);
        self.regularisation(at.x)
            .each(self.latent_len(), |lambda, _, j| numbers[j] = of(j, (lambda * convexity).sqrt()));
        norm(&numbers)
    }

    /// A row between z and z*; `size` is ‖p‖, with what rounding can have done to it. `None` where the loss does not say.
    fn bend_of_row(
        &self,
        (u, y, weight): (&[f64], &[f64], f64),
        (h, moved, here): (f64, f64, Between),
        [size, of_size]: [f64; 2],
    ) -> Option<RowBend> {
        let far = h + moved;
        let third = self.loss.third(u, y, far)?;
        if weight == 0.0 && self.wrt != Wrt::Weights {
            return Some(RowBend::NONE);
        }
        // What is not known is taken for the worst.
        let worst = |number: f64| if number.is_nan() { f64::INFINITY } else { number };
        let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { worst(times(a, b)) };
        let (bend, cross_bend) = (worst(third.curvature), worst(third.cross));
        let (curvature, now) = (worst(here.curvature), self.between(u, y, 0.0).secant);
        let change = product(bend, far).min(curvature);
        let least = if u.len() == 1 { (now - change).max(0.0) } else { 0.0 };
        let steepest = if self.wrt == Wrt::Weights { self.steepest(u, y, far, curvature) } else { 0.0 };
        let (c2, s, cross, own) = match self.wrt {
            Wrt::Weights => {
                let own = product(product(curvature, moved) + self.evaluation() * steepest + self.vanished(), size)
                    + product(steepest, of_size);
                (square(steepest), weight * least, [product(curvature, size), f64::INFINITY], own)
            }
            Wrt::Targets => {
                let most = worst(here.cross);
                let own = product(weight * most, of_size + self.evaluation() * size)
                    + product(weight * self.vanished(), size)
                    // Where there is a kink, all that it can change is in the change.
                    + if cross_bend.is_finite() { product(product(weight, cross_bend), moved * size) } else { 0.0 };
                let (c2, s) = if self.loss.is_of_difference() {
                    (square(weight * curvature), weight * curvature)
                } else {
                    (square(weight * most), weight * least)
                };
                let change = [product(weight * cross_bend, size), product(weight * 2.0 * most, size)];
                (c2, s, change, own)
            }
            Wrt::Regularisation | Wrt::Design => (0.0, 0.0, [0.0; 2], 0.0),
        };
        let (most, e) = (product(weight, curvature), std::f64::consts::E);
        Some(RowBend {
            split: RowSplit { c2: worst(c2), s },
            most,
            least: weight * least,
            secant: weight * here.secant.max(0.0),
            reach: h,
            curvature: [product(weight * bend, size), product(weight * curvature, size)],
            cross,
            size: product(most, size),
            error: product(most, of_size + self.evaluation() * size)
                + product(weight * self.vanished(), size)
                + UNDERFLOW,
            moved: product(product(weight, change.min(product(bend, moved))), size),
            own: worst(own),
            localised: here.secant * e >= here.curvature || here.secant * e >= now,
            is_known: true,
        })
    }

    /// ‖mu^(-1/2) lambda (r''(z*) - r''(z)) v‖ at the most.
    fn change_of_penalty(&self, known: &Adjoint<'_>) -> f64 {
        let ((low, high), third) = (self.penalty.curvature(), self.penalty.third());
        if low == high {
            return 0.0;
        }
        let mut offers = Vec::with_capacity(known.v.len());
        self.regularisation(known.setting.at.x).each(known.v.len(), |lambda, _, j| {
            let (root, size) = ((lambda * low).sqrt(), known.v[j].abs());
            let of = |change: f64| if size == 0.0 { 0.0 } else { lambda * change * size / root };
            offers.push(Offer { slope: of(third), cap: of(high - low), cost: root, reach: known.energy / root });
        });
        most_of(offers.into_iter(), known.energy)
    }

    fn answer(&self, known: &Adjoint<'_>, ctx: &mut Ctx) -> Answer {
        match self.wrt {
            Wrt::Targets | Wrt::Weights => self.answer_by_rows(known),
            Wrt::Regularisation => self.answer_by_penalty(known),
            Wrt::Design => self.answer_by_design(known, ctx),
        }
    }

    fn answer_by_rows(&self, known: &Adjoint<'_>) -> Answer {
        let (rows, spread) = (&known.rows, known.setting.spread);
        let (split, largest) = (best_split(rows, spread), Split::of_largest(rows));
        Answer {
            plain: split.value(spread).sqrt(),
            along: split.value_along(spread).min(largest.value_along(spread)).sqrt(),
            direct: most_of(rows.iter().map(|row| row.offer(row.cross, 1.0)), 0.5 * known.energy),
            own: norm_of_rows(rows, |row| row.own),
            uses_norm: split.beta > 0.0,
        }
    }

    fn answer_by_penalty(&self, known: &Adjoint<'_>) -> Answer {
        let Adjoint { setting: &Setting { at, .. }, v, energy, .. } = *known;
        let ((low, high), regularisation) = (self.penalty.curvature(), self.regularisation(at.x));
        let [mut slopes, mut adjoints] = [(); 2].map(|()| vec![0.0; regularisation.lambdas.len()]);
        let mut all = Vec::with_capacity(v.len());
        regularisation.each(v.len(), |lambda, group, j| {
            let slope = self.penalty.first(at.z[j]).abs();
            slopes[group] += square(lambda.sqrt() * slope);
            adjoints[group] += square(lambda.sqrt() * v[j].abs());
            all.push(lambda * slope);
        });
        let most = |groups: &[f64]| groups.iter().fold(0.0_f64, |most, group| most.max(*group)).sqrt();
        let plain = most(&slopes) / low.sqrt() + (high / low) * energy;
        Answer {
            plain,
            along: 0.5 * plain,
            direct: high / low.sqrt() * most(&adjoints) * energy,
            own: (self.evaluation() + gamma(v.len() + 8)) * norm(&all) * norm(v)
                + v.len() as f64 * self.vanished() * (1.0 + regularisation.largest_lambda()) * (1.0 + norm(v)),
            uses_norm: false,
        }
    }

    fn answer_by_design(&self, known: &Adjoint<'_>, ctx: &mut Ctx) -> Answer {
        let Adjoint { setting: Setting { at, metric, .. }, v, energy, radius, rows, errors, q } = known;
        let width = self.loss.width();
        let of_columns = |vector: &[f64]| -> Vec<f64> {
            vector.chunks_exact(width).map(|part| part.iter().map(|number| square(number.abs())).sum()).collect()
        };
        let first: Vec<RowError> = errors.chunks_exact(RowError::LEN).map(RowError::read).collect();
        let of_first: Vec<f64> = first.iter().map(|row| square(row.size)).collect();
        let of_second: Vec<f64> = rows.iter().map(|row| square(row.size)).collect();
        let sums = |columns: &[f64], rows: &[f64], ctx: &mut Ctx| {
            let (across, down) = self.matrix(at.x).largest_sums(columns, rows, ctx);
            (across.sqrt(), down.sqrt())
        };
        let (z, a) = sums(&of_columns(at.z), &of_first, ctx);
        let (v, second) = sums(&of_columns(v), &of_second, ctx);
        // ‖a - a*‖ is at most (max S)^(1/2) E / 2, a = w phi_u.
        let most = rows.iter().fold(0.0_f64, |most, row| most.max(row.most)).sqrt();
        let change = 0.5 * most * energy;
        let (a, z_near) = (a + change, z + radius);
        let rounding = gamma(2 * width + 2) + self.evaluation();
        Answer {
            plain: a / metric.least.sqrt() + 0.5 * most * z_near,
            along: 0.5 * a / metric.least.sqrt() + most * z_near,
            direct: change * v + second * radius + q * z_near,
            own: norm_of_rows(rows, |row| row.error + rounding * row.size) * z
                + norm_of_rows(rows, |row| row.moved) * z_near
                + norm_of(first.iter().map(|row| row.error + rounding * row.size)) * v,
            uses_norm: false,
        }
    }

    /// How grad_z and grad_x can change within `radius`, and what rounding can have done to them; no better than by ‖D‖_F.
    pub(super) fn changes(&self, at: Point<'_>, radius: f64, ctx: &mut Ctx) -> Option<Changes> {
        /// Numbers of a row: its curvature, that times ‖d_i‖, ‖a_i‖ and its error, the change of its part of grad_x, and what rounding does to that.
        const LEN: usize = 6;
        let (n, row) = (self.design.rows(), self.row(at.x));
        if row.weights.iter().any(|weight| weight.is_nan() || *weight < 0.0) {
            return None;
        }
        let (matrix, evaluation) = (self.matrix(at.x), self.evaluation());
        let mut squares = self.design.row_squares().to_vec();
        if self.wrt == Wrt::Design {
            matrix.row_squares(&[], &mut squares, ctx);
        }
        let (of_dots, of_sums) = matrix.roundings();
        let lost = self.lost_in_predictions(of_dots);
        let vanished = (of_sums + 8) as f64 * UNDERFLOW;
        let (of_dots, of_sums) = (gamma(of_dots + 2) * norm(at.z), gamma(of_sums + 2));
        let mut rows = vec![0.0; LEN * n];
        let of_gradient = self.with_predictions(at, ctx, |memo, ctx| {
            rowwise::for_each(LEN, &mut rows, |i, out| {
                let (u, y, weight, q) = (row.of(memo, i), row.y(i), row.weight(i), squares[i].sqrt());
                let moved = self.moved(u, y, of_dots * q + lost);
                let far = q * radius + moved;
                let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { times(a, b) };
                let Some(between) = self.loss.between(u, y, far) else { return out.fill(f64::NAN) };
                let curvature = product(weight, between.curvature);
                let (size, steepest) = (product(weight, self.slope(u, y)), self.steepest(u, y, far, between.curvature));
                let error = product(curvature, moved) + evaluation * size + weight * self.vanished() + UNDERFLOW;
                let (by_x, own) = match self.wrt {
                    Wrt::Targets => {
                        let cross = product(weight, between.cross);
                        (cross, product(cross, moved) + weight * self.vanished())
                    }
                    Wrt::Weights => (steepest, product(steepest, moved) + self.error_of_value(u, y, steepest)),
                    Wrt::Regularisation | Wrt::Design => (0.0, 0.0),
                };
                out.copy_from_slice(&[curvature, product(curvature, q), size, error, product(by_x, q * radius), own]);
            });
            norm_of_gradient(self, Point { memo, ..at }, ctx)
        });
        let column = |offset: usize| rows.iter().skip(offset).step_by(LEN).copied();
        if column(0).any(f64::is_nan) {
            return None;
        }
        // ‖D^T diag(S) D‖ is at most its trace.
        let trace: f64 = column(0).zip(&squares).map(|(s, square)| if s == 0.0 { 0.0 } else { s * square }).sum();
        let [sizes, errors] = [2, 3].map(|offset| norm_of(column(offset)));
        let frobenius = squares.iter().sum::<f64>().sqrt() * (1.0 + gamma(n + 8));
        let (regularisation, m) = (self.regularisation(at.x), self.latent_len());
        let most = regularisation.largest_lambda() * self.penalty.curvature().1;
        let mut slopes = vec![0.0; m];
        regularisation.each(m, |lambda, _, j| slopes[j] = lambda * self.penalty.first(at.z[j]));
        let slopes = norm(&slopes);
        let grad_z = (trace * (1.0 + gamma(n + 8)) + most) * radius
            + frobenius * (errors + of_sums * (sizes + errors))
            + 8.0 * f64::EPSILON * (slopes + frobenius * sizes)
            + (m as f64).sqrt() * vanished;
        let rounding = (evaluation + gamma(m + 8)) * of_gradient
            + (m as f64 + self.parameter_len() as f64).sqrt() * self.vanished() * (1.0 + m as f64 * most);
        let grad_x = match self.wrt {
            Wrt::Targets | Wrt::Weights => norm_of(column(4)) + norm_of(column(5)) + rounding,
            // lambda_g |r(z) - r(z')| adds up to at most ‖lambda r'‖ and what it grows by, times the distance.
            Wrt::Regularisation => (slopes + most * radius) * radius + rounding,
            Wrt::Design => {
                let change = norm_of(column(1)) * radius;
                let (z, a) = (norm(at.z), sizes);
                change * (z + radius) + (a + errors) * radius + errors * z + rounding
            }
        };
        // What overflows is no lack of knowledge: no distance then bounds anything.
        let worst = |number: f64| if number.is_nan() { f64::INFINITY } else { number };
        Some(Changes { grad_z: worst(grad_z), grad_x: worst(grad_x) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_goes_to_those_who_give_most() {
        let offer = |slope, cap, cost, reach| Offer { slope, cap, cost, reach };
        let root = f64::sqrt;
        for scale in [1e-160, 1.0, 1e160] {
            let all = || {
                let all = [(4.0, 100.0, 1.0, 2.0), (3.0, 1.5, 1.0, 5.0), (9.0, 100.0, 9.0, 1.0)];
                all.into_iter().map(|(slope, cap, cost, reach)| {
                    offer(scale * root(slope), scale * root(cap), root(cost), root(reach))
                })
            };
            // Squared: 8 for 2, then 1.5 for 1/2, then 1 for each unit.
            for (budget, most) in [(1.0, 4.0), (2.25, 8.75), (2.5, 9.5), (4.5, 11.5), (1e9, 18.5)] {
                let found = most_of(all(), root(budget));
                assert!((found / scale / root(most) - 1.0).abs() < 1e-11, "{budget}: {found}");
            }
            assert_eq!(most_of(all(), 0.0), 0.0);
        }
        let free = [offer(2.0, 3.0, 0.0, 5.0), offer(f64::INFINITY, 4.0, 1.0, 1.0), offer(1.0, 7.0, 1.0, 0.0)];
        assert!((most_of(free.into_iter(), 1.0) - 5.0).abs() < 1e-10);
        assert_eq!(most_of([offer(1.0, f64::INFINITY, 0.0, f64::INFINITY)].into_iter(), 1.0), f64::INFINITY);
        // A budget that is far too small for any.
        let dear = most_of([offer(1.0, 1.0, 1e200, 1.0)].into_iter(), 1e-20);
        assert!((dear / 1e-220 - 1.0).abs() < 1e-11, "{dear:e}");
    }
}

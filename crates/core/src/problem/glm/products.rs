//! The products of a generalised linear problem: each one pass with a link, whatever the loss.

use super::super::loss::Recession;
use super::super::{AssembleHessian, GramHessian, Objective, Point, Problem, Work};
use super::{Glm, Penalty, RowLoss, Wrt};
use crate::certificate::{AnalyticBound, Changes, Effort, OuterChanges, Unproved};
use crate::ctx::Ctx;
use crate::design::{Block, EntryOutput, Matrix, Pass, blocks_len};
use crate::rowwise;
use crate::vector::axpy;

/// An output in the space of x, `out += scale * ...`; nothing where `out` is empty.
struct Scaled<'a> {
    scale: f64,
    out: &'a mut [f64],
}

impl Scaled<'_> {
    fn nothing() -> Self {
        Self { scale: 0.0, out: &mut [] }
    }
}

/// What the loss sees of each row, at one (z, x).
pub(in crate::problem) struct Row<'a, L> {
    pub(in crate::problem) loss: &'a L,
    pub(in crate::problem) targets: &'a [f64],
    /// Empty for ones.
    pub(super) weights: &'a [f64],
}

impl<L: RowLoss> Row<'_, L> {
    /// The width of the loss. Links ask for it themselves instead of capturing it, so that it is a constant to them.
    #[inline]
    fn width(&self) -> usize {
        self.loss.width()
    }

    #[inline]
    pub(super) fn of<'b>(&self, vector: &'b [f64], row: usize) -> &'b [f64] {
        &vector[row * self.width()..][..self.width()]
    }

    #[inline]
    pub(super) fn y(&self, row: usize) -> &[f64] {
        self.of(self.targets, row)
    }

    /// Of `rows` rows from `first` on.
    #[inline]
    pub(super) fn of_rows<'b>(&self, vector: &'b [f64], first: usize, rows: usize) -> &'b [f64] {
        &vector[first * self.width()..][..rows * self.width()]
    }

    /// The weights of `rows` rows from `first` on, empty for ones.
    #[inline]
    pub(super) fn weights_of(&self, first: usize, rows: usize) -> &[f64] {
        if self.weights.is_empty() { &[] } else { &self.weights[first..][..rows] }
    }

    #[inline]
    pub(in crate::problem) fn weight(&self, row: usize) -> f64 {
        self.weights.get(row).copied().unwrap_or(1.0)
    }
}

impl<L: RowLoss, R: Penalty> Glm<L, R> {
    pub(in crate::problem) fn row<'a>(&'a self, x: &'a [f64]) -> Row<'a, L> {
        Row { loss: &self.loss, targets: self.targets(x), weights: self.weights(x) }
    }

    /// Calls `read` with u = D z: the memo where there is one, else a scratch buffer filled by a pass.
    pub(super) fn with_predictions<T>(
        &self,
        at: Point<'_>,
        ctx: &mut Ctx,
        read: impl FnOnce(&[f64], &mut Ctx) -> T,
    ) -> T {
        if at.memo.is_empty() {
            let mut u = ctx.take(self.memo_len());
            self.matrix(at.x).apply_wide(self.loss.width(), at.z, &mut u, ctx);
            let result = read(&u, ctx);
            ctx.give(u);
            result
        } else {
            read(at.memo, ctx)
        }
    }

    /// One pass, with v and w 0 where they are not given: `z_out = L_zz v + L_zx w` and `x_out += scale L_xz v`; either output
    /// may be empty. What it does not do is `L_zx w` for the entries of D, and `L_xz v` for log lambda, which needs no pass.
    fn second_order(
        &self,
        at: Point<'_>,
        v: Option<&[f64]>,
        w: Option<&[f64]>,
        z_out: &mut [f64],
        x_out: Scaled<'_>,
        ctx: &mut Ctx,
    ) {
        let Scaled { scale, out: x_out } = x_out;
        let (wrt, row, width) = (self.wrt, self.row(at.x), self.loss.width());
        let recompute = at.memo.is_empty();
        let inputs: &[&[f64]] = match (v, recompute) {
            (Some(v), true) => &[v, at.z],
            (Some(v), false) => &[v],
            (None, true) => &[at.z],
            (None, false) => &[],
        };
        let u_input = usize::from(v.is_some());
        let zeros = ctx.take_zeroed(width);
        let link = |block: Block<'_>| {
            let ([a, b], width) = (block.entry_weights, row.width());
            if v.is_some() && w.is_none() && a.is_empty() && (wrt == Wrt::Targets || block.row_output.is_empty()) {
                let of_rows = |vector| row.of_rows(vector, block.first, block.rows);
                let u = if recompute { block.dots[u_input] } else { of_rows(at.memo) };
                let weights = row.weights_of(block.first, block.rows);
                let rows = [u, of_rows(row.targets), block.dots[0]];
                row.loss.grad_tangents_of_rows(rows, weights, block.weights, (scale, block.row_output));
                return;
            }
            for k in 0..block.rows {
                let (i, part) = (block.first + k, k * width..(k + 1) * width);
                let u = if recompute { &block.dots[u_input][part.clone()] } else { row.of(at.memo, i) };
                let du = if v.is_some() { &block.dots[0][part.clone()] } else { &zeros };
                let (y, weight) = (row.y(i), row.weight(i));
                let out = &mut block.weights[part.clone()];
                let dy = w.filter(|_| wrt == Wrt::Targets).map_or(&[][..], |w| row.of(w, i));
                row.loss.grad_u_tangent(u, y, du, dy, weight, out);
                if let Some(w) = w.filter(|_| wrt == Wrt::Weights) {
                    row.loss.grad_u(u, y, w[i], out);
                }
                if !a.is_empty() {
                    a[part.clone()].iter_mut().zip(&*out).for_each(|(a, out)| *a = scale * out);
                    b[part.clone()].fill(0.0);
                    row.loss.grad_u(u, y, scale * weight, &mut b[part.clone()]);
                } else if !block.row_output.is_empty() {
                    block.row_output[k] += scale * row.loss.value_tangent(u, y, du);
                }
            }
        };
        let mut pass = Pass { width, inputs, out: z_out, ..Pass::default() };
        match (wrt, v) {
            _ if x_out.is_empty() => {}
            (Wrt::Targets | Wrt::Weights, _) => pass.row_output = x_out,
            (Wrt::Design, Some(v)) => pass.entry_output = Some(EntryOutput { out: x_out, factors: [at.z, v] }),
            _ => {}
        }
        self.matrix(at.x).pass(pass, &link, ctx);
        ctx.give(zeros);
    }

    /// `out = D^T (w phi_uu (D v + W z)) + W^T (w phi_u)`, W the entries `w`.
    fn design_tangent(&self, at: Point<'_>, v: Option<&[f64]>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        let (row, width) = (self.row(at.x), self.loss.width());
        let (matrix, moved) = (self.matrix(at.x), self.design.with_values(w));
        self.with_predictions(at, ctx, |u, ctx| {
            let mut du = ctx.take(u.len());
            moved.apply_wide(width, at.z, &mut du, ctx);
            if let Some(v) = v {
                let mut dv = ctx.take(u.len());
                matrix.apply_wide(width, v, &mut dv, ctx);
                axpy(1.0, &dv, &mut du);
                ctx.give(dv);
            }
            let mut weights = ctx.take(u.len());
            rowwise::for_each(width, &mut weights, |i, out| {
                row.loss.grad_u_tangent(row.of(u, i), row.y(i), row.of(&du, i), &[], row.weight(i), out);
            });
            matrix.apply_transpose_wide(width, &weights, out, ctx);
            rowwise::for_each(width, &mut weights, |i, out| {
                out.fill(0.0);
                row.loss.grad_u(row.of(u, i), row.y(i), row.weight(i), out);
            });
            let mut part = ctx.take(out.len());
            moved.apply_transpose_wide(width, &weights, &mut part, ctx);
            axpy(1.0, &part, out);
            ctx.give(part);
            ctx.give(weights);
            ctx.give(du);
        });
    }
}

impl<L: RowLoss, R: Penalty> Objective for Glm<L, R> {
    fn dims(&self) -> (usize, usize) {
        let width = self.loss.width();
        let p = match self.wrt {
            Wrt::Targets => self.design.rows() * width,
            Wrt::Weights => self.design.rows(),
            Wrt::Regularisation => self.lambdas.len(),
            Wrt::Design => self.design.entries(),
        };
        (self.design.columns() * width, p)
    }

    fn memo_len(&self) -> usize {
        self.design.rows() * self.loss.width()
    }

    fn value(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        let row = self.row(at.x);
        let term = |u: &[f64], i| row.weight(i) * row.loss.value(row.of(u, i), row.y(i));
        let losses = self.with_predictions(at, ctx, |u, ctx| rowwise::sum(self.design.rows(), |i| term(u, i), ctx));
        losses + self.regularisation(at.x).value(at.z)
    }

    fn grad_z(&self, z: &[f64], x: &[f64], out: &mut [f64], memo: &mut [f64], ctx: &mut Ctx) {
        let (row, width) = (self.row(x), self.loss.width());
        let link = |block: Block<'_>| {
            if !block.row_output.is_empty() {
                block.row_output.copy_from_slice(block.dots[0]);
            }
            let (y, weights) =
                (row.of_rows(row.targets, block.first, block.rows), row.weights_of(block.first, block.rows));
            row.loss.grad_u_of_rows(block.dots[0], y, weights, block.weights);
        };
        let pass = Pass { width, inputs: &[z], row_output: memo, out, ..Pass::default() };
        self.matrix(x).pass(pass, &link, ctx);
        self.regularisation(x).add_first(z, out);
    }

    fn grad_x(&self, at: Point<'_>, scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        let (row, width) = (self.row(at.x), self.loss.width());
        match self.wrt {
            Wrt::Regularisation => self.regularisation(at.x).add_grad_x(at.z, scale, out),
            Wrt::Targets => self.with_predictions(at, ctx, |u, _| {
                rowwise::for_each(width, out, |i, out| {
                    row.loss.grad_y(row.of(u, i), row.y(i), scale * row.weight(i), out);
                });
            }),
            Wrt::Weights => self.with_predictions(at, ctx, |u, _| {
                rowwise::for_each(1, out, |i, out| out[0] += scale * row.loss.value(row.of(u, i), row.y(i)));
            }),
            Wrt::Design => self.with_predictions(at, ctx, |u, ctx| {
                let link = |block: Block<'_>| {
                    let [a, _] = block.entry_weights;
                    a.fill(0.0);
                    for (k, a) in a.chunks_exact_mut(width).enumerate() {
                        let i = block.first + k;
                        row.loss.grad_u(row.of(u, i), row.y(i), scale * row.weight(i), a);
                    }
                };
                let entry_output = Some(EntryOutput { out, factors: [at.z, &[]] });
                self.matrix(at.x).pass(Pass { width, entry_output, ..Pass::default() }, &link, ctx);
            }),
        }
    }

    fn changes_within(&self, at: Point<'_>, radius: f64, ctx: &mut Ctx) -> Option<Changes> {
        self.changes(at, radius, ctx)
    }
}

impl<L: RowLoss, R: Penalty> Problem for Glm<L, R> {
    fn hess(&self, at: Point<'_>, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        self.hess_cross(at, v, out, 0.0, &mut [], ctx);
    }

    fn hess_columns(&self, at: Point<'_>, columns: usize, v: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        if columns == 0 {
            return;
        }
        (0..columns).for_each(|_| ctx.count_second_order_product());
        let (row, width) = (self.row(at.x), self.loss.width());
        self.with_predictions(at, ctx, |u, ctx| {
            let link = |block: Block<'_>| {
                let width = row.width();
                // One column of the tangents of a row, and its image; one prediction a row has no use for them.
                let wide = if width == 1 { 0 } else { width };
                let (mut du, mut image) = (vec![0.0; wide], vec![0.0; wide]);
                for k in 0..block.rows {
                    let (i, part) = (block.first + k, k * width * columns..(k + 1) * width * columns);
                    let (dots, out) = (&block.dots[0][part.clone()], &mut block.weights[part]);
                    if width == 1 {
                        let mut curvature = [0.0];
                        row.loss.grad_u_tangent(row.of(u, i), row.y(i), &[1.0], &[], row.weight(i), &mut curvature);
                        out.iter_mut().zip(dots).for_each(|(out, dot)| *out = curvature[0] * dot);
                        continue;
                    }
                    for c in 0..columns {
                        du.iter_mut().zip(dots.iter().skip(c).step_by(columns)).for_each(|(to, from)| *to = *from);
                        row.loss.grad_u_tangent(row.of(u, i), row.y(i), &du, &[], row.weight(i), &mut image);
                        out.iter_mut().skip(c).step_by(columns).zip(&image).for_each(|(to, from)| *to = *from);
                    }
                }
            };
            let pass = Pass { width: width * columns, inputs: &[v], out, ..Pass::default() };
            self.matrix(at.x).pass(pass, &link, ctx);
        });
        // The penalty's second derivative is diagonal.
        let mut second = ctx.take(self.latent_len());
        self.penalty_curvature(at, &mut second, ctx);
        for ((out, v), q) in out.chunks_exact_mut(columns).zip(v.chunks_exact(columns)).zip(&second) {
            axpy(*q, v, out);
        }
        ctx.give(second);
    }

    fn cross(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        if self.wrt == Wrt::Regularisation {
            self.regularisation(at.x).add_cross(at.z, v, scale, out);
        } else {
            self.second_order(at, Some(v), None, &mut [], Scaled { scale, out }, ctx);
        }
    }

    fn cross_t(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        match self.wrt {
            Wrt::Design => self.design_tangent(at, None, w, out, ctx),
            Wrt::Regularisation => {
                out.fill(0.0);
                self.regularisation(at.x).add_cross_t(at.z, w, out);
            }
            Wrt::Targets | Wrt::Weights => self.second_order(at, None, Some(w), out, Scaled::nothing(), ctx),
        }
    }

    fn hess_cross(
        &self,
        at: Point<'_>,
        v: &[f64],
        hess_out: &mut [f64],
        scale: f64,
        cross_out: &mut [f64],
        ctx: &mut Ctx,
    ) {
        ctx.count_second_order_product();
        let regularisation = self.regularisation(at.x);
        if self.wrt == Wrt::Regularisation {
            self.second_order(at, Some(v), None, hess_out, Scaled::nothing(), ctx);
            if !cross_out.is_empty() {
                regularisation.add_cross(at.z, v, scale, cross_out);
            }
        } else {
            self.second_order(at, Some(v), None, hess_out, Scaled { scale, out: cross_out }, ctx);
        }
        regularisation.add_second(at.z, v, hess_out);
    }

    fn grad_z_tangent(&self, at: Point<'_>, dz: &[f64], dx: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        ctx.count_second_order_product();
        let regularisation = self.regularisation(at.x);
        match self.wrt {
            Wrt::Design => self.design_tangent(at, Some(dz), dx, out, ctx),
            Wrt::Regularisation => {
                self.second_order(at, Some(dz), None, out, Scaled::nothing(), ctx);
                regularisation.add_cross_t(at.z, dx, out);
            }
            Wrt::Targets | Wrt::Weights => self.second_order(at, Some(dz), Some(dx), out, Scaled::nothing(), ctx),
        }
        regularisation.add_second(at.z, dz, out);
    }

    fn memo_replaces_latent(&self) -> bool {
        matches!(self.wrt, Wrt::Targets | Wrt::Weights) && self.regularisation(&[]).is_quadratic()
    }

    fn has_constant_second_derivatives(&self) -> bool {
        // L_xz holds phi_u for weights and for D, which in turn holds z, and r' for log lambda.
        self.wrt == Wrt::Targets && self.loss.is_quadratic() && self.regularisation(&[]).is_quadratic()
    }

    fn smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
        let penalty = self.regularisation(at.x).largest_lambda() * self.penalty.curvature().1;
        Some(self.loss_smoothness(at, ctx)? + penalty)
    }

    fn strong_convexity(&self, x: &[f64]) -> f64 {
        self.regularisation(x).smallest_lambda() * self.penalty.curvature().0
    }

    fn falls_along(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<Vec<f64>> {
        let regularisation = self.regularisation(at.x);
        if regularisation.smallest_lambda() > 0.0 {
            return None;
        }
        let row = self.row(at.x);
        // Along what of z nothing holds back, which z itself may be.
        let is_free = regularisation.largest_lambda() == 0.0;
        let mut free = at.z.to_vec();
        regularisation.each(free.len(), |lambda, _, j| free[j] = if lambda == 0.0 { free[j] } else { 0.0 });
        let along = if is_free { at } else { Point::new(&free, at.x) };
        let falls = self.with_predictions(along, ctx, |u, _| {
            let mut falls = false;
            let rises = (0..self.design.rows()).any(|i| {
                let recession =
                    if row.weight(i) == 0.0 { Recession::Level } else { row.loss.recession(row.of(u, i), row.y(i)) };
                falls |= recession == Recession::Falls;
                recession == Recession::Rises || row.weight(i) < 0.0
            });
            falls && !rises
        });
        falls.then_some(free)
    }

    fn analytic_bound(&self, at: Point<'_>, effort: Effort, ctx: &mut Ctx) -> Result<AnalyticBound, Unproved> {
        self.error_of_g1(at, effort, ctx)
    }

    fn sharpen_bounds(&self, x: &[f64], ctx: &mut Ctx) {
        self.sharpen(x, ctx);
    }

    fn rounding_of_gradient(&self, at: Point<'_>, ctx: &mut Ctx) -> f64 {
        self.rounding_of_g1(at, ctx)
    }

    fn linear_bound(&self, at: Point<'_>, residual: f64, ctx: &mut Ctx) -> Result<f64, Unproved> {
        self.effect_of_residual(at, residual, ctx)
    }

    fn adjoint_bound(
        &self,
        at: Point<'_>,
        v: &[f64],
        rhs: &[f64],
        cross: &mut [f64],
        outer: OuterChanges<'_>,
        ctx: &mut Ctx,
    ) -> Result<AnalyticBound, Unproved> {
        self.error_of_adjoint(at, [v, rhs], cross, outer, ctx)
    }

    fn hessian_rank_bound(&self) -> usize {
        self.hessian_rank_bound
    }
}

impl<L: RowLoss, R: Penalty> Glm<L, R> {
    /// For each pair of predictions a <= b, calls `each(a, b, weights)` with the weights w phi_uu[a][b] of all rows.
    fn each_curvature(&self, at: Point<'_>, ctx: &mut Ctx, mut each: impl FnMut([usize; 2], &[f64], &mut Ctx)) {
        let (row, width, n) = (self.row(at.x), self.loss.width(), self.design.rows());
        self.with_predictions(at, ctx, |u, ctx| {
            let (mut columns, mut unit) = (ctx.take(n * width), ctx.take_zeroed(width));
            let mut curvature = if width > 1 { ctx.take(n) } else { Vec::new() };
            for b in 0..width {
                unit[b] = 1.0;
                rowwise::for_each(width, &mut columns, |i, out| {
                    row.loss.grad_u_tangent(row.of(u, i), row.y(i), &unit, &[], row.weight(i), out);
                });
                unit[b] = 0.0;
                if width == 1 {
                    each([0, 0], &columns, ctx);
                    break;
                }
                for a in 0..=b {
                    curvature.iter_mut().zip(columns.iter().skip(a).step_by(width)).for_each(|(c, v)| *c = *v);
                    each([a, b], &curvature, ctx);
                }
            }
            [curvature, unit, columns].into_iter().for_each(|buffer| ctx.give(buffer));
        });
    }

    /// `out` = the diagonal of the penalty's second derivative.
    fn penalty_curvature(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        let mut ones = ctx.take(out.len());
        ones.fill(1.0);
        out.fill(0.0);
        self.regularisation(at.x).add_second(at.z, &ones, out);
        ctx.give(ones);
    }
}

impl<L: RowLoss, R: Penalty> AssembleHessian for Glm<L, R> {
    fn assemble_hessian(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        let (matrix, width, m) = (self.matrix(at.x), self.loss.width(), self.design.columns());
        let mut gram = if width > 1 { ctx.take(m * m) } else { Vec::new() };
        self.each_curvature(at, ctx, |[a, b], weights, ctx| {
            if width == 1 {
                return matrix.weighted_gram(weights, out, ctx);
            }
            // phi_uu is symmetric: the blocks (a, b) and (b, a) of the Hessian hold the same symmetric matrix.
            matrix.weighted_gram(weights, &mut gram, ctx);
            for j in 0..m {
                for i in j..m {
                    let entry = gram[j * m + i];
                    for (r, c) in [(i * width + a, j * width + b), (i * width + b, j * width + a)] {
                        out[r.min(c) * m * width + r.max(c)] = entry;
                    }
                }
            }
        });
        ctx.give(gram);
        let mut second = ctx.take(m * width);
        self.penalty_curvature(at, &mut second, ctx);
        out.iter_mut().step_by(m * width + 1).zip(&second).for_each(|(out, second)| *out += second);
        ctx.give(second);
    }

    fn unit(&self) -> usize {
        self.loss.width()
    }

    fn assemble_blocks(&self, at: Point<'_>, size: usize, out: &mut [f64], ctx: &mut Ctx) {
        let (matrix, width, m) = (self.matrix(at.x), self.loss.width(), self.design.columns());
        let columns = size / width;
        let mut gram = ctx.take(blocks_len(m, columns));
        self.each_curvature(at, ctx, |[a, b], weights, ctx| {
            matrix.weighted_blocks(weights, columns, &mut gram, ctx);
            for start in (0..m).step_by(columns) {
                let len = columns.min(m - start);
                let (gram, out) = (&gram[start * columns..], &mut out[start * width * size..]);
                for (j, i) in (0..len).flat_map(|j| (j..len).map(move |i| (j, i))) {
                    for (r, c) in [(i * width + a, j * width + b), (i * width + b, j * width + a)] {
                        out[r.min(c) * len * width + r.max(c)] = gram[j * len + i];
                    }
                }
            }
        });
        ctx.give(gram);
        let mut second = ctx.take(m * width);
        self.penalty_curvature(at, &mut second, ctx);
        for (start, second) in (0..m * width).step_by(size).zip(second.chunks(size)) {
            let diagonal = out[start * size..].iter_mut().step_by(second.len() + 1);
            diagonal.zip(second).for_each(|(out, second)| *out += second);
        }
        ctx.give(second);
    }

    fn assemble_diagonal(&self, at: Point<'_>, out: &mut [f64], ctx: &mut Ctx) {
        let (matrix, width) = (self.matrix(at.x), self.loss.width());
        self.penalty_curvature(at, out, ctx);
        let mut squares = ctx.take(self.design.columns());
        self.each_curvature(at, ctx, |[a, b], weights, ctx| {
            if a == b {
                matrix.weighted_blocks(weights, 1, &mut squares, ctx);
                out.iter_mut().skip(a).step_by(width).zip(&squares).for_each(|(out, square)| *out += square);
            }
        });
        ctx.give(squares);
    }

    fn work(&self) -> Work {
        let (matrix, width) = (self.design.matrix(), self.loss.width() as f64);
        Work {
            product: 2.0 * width * matrix.entries() as f64,
            assembly: 0.5 * width * (width + 1.0) * matrix.gram_multiplications(),
        }
    }

    fn as_gram(&self) -> Option<&dyn GramHessian> {
        if self.loss.width() == 1 { Some(self) } else { None }
    }
}

impl<L: RowLoss, R: Penalty> GramHessian for Glm<L, R> {
    fn matrix<'a>(&'a self, x: &'a [f64]) -> Matrix<'a> {
        Glm::matrix(self, x)
    }

    fn curvatures(&self, at: Point<'_>, s: &mut [f64], q: &mut [f64], ctx: &mut Ctx) {
        self.each_curvature(at, ctx, |_, weights, _| s.copy_from_slice(weights));
        self.penalty_curvature(at, q, ctx);
    }
}

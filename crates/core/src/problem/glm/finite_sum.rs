//! Generalised linear problems as sums over the rows of D; the penalty is what every batch holds in full.

use super::super::Point;
use super::super::finite_sum::{Batch, FiniteSum};
use super::{Glm, Penalty, RowLoss, Wrt};
use crate::ctx::Ctx;

impl<L: RowLoss, R: Penalty> Glm<L, R> {
    /// What a row of a batch counts for.
    fn share(&self, batch: &[usize]) -> f64 {
        self.design.rows() as f64 / batch.len() as f64
    }

    /// `out_b = scale w phi_u` of each row of a batch, whose predictions are `u`.
    fn batch_slopes(&self, batch: &[usize], x: &[f64], u: &[f64], scale: f64, out: &mut [f64]) {
        let (row, width) = (self.row(x), self.loss.width());
        out.fill(0.0);
        for ((&i, u), out) in batch.iter().zip(u.chunks_exact(width)).zip(out.chunks_exact_mut(width)) {
            self.loss.grad_u(u, row.y(i), scale * row.weight(i), out);
        }
    }
}

impl<L: RowLoss, R: Penalty> FiniteSum for Glm<L, R> {
    fn terms(&self) -> usize {
        self.design.rows()
    }

    fn batch_grad_z(&self, Batch { terms: batch, at: Point { z, x, .. } }: Batch<'_>, out: &mut [f64], ctx: &mut Ctx) {
        let (matrix, width) = (self.matrix(x), self.loss.width());
        ctx.count_rows(batch.len(), self.design.rows());
        let [mut u, mut weights] = [(); 2].map(|()| ctx.take(batch.len() * width));
        matrix.rows_apply(batch, width, z, &mut u);
        self.batch_slopes(batch, x, &u, self.share(batch), &mut weights);
        out.fill(0.0);
        matrix.rows_add_transpose(batch, width, &weights, out);
        self.regularisation(x).add_first(z, out);
        ctx.give(weights);
        ctx.give(u);
    }

    fn batch_hess_cross(
        &self,
        Batch { terms: batch, at }: Batch<'_>,
        v: &[f64],
        hess_out: &mut [f64],
        scale: f64,
        cross_out: &mut [f64],
        ctx: &mut Ctx,
    ) {
        let (matrix, width, row) = (self.matrix(at.x), self.loss.width(), self.row(at.x));
        let share = self.share(batch);
        ctx.count_second_order_product();
        ctx.count_rows(batch.len(), self.design.rows());
        let [mut u, mut du, mut weights] = [(); 3].map(|()| ctx.take(batch.len() * width));
        matrix.rows_apply(batch, width, at.z, &mut u);
        matrix.rows_apply(batch, width, v, &mut du);
        for (k, &i) in batch.iter().enumerate() {
            let part = k * width..(k + 1) * width;
            let (u, du, weights) = (&u[part.clone()], &du[part.clone()], &mut weights[part]);
            self.loss.grad_u_tangent(u, row.y(i), du, &[], share * row.weight(i), weights);
            match self.wrt {
                _ if cross_out.is_empty() => {}
                Wrt::Targets => {
                    let out = &mut cross_out[i * width..][..width];
                    self.loss.grad_y_tangent(u, row.y(i), du, scale * share * row.weight(i), out);
                }
                Wrt::Weights => cross_out[i] += scale * share * self.loss.value_tangent(u, row.y(i), du),
                Wrt::Regularisation | Wrt::Design => {}
            }
        }
        hess_out.fill(0.0);
        matrix.rows_add_transpose(batch, width, &weights, hess_out);
        let regularisation = self.regularisation(at.x);
        regularisation.add_second(at.z, v, hess_out);
        match self.wrt {
            _ if cross_out.is_empty() => {}
            Wrt::Regularisation => regularisation.add_cross(at.z, v, scale, cross_out),
            Wrt::Design => {
                weights.iter_mut().for_each(|weight| *weight *= scale);
                matrix.rows_add_outer(batch, width, &weights, at.z, cross_out);
                self.batch_slopes(batch, at.x, &u, scale * share, &mut weights);
                matrix.rows_add_outer(batch, width, &weights, v, cross_out);
            }
            Wrt::Targets | Wrt::Weights => {}
        }
        [weights, du, u].into_iter().for_each(|buffer| ctx.give(buffer));
    }

    fn batch_grad_z_tangent(
        &self,
        Batch { terms: batch, at }: Batch<'_>,
        dz: &[f64],
        dx: &[f64],
        out: &mut [f64],
        ctx: &mut Ctx,
    ) {
        let (matrix, width, row) = (self.matrix(at.x), self.loss.width(), self.row(at.x));
        let (share, len) = (self.share(batch), batch.len() * width);
        ctx.count_second_order_product();
        ctx.count_rows(batch.len(), self.design.rows());
        let [mut u, mut du, mut weights] = [(); 3].map(|()| ctx.take(len));
        matrix.rows_apply(batch, width, at.z, &mut u);
        matrix.rows_apply(batch, width, dz, &mut du);
        let moved = (self.wrt == Wrt::Design).then(|| self.design.with_values(dx));
        if let Some(moved) = moved {
            moved.rows_apply(batch, width, at.z, &mut weights);
            du.iter_mut().zip(&weights).for_each(|(du, moved)| *du += moved);
        }
        for (k, &i) in batch.iter().enumerate() {
            let part = k * width..(k + 1) * width;
            let (u, du, weights) = (&u[part.clone()], &du[part.clone()], &mut weights[part]);
            let dy = if self.wrt == Wrt::Targets { row.of(dx, i) } else { &[] };
            self.loss.grad_u_tangent(u, row.y(i), du, dy, share * row.weight(i), weights);
            if self.wrt == Wrt::Weights {
                self.loss.grad_u(u, row.y(i), share * dx[i], weights);
            }
        }
        out.fill(0.0);
        matrix.rows_add_transpose(batch, width, &weights, out);
        if let Some(moved) = moved {
            self.batch_slopes(batch, at.x, &u, share, &mut weights);
            moved.rows_add_transpose(batch, width, &weights, out);
        }
        let regularisation = self.regularisation(at.x);
        regularisation.add_second(at.z, dz, out);
        if self.wrt == Wrt::Regularisation {
            regularisation.add_cross_t(at.z, dx, out);
        }
        [weights, du, u].into_iter().for_each(|buffer| ctx.give(buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::loss::{Logistic, Multinomial, Squared};
    use crate::problem::{Objective, Problem};
    use crate::testing::random;

    /// Every product of a batch of all rows is that of the whole; of one row in two, twice, that of half the rows with twice the weight.
    fn check<L: RowLoss + Clone>(loss: &L, targets: &[f64], m: usize) {
        let n = 8;
        let width = loss.width();
        let (design, weights) = (random::design(n, m, 3, 1), vec![1.0, 0.5, 2.0, 1.5, 0.25, 1.0, 3.0, 0.0]);
        for wrt in Wrt::ALL {
            let made = |weights: Vec<f64>| {
                let plain = Glm::new(design.clone(), loss.clone(), 0.3).unwrap().weighted(weights).unwrap();
                plain.wrt(wrt, targets.to_vec()).unwrap()
            };
            let (problem, x) = made(weights.clone());
            let p = problem.parameter_len();
            let (z, v, dx) = (random::vector(m * width, 2), random::vector(m * width, 3), random::vector(p, 4));
            let all: Vec<usize> = (0..n).collect();
            let half = [0, 2, 4, 6, 0, 2, 4, 6];
            let doubled: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 2.0 * weights[i] } else { 0.0 }).collect();
            // A weight that is x does not double L_xz.
            let cases = if wrt == Wrt::Weights {
                vec![(&all[..], (problem.clone(), x.clone()))]
            } else {
                vec![(&all[..], (problem.clone(), x.clone())), (&half[..], made(doubled))]
            };
            for (batch, (whole, at_x)) in cases {
                let (at, mut ctx) = (Point::new(&z, &x), Ctx::new());
                let there = Point::new(&z, &at_x);
                let zeros = || (vec![0.0; m * width], vec![0.0; m * width]);
                let near =
                    |a: &[f64], b: &[f64]| assert!(crate::vector::distance(a, b) < 1e-13, "{wrt:?}: {a:?} {b:?}");
                let (mut found, mut expected) = zeros();
                let batch = Batch { terms: batch, at };
                problem.batch_grad_z(batch, &mut found, &mut ctx);
                whole.grad_z(&z, &at_x, &mut expected, &mut [], &mut ctx);
                near(&found, &expected);
                let (mut hess, mut hess_expected) = zeros();
                let (mut cross, mut cross_expected) = (vec![1.0; p], vec![1.0; p]);
                problem.batch_hess_cross(batch, &v, &mut hess, -0.7, &mut cross, &mut ctx);
                whole.hess_cross(there, &v, &mut hess_expected, -0.7, &mut cross_expected, &mut ctx);
                near(&hess, &hess_expected);
                near(&cross, &cross_expected);
                problem.batch_grad_z_tangent(batch, &v, &dx, &mut found, &mut ctx);
                whole.grad_z_tangent(there, &v, &dx, &mut expected, &mut ctx);
                near(&found, &expected);
            }
        }
    }

    #[test]
    fn batches_add_up_to_the_whole() {
        check(&Squared, &random::vector(8, 5), 5);
        check(&Logistic, &random::labels(8, 6), 5);
        let one_hot: Vec<f64> = (0..8).flat_map(|i| (0..3).map(move |c| if c == i % 3 { 1.0 } else { 0.0 })).collect();
        check(&Multinomial::new(3).unwrap(), &one_hot, 4);
    }
}

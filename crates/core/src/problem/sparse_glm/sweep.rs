//! One sweep over the coordinates of z, each to the minimum of L with its curvature bounded:
//!
//! ```text
//! for j = 1 .. m:   g_j = <d_j, w phi_u>,   z_j <- prox_{R / c_j}(z_j - g_j / c_j),   u <- u + (change of z_j) d_j
//! ```
//!
//! with d_j the columns of D and c_j = sum_i w_i kappa_i d_ij², kappa_i a bound on phi_uu. Of a quadratic loss that is the exact minimum, and c_j is differentiated where it
//! depends on x, the weights or the entries of D: dz_j/dc_j = (z_j before - after) / (c_j + q). Of others it is held constant in x, and so are curvatures that were given.
//!
//! A sweep is differentiated coordinate by coordinate. Backwards, with b the adjoint of u (0 at the end of a sweep, as u = D z) and Q, K the derivatives of prox:
//!
//! ```text
//! for j = m .. 1:   t = a_j + <d_j, b>;   x += K t;   t <- Q t;   a_j = t - <d_j, b>;   b <- b - (t / c_j) w phi_uu d_j;   x -= (t / c_j) dg_j/dx
//! a <- a + D^T b
//! ```

use super::SparseGlm;
use super::products::slope;
use crate::ctx::Ctx;
use crate::design::Design;
use crate::problem::coordinatewise::{Coordinatewise, Swept};
use crate::problem::glm::Wrt;
use crate::problem::loss::Loss;
use crate::problem::{Objective, Point};

/// D by columns at one x, and what a sweep needs of each.
#[derive(Clone, Debug)]
pub struct Columns {
    /// D^T.
    transposed: Design,
    /// Where x is D: the places in D of the entries of D^T, and which of them are the first of each column; else empty.
    places: Vec<usize>,
    starts: Vec<usize>,
    /// c_j, length m.
    curvatures: Vec<f64>,
    /// phi_uu of each row where they are constants by which c_j is differentiated; else empty.
    bends: Vec<f64>,
    /// [l, q] of each coordinate, length m.
    parts: Vec<[f64; 2]>,
    /// The group of each coordinate, length m.
    groups: Vec<usize>,
}

impl Columns {
    /// c_j, length m.
    #[must_use]
    pub fn curvatures(&self) -> &[f64] {
        &self.curvatures
    }

    /// `visit(i, d_ij)` on the stored entries of column j.
    fn each(&self, j: usize, visit: impl FnMut(usize, f64)) {
        self.transposed.matrix().each_of_row(j, visit);
    }

    /// <d_j, v>.
    fn dot(&self, j: usize, v: &[f64]) -> f64 {
        let mut dot = [0.0];
        self.transposed.matrix().rows_apply(&[j], 1, v, &mut dot);
        dot[0]
    }

    /// `visit(i, d_ij, k)`, k the position of the entry in D, 0 where x is not D.
    fn each_placed(&self, j: usize, mut visit: impl FnMut(usize, f64, usize)) {
        let mut next = self.starts.get(j).copied().unwrap_or_default();
        self.each(j, |i, d| {
            visit(i, d, self.places.get(next).copied().unwrap_or_default());
            next += 1;
        });
    }

    /// The minimiser over a coordinate at `z` with the slope g.
    fn next<L: Loss>(&self, problem: &SparseGlm<L>, j: usize, z: f64, g: f64) -> f64 {
        let (c, [l, q]) = (self.curvatures[j], self.parts[j]);
        match c {
            // L has R alone to say.
            0.0 if l > 0.0 || q > 0.0 => 0.0,
            0.0 => z,
            _ => problem.penalty_of(self.groups[j]).prox(z - g / c, 1.0 / c, [l, q]),
        }
    }
}

impl<L: Loss + Clone> Coordinatewise for SparseGlm<L> {
    type Columns = Columns;

    fn columns(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<Columns> {
        let matrix = self.smooth.matrix(at.x);
        let curvature = self.smooth.curvatures_above(at, self.regularisation(at.x).value(at.z), ctx)?;
        let m = self.design().columns();
        let (mut parts, mut groups) = (vec![[0.0; 2]; m], vec![0; m]);
        self.each(at.x, |part, group, j| (parts[j], groups[j]) = (part, group));
        let mut columns = Columns {
            transposed: matrix.transposed().ok()?,
            places: Vec::new(),
            starts: Vec::new(),
            curvatures: vec![0.0; m],
            bends: Vec::new(),
            parts,
            groups,
        };
        let row = self.smooth.row(at.x);
        if Loss::is_quadratic(row.loss) {
            columns.bends = row.targets.iter().map(|&y| row.loss.second(0.0, y).0).collect();
        }
        if self.smooth.differentiated() == Wrt::Design {
            // Exact: there are fewer entries than a number of 53 bits can count.
            let numbered: Vec<f64> = (0..matrix.entries()).map(|k| k as f64).collect();
            let numbered = self.design().with_values(&numbered).transposed().ok()?;
            for j in 0..m {
                columns.starts.push(columns.places.len());
                numbered.matrix().each_of_row(j, |_, place| columns.places.push(place as usize));
            }
        }
        for j in 0..m {
            let mut sum = 0.0;
            columns.each(j, |i, d| sum += curvature[i] * (d * d));
            columns.curvatures[j] = sum;
        }
        ctx.give(curvature);
        ctx.count_passes(2);
        Some(columns)
    }

    fn curvatures_mut<'a>(&self, columns: &'a mut Columns) -> &'a mut [f64] {
        columns.bends.clear();
        &mut columns.curvatures
    }

    fn first_moves(&self, columns: &Columns, z: &[f64], gradient: &[f64]) -> f64 {
        let moved = |j: usize| columns.curvatures[j] * (z[j] - columns.next(self, j, z[j], gradient[j]));
        (0..z.len()).map(|j| moved(j).powi(2)).sum::<f64>().sqrt()
    }

    fn sweep(&self, columns: &Columns, x: &[f64], z: &mut [f64], u: &mut [f64], ctx: &mut Ctx) -> f64 {
        let row = self.smooth.row(x);
        let mut slopes = ctx.take(u.len());
        let slope_of = |i: usize, u: f64| row.weight(i) * row.loss.first(u, row.targets[i]).0;
        slopes.iter_mut().zip(&*u).enumerate().for_each(|(i, (slope, u))| *slope = slope_of(i, *u));
        let (mut moves, mut read) = (0.0, z.len());
        for (j, z) in z.iter_mut().enumerate() {
            let next = columns.next(self, j, *z, columns.dot(j, &slopes));
            let change = next - *z;
            if change != 0.0 {
                *z = next;
                moves += (columns.curvatures[j] * change).powi(2);
                read += 1;
                columns.each(j, |i, d| {
                    u[i] += change * d;
                    slopes[i] = slope_of(i, u[i]);
                });
            }
        }
        ctx.count_rows(read, z.len());
        ctx.give(slopes);
        moves.sqrt()
    }

    fn sweep_pull(
        &self,
        columns: &Columns,
        x: &[f64],
        swept: Swept<'_>,
        dual: &mut [f64],
        x_out: &mut [f64],
        ctx: &mut Ctx,
    ) {
        let (wrt, row) = (self.smooth.differentiated(), self.smooth.row(x));
        let (mut u, mut b) = (ctx.take(self.memo_len()), ctx.take_zeroed(self.memo_len()));
        self.smooth.matrix(x).apply(swept.after, &mut u, ctx);
        for j in (0..dual.len()).rev() {
            let (c, [l, q], after) = (columns.curvatures[j], columns.parts[j], swept.after[j]);
            let change = after - swept.before[j];
            if change != 0.0 {
                columns.each_placed(j, |i, d, k| {
                    u[i] -= change * d;
                    if wrt == Wrt::Design {
                        x_out[k] += change * b[i];
                    }
                });
            }
            if c == 0.0 {
                // Set to 0, or left alone.
                if l > 0.0 || q > 0.0 {
                    dual[j] = 0.0;
                }
                continue;
            }
            let along = columns.dot(j, &b);
            let penalty = self.penalty_of(columns.groups[j]);
            let through = if penalty.is_smooth(after, l) { (dual[j] + along) / (1.0 + q / c) } else { 0.0 };
            dual[j] = through - along;
            let moved = -through / c;
            if moved == 0.0 {
                continue;
            }
            if wrt == Wrt::Regularisation && l > 0.0 {
                x_out[columns.groups[j]] += moved * slope(after, [l, q]);
            }
            columns.each_placed(j, |i, d, k| {
                let (y, weight) = (row.targets[i], row.weight(i));
                let (phi_uu, phi_uy) = row.loss.second(u[i], y);
                b[i] += moved * weight * phi_uu * d;
                // g_j at z_j before, and c_j times how far z_j went: their sum is what the minimum depends on.
                let bend = columns.bends.get(i).map_or(0.0, |bend| bend * change);
                match wrt {
                    Wrt::Targets => x_out[i] += moved * weight * phi_uy * d,
                    Wrt::Weights => x_out[i] += moved * (row.loss.first(u[i], y).0 * d + bend * d * d),
                    Wrt::Design => x_out[k] += moved * weight * (row.loss.first(u[i], y).0 + 2.0 * bend * d),
                    Wrt::Regularisation => {}
                }
            });
        }
        for (j, dual) in dual.iter_mut().enumerate() {
            *dual += columns.dot(j, &b);
            if wrt == Wrt::Design && swept.before[j] != 0.0 {
                columns.each_placed(j, |i, _, k| x_out[k] += b[i] * swept.before[j]);
            }
        }
        ctx.count_second_order_product();
        ctx.count_passes(3);
        ctx.give(b);
        ctx.give(u);
    }

    fn sweep_push(
        &self,
        columns: &Columns,
        x: &[f64],
        swept: Swept<'_>,
        dx: &[f64],
        tangent: &mut [f64],
        ctx: &mut Ctx,
    ) {
        let (wrt, row, matrix) = (self.smooth.differentiated(), self.smooth.row(x), self.smooth.matrix(x));
        let (mut u, mut du) = (ctx.take(self.memo_len()), ctx.take(self.memo_len()));
        matrix.apply(swept.before, &mut u, ctx);
        matrix.apply(tangent, &mut du, ctx);
        if wrt == Wrt::Design {
            let mut moved = ctx.take(du.len());
            self.design().with_values(dx).apply(swept.before, &mut moved, ctx);
            crate::vector::axpy(1.0, &moved, &mut du);
            ctx.give(moved);
        }
        for (j, tangent) in tangent.iter_mut().enumerate() {
            let (c, [l, q], after) = (columns.curvatures[j], columns.parts[j], swept.after[j]);
            let (mut dg, moved) = (0.0, after - swept.before[j]);
            columns.each_placed(j, |i, d, k| {
                let (y, weight) = (row.targets[i], row.weight(i));
                let (phi_uu, phi_uy) = row.loss.second(u[i], y);
                dg += d * weight * phi_uu * du[i];
                let bend = columns.bends.get(i).map_or(0.0, |bend| bend * moved);
                dg += match wrt {
                    Wrt::Targets => d * weight * phi_uy * dx[i],
                    Wrt::Weights => (d * row.loss.first(u[i], y).0 + bend * d * d) * dx[i],
                    Wrt::Design => dx[k] * weight * (row.loss.first(u[i], y).0 + 2.0 * bend * d),
                    Wrt::Regularisation => 0.0,
                };
            });
            if wrt == Wrt::Regularisation && l > 0.0 {
                dg += slope(after, [l, q]) * dx[columns.groups[j]];
            }
            let penalty = self.penalty_of(columns.groups[j]);
            let next = match c {
                0.0 if l > 0.0 || q > 0.0 => 0.0,
                0.0 => *tangent,
                _ if penalty.is_smooth(after, l) => (*tangent - dg / c) / (1.0 + q / c),
                _ => 0.0,
            };
            let change = next - *tangent;
            *tangent = next;
            columns.each_placed(j, |i, d, k| {
                u[i] += moved * d;
                du[i] += change * d;
                if wrt == Wrt::Design {
                    du[i] += moved * dx[k];
                }
            });
        }
        ctx.count_second_order_product();
        ctx.count_passes(2);
        ctx.give(du);
        ctx.give(u);
    }
}

//! Bounds on D from above: norms of rows, of the whole, and how many roundings a sum takes.
//!
//! With |D| the absolute values and M = |D|^T |D|, for any y > 0
//!
//! ```text
//! ‖D‖² <= ‖|D|‖² <= max_j (M y)_j / y_j          and         ‖D‖² <= ‖D‖_F²
//! ```
//!
//! The first holds for every y, and with equality on the right for the eigenvector of M; powers of M lead there. Of a Lanczos value, which is a
//! bound from below, nothing of the kind is known.
//!
//! Source: Collatz 1942 and Wielandt 1950, in Horn and Johnson, Matrix Analysis, 2nd ed., theorem 8.1.26; Higham, Accuracy and
//! Stability of Numerical Algorithms, 2nd ed., section 3.1, for gamma_k.

use rayon::prelude::*;

use super::matrix::{Matrix, with_rows};
use super::storage::Rows;
use super::{Block, Pass};
use crate::ctx::Ctx;

/// Products with M at the most.
const MAX_PRODUCTS: usize = 8;
/// Relative gain of a product below which no more are taken.
const SETTLED: f64 = 0.02;
/// Below it, products may have vanished that are not 0.
const VANISHING: f64 = 1e-280;
/// What y is kept above, relative to its largest entry: it has to be positive.
const LEAST: f64 = 1e-100;

/// gamma_k = k eps / (1 - k eps), eps half a unit in the last place: what k roundings can do. Infinite where k is too large to say.
#[must_use]
pub fn gamma(k: usize) -> f64 {
    let share = k as f64 * (0.5 * f64::EPSILON);
    if share < 0.5 { share / (1.0 - share) } else { f64::INFINITY }
}

/// What an operation can be in error by, beside its share, where its result underflows; generously, as where small numbers are taken for 0.
pub const UNDERFLOW: f64 = f64::MIN_POSITIVE;

impl Matrix<'_> {
    /// `out_i = sum_j D_ij² scales_j`, with `scales >= 0` of length m, empty for ones, and `out` of length n; about half a pass.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    pub fn row_squares(self, scales: &[f64], out: &mut [f64], ctx: &mut Ctx) {
        assert!(scales.is_empty() || scales.len() == self.columns(), "one scale a column");
        assert_eq!(out.len(), self.rows(), "one number a row");
        ctx.count_pass();
        self.sum_squares(scales, out);
    }

    pub(super) fn sum_squares(self, scales: &[f64], out: &mut [f64]) {
        with_rows!(self, rows => {
            let of = |(row, out): (usize, &mut f64)| {
                *out = 0.0;
                if scales.is_empty() {
                    rows.each(row, |_, value| *out += square(value, 1.0));
                } else {
                    rows.each(row, |column, value| *out += square(value, scales[column]));
                }
            };
            out.par_iter_mut().enumerate().with_min_len(1024).for_each(of);
        });
    }

    /// A bound on `‖|D| diag(scales)^(1/2)‖²`, and so on that of D, from above: rounding included, infinite where it
    /// overflows. `scales >= 0` are of length m, empty for ones; `row_squares` are those of [`Matrix::row_squares`]. It takes up
    /// to 8 passes; where D has negative values, a copy of them.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    #[must_use]
    pub fn norm_bound(self, scales: &[f64], row_squares: &[f64], ctx: &mut Ctx) -> f64 {
        assert_eq!(row_squares.len(), self.rows(), "one number a row");
        self.with_absolute(ctx, |matrix, ctx| matrix.norm_of_nonnegative(scales, row_squares, ctx))
    }

    /// Calls `read` with |D|: D itself where no value is negative, else a copy of the values, held for the while.
    pub(crate) fn with_absolute<T>(self, ctx: &mut Ctx, read: impl FnOnce(Matrix<'_>, &mut Ctx) -> T) -> T {
        let is_negative = with_rows!(self, rows => (0..self.rows()).into_par_iter().any(|row| {
            let mut negative = false;
            rows.each(row, |_, value| negative |= value < 0.0);
            negative
        }));
        if !is_negative {
            return read(self, ctx);
        }
        let mut absolute = ctx.take(self.entries());
        let mut position = 0;
        with_rows!(self, rows => for row in 0..self.rows() {
            rows.each(row, |_, value| {
                absolute[position] = value.abs();
                position += 1;
            });
        });
        let result = read(self.design.with_values(&absolute), ctx);
        ctx.give(absolute);
        result
    }

    fn norm_of_nonnegative(self, scales: &[f64], row_squares: &[f64], ctx: &mut Ctx) -> f64 {
        let m = self.columns();
        let inflation = 1.0 + gamma(4 * (self.roundings().0 + self.roundings().1) + 16);
        let mut bound = inflation * row_squares.iter().sum::<f64>();
        // With scales t, the matrix is diag(t)^(1/2) M diag(t)^(1/2); for y = t^(1/2) v its quotients are those of t M v by v.
        let (mut v, mut image) = (ctx.take(m), ctx.take(m));
        v.fill(1.0);
        for _ in 0..MAX_PRODUCTS {
            let link = |block: Block<'_>| block.weights.copy_from_slice(block.dots[0]);
            // D^T D (t y) where y are the quotients' denominators.
            if scales.is_empty() {
                self.pass(Pass { inputs: &[&v], out: &mut image, ..Pass::default() }, &link, ctx);
            } else {
                let mut scaled = ctx.take(m);
                scaled.iter_mut().zip(&v).zip(scales).for_each(|((to, v), scale)| *to = v * scale);
                self.pass(Pass { inputs: &[&scaled], out: &mut image, ..Pass::default() }, &link, ctx);
                ctx.give(scaled);
            }
            let found = inflation * v.iter().zip(&image).fold(0.0_f64, |most, (v, image)| most.max(image / v));
            let largest = image.iter().fold(0.0_f64, |most, image| most.max(*image));
            let gain = 1.0 - found / bound;
            // Not a number where a product overflowed.
            if found < bound && found > VANISHING {
                bound = found;
            }
            let is_settled = (0.0..SETTLED).contains(&gain);
            if is_settled || !largest.is_normal() {
                break;
            }
            v.iter_mut().zip(&image).for_each(|(v, image)| *v = (image / largest).max(LEAST));
        }
        ctx.give(image);
        ctx.give(v);
        if bound.is_nan() { f64::INFINITY } else { bound }
    }

    /// (additions that an entry of `D v` takes at the most, those of an entry of `D^T w`), as [`Matrix::pass`] does them.
    #[must_use]
    pub fn roundings(self) -> (usize, usize) {
        let design = self.design;
        let row = with_rows!(self, rows => longest(&rows));
        let column = match self.transpose() {
            Some(transpose) => {
                super::storage::with_compressed!(transpose.columns, columns => longest(&columns))
            }
            None => {
                let piece = design.cuts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
                // The sums of the pieces, a power of two of them, are added along a tree.
                piece + (design.cuts.len() - 1).ilog2() as usize
            }
        };
        (row, column)
    }

    /// (the largest `sum_j of_columns_j` over the entries of a row, the largest `sum_i of_rows_i` over the entries of a column): sums in the
    /// pattern of D alone, of numbers at least 0. One pass.
    ///
    /// # Panics
    ///
    /// If a length is wrong.
    #[must_use]
    pub fn largest_sums(self, of_columns: &[f64], of_rows: &[f64], ctx: &mut Ctx) -> (f64, f64) {
        assert_eq!((of_rows.len(), of_columns.len()), (self.rows(), self.columns()), "one number a row and a column");
        ctx.count_pass();
        let (mut columns, mut largest) = (ctx.take_zeroed(self.columns()), 0.0_f64);
        with_rows!(self, rows => for (row, of_row) in of_rows.iter().enumerate() {
            let mut sum = 0.0;
            rows.each(row, |column, _| {
                sum += of_columns[column];
                columns[column] += of_row;
            });
            largest = largest.max(sum);
        });
        let down = columns.iter().fold(0.0_f64, |most, sum| most.max(*sum));
        ctx.give(columns);
        (largest, down)
    }
}

/// `value² scale`, above 0 where neither is.
#[inline]
fn square(value: f64, scale: f64) -> f64 {
    // Neither value² nor a scale alone may vanish or overflow where their product does not.
    let root = if scale == 1.0 { value } else { value * scale.sqrt() };
    if value == 0.0 || scale == 0.0 { 0.0 } else { (root * root).max(f64::MIN_POSITIVE) }
}

fn longest<R: Rows>(rows: &R) -> usize {
    (0..rows.rows()).map(|row| rows.entries_before(row + 1) - rows.entries_before(row)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::testing::random;

    fn bound(design: &Design, scales: &[f64]) -> (Vec<f64>, f64) {
        let (mut squares, mut ctx) = (vec![0.0; design.rows()], Ctx::new());
        design.matrix().row_squares(scales, &mut squares, &mut ctx);
        let bound = design.matrix().norm_bound(scales, &squares, &mut ctx);
        (squares, bound)
    }

    #[test]
    fn no_product_is_longer_than_the_bound() {
        for seed in 0..40 {
            let (n, m) = (3 + (seed as usize * 7) % 60, 2 + (seed as usize * 5) % 40);
            let design = random::design(n, m, 1 + seed as usize % m.min(6), seed);
            let scales: Vec<f64> = random::vector(m, seed + 100).iter().map(|s| s * s).collect();
            let root: Vec<f64> = scales.iter().map(|s| s.sqrt()).collect();
            let (squares, found) = bound(&design, &scales);
            let (mut v, mut u, mut image, mut ctx) = (random::vector(m, seed), vec![0.0; n], vec![0.0; m], Ctx::new());
            let mut norm = 0.0;
            for _ in 0..2000 {
                let length = crate::vector::norm(&v);
                v.iter_mut().zip(&root).for_each(|(v, r)| *v *= r / length);
                design.matrix().apply(&v, &mut u, &mut ctx);
                norm = crate::vector::dot(&u, &u);
                design.matrix().apply_transpose(&u, &mut image, &mut ctx);
                v.iter_mut().zip(&image).zip(&root).for_each(|((v, image), r)| *v = r * image);
            }
            assert!(norm <= found && found <= squares.iter().sum::<f64>() * (1.0 + 1e-9), "{seed}: {norm} {found}");
        }
    }

    #[test]
    fn it_is_tight_where_no_entry_is_negative() {
        let triplets: Vec<_> = (0..900).map(|k| (k % 30, (k * 7) % 23, 1.0 + (k % 5) as f64)).take(23 * 30).collect();
        let mut seen = std::collections::BTreeSet::new();
        let triplets: Vec<_> = triplets.into_iter().filter(|(i, j, _)| seen.insert((*i, *j))).collect();
        let design = Design::from_triplets(30, 23, &triplets).unwrap();
        let (_, found) = bound(&design, &[]);
        let exact = design.matrix().largest_eigenvalue(&[1.0; 30], &mut Ctx::new());
        assert!(found >= exact * (1.0 - 1e-6) && found <= 1.03 * exact, "{found} {exact}");
    }

    #[test]
    fn empty_and_huge_designs_have_bounds() {
        for (n, m) in [(0, 0), (0, 3), (3, 0), (3, 3)] {
            assert_eq!(bound(&Design::from_triplets(n, m, &[]).unwrap(), &[]).1, 0.0);
        }
        assert_eq!(bound(&Design::from_triplets(1, 1, &[(0, 0, 1e200)]).unwrap(), &[]).1, f64::INFINITY);
    }

    #[test]
    fn sums_in_the_pattern_are_those_of_its_rows_and_columns() {
        let design = Design::from_triplets(2, 3, &[(0, 0, -5.0), (0, 2, 0.0), (1, 2, 9.0)]).unwrap();
        assert_eq!(design.matrix().largest_sums(&[1.0, 50.0, 3.0], &[7.0, 2.0], &mut Ctx::new()), (4.0, 9.0));
        assert_eq!(design.matrix().roundings(), (2, 2));
    }
}

//! Every method where more is known than (z, x): the memo that grad_z leaves, grad_z itself, and the memo alone.

use super::check::{Check, Mismatch, ROUNDING, compare};
use super::random;
use crate::problem::{Point, Problem};
use crate::vector::norm;

/// What a method gives at a point, and the scale on which it may round.
struct Found {
    product: &'static str,
    numbers: Vec<f64>,
    scale: f64,
    /// Whether it is a method that cannot be a sum of others.
    basic: bool,
}

impl Found {
    fn basic(product: &'static str, numbers: Vec<f64>) -> Self {
        Self { product, numbers, scale: 0.0, basic: true }
    }
}

impl<P: Problem + ?Sized> Check<'_, P> {
    pub(super) fn known(&mut self) -> Result<(), Mismatch> {
        let (problem, z, x) = (self.problem, self.z, self.x);
        let plain = Point::new(z, x);
        let (mut grad_z, mut memo) = (vec![f64::NAN; z.len()], vec![f64::NAN; problem.memo_len()]);
        problem.grad_z(z, x, &mut grad_z, &mut memo, &mut self.ctx);
        let expected = self.grad_z(z, x);
        compare("grad_z", "itself without a memo", &grad_z, &expected, norm(&expected), ROUNDING)?;

        let expected = [self.first(plain), self.second(plain)];
        let noted = Point { memo: &memo, ..plain };
        let mismatches = differing("itself without the memo", &[self.first(noted), self.second(noted)], &expected);
        let of_basic = mismatches.iter().filter(|(basic, _)| *basic).count();
        if let Some((_, mismatch)) = mismatches.into_iter().next() {
            // Methods that have only the memo in common.
            let shared = Mismatch { product: "memo", against: "what several products give without it", ..mismatch };
            return Err(if of_basic > 1 { shared } else { mismatch });
        }
        let known = Point { grad_z: &grad_z, ..noted };
        fails(differing("itself where grad_z is not known", &[self.first(known), self.second(known)], &expected))?;

        if problem.memo_replaces_latent() {
            let [_, expected] = expected;
            // Another z first: what needs z gives another answer there, but panics without.
            let other: Vec<f64> = random::vector(z.len(), 5).iter().zip(z).map(|(r, z)| r - 2.0 * z).collect();
            let elsewhere = self.second(Point { z: &other, ..noted });
            if let Some((_, mismatch)) = differing("", &[elsewhere], std::slice::from_ref(&expected)).into_iter().next()
            {
                let against = mismatch.product;
                return Err(Mismatch { product: "memo_replaces_latent", against, ..mismatch });
            }
            let alone = self.second(Point { z: &[], ..noted });
            fails(differing("itself with z beside the memo", &[alone], &[expected]))?;
        }
        Ok(())
    }

    fn first(&mut self, at: Point<'_>) -> Vec<Found> {
        let (value, grad_x) = (vec![self.value(at)], self.grad_x(at));
        vec![Found::basic("value", value), Found::basic("grad_x", grad_x)]
    }

    fn second(&mut self, at: Point<'_>) -> Vec<Found> {
        let (v, w) = (self.v.clone(), self.w.clone());
        let (hess, cross, cross_t) = (self.hess(at, &v), self.cross(at, &v), self.cross_t(at, &w));
        let [columns, _] = self.hess_columns(at, [&v, &v]);
        let (pair, pair_cross) = self.hess_cross(at, &v);
        let tangent = self.grad_z_tangent(at, &v, &w);
        // A sum that may cancel.
        let scale = norm(&hess) + norm(&cross_t);
        let combined = |product, numbers, scale| Found { product, numbers, scale, basic: false };
        vec![
            Found::basic("hess", hess),
            Found::basic("cross", cross),
            Found::basic("cross_t", cross_t),
            combined("hess_columns", columns, 0.0),
            combined("hess_cross", pair, 0.0),
            combined("hess_cross", pair_cross, 0.0),
            combined("grad_z_tangent", tangent, scale),
        ]
    }
}

/// Where `found` is not `expected`, and whether the method is a basic one.
fn differing(against: &'static str, found: &[Vec<Found>], expected: &[Vec<Found>]) -> Vec<(bool, Mismatch)> {
    let pairs = found.iter().flatten().zip(expected.iter().flatten());
    pairs
        .filter_map(|(found, expected)| {
            let (product, scale) = (expected.product, expected.scale);
            let compared = compare(product, against, &found.numbers, &expected.numbers, scale, ROUNDING);
            compared.err().map(|mismatch| (expected.basic, mismatch))
        })
        .collect()
}

fn fails(mismatches: Vec<(bool, Mismatch)>) -> Result<(), Mismatch> {
    mismatches.into_iter().next().map_or(Ok(()), |(_, mismatch)| Err(mismatch))
}

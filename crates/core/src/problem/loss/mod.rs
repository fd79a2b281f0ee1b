//! Losses of one row, one file each: predictions u against targets y.
//!
//! A [`Loss`] is scalar, phi(u, y), and all that most losses need. A [`RowLoss`] has as many predictions a row as it likes,
//! u and y in R^k; every scalar loss is one with k = 1. A [`NamedLoss`] can be asked for by its name. With the feature `dual`, a scalar loss is also had from its value alone:
//! `ByDualNumbers`.

mod between;
#[cfg(feature = "dual")]
mod by_value;
mod named;

pub use between::{Between, Third};
#[cfg(feature = "dual")]
pub use by_value::{ByDualNumbers, LossValue, Number};
pub use named::{InvalidLoss, LossName, LossVisitor, NamedLoss, Refusal, Regularity, Targets};

/// One line for each loss: its module and its type. Names, checks of labels and the tables of tests follow from it.
macro_rules! losses {
    ($($module:ident::$loss:ident,)*) => {
        $(
            mod $module;
            pub use $module::*;
        )*

        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Family {
            $($loss,)*
        }

        const ALL: &[Family] = &[$(Family::$loss,)*];

        impl Family {
            fn facts(self) -> named::Facts {
                match self {
                    $(Self::$loss => named::Facts::of::<$loss>(),)*
                }
            }

            fn visit<V: LossVisitor>(
                self,
                parameter: f64,
                classes: usize,
                visitor: V,
            ) -> Result<V::Output, Refusal> {
                match self {
                    $(Self::$loss => Ok(visitor.visit($loss::named(parameter, classes)?)),)*
                }
            }
        }
    };
}

losses! {
    squared::Squared,
    logistic::Logistic,
    power::Power,
    huber::Huber,
    pseudo_huber::PseudoHuber,
    squared_hinge::SquaredHinge,
    poisson::Poisson,
    gamma::Gamma,
    multinomial::Multinomial,
}

/// A scalar loss phi(u, y), convex in u, with the derivatives that the three estimators need.
///
/// Implementations compute every method without overflow where the result itself does not overflow.
pub trait Loss: Sync {
    /// phi(u, y).
    fn value(&self, u: f64, y: f64) -> f64;

    /// (phi_u, phi_y).
    fn first(&self, u: f64, y: f64) -> (f64, f64);

    /// (phi_uu, phi_uy).
    fn second(&self, u: f64, y: f64) -> (f64, f64);

    /// phi_u of consecutive rows, the bits of [`Loss::first`] row by row. Override it where rows together are faster.
    #[inline]
    fn firsts(&self, u: &[f64], y: &[f64], phi_u: &mut [f64]) {
        for ((&u, &y), phi_u) in u.iter().zip(y).zip(phi_u) {
            *phi_u = self.first(u, y).0;
        }
    }

    /// phi_uu and phi_uy of consecutive rows, the bits of [`Loss::second`] row by row. Override it where rows together are
    /// faster.
    #[inline]
    fn seconds(&self, u: &[f64], y: &[f64], phi_uu: &mut [f64], phi_uy: &mut [f64]) {
        for (((&u, &y), phi_uu), phi_uy) in u.iter().zip(y).zip(phi_uu).zip(phi_uy) {
            (*phi_uu, *phi_uy) = self.second(u, y);
        }
    }

    /// A bound on phi_uu(., y) over the u with phi(u, y) <= `level`; `None` if there is none or it is not known.
    fn curvature(&self, y: f64, level: f64) -> Option<f64>;

    /// A lower bound of phi(., y); minus infinity if there is none. By it the level of a sum bounds the level of each term.
    fn lower_bound(&self, _y: f64) -> f64 {
        0.0
    }

    /// Whether phi_uu and phi_uy are constants, the same number at every (u, y).
    fn is_quadratic(&self) -> bool {
        false
    }

    /// How phi(c u, y) goes on for c >= 1. By it a sum is known to have no minimum.
    fn recession(&self, _u: f64, _y: f64) -> Recession {
        Recession::Rises
    }

    /// What holds between u and any v with |v - u| <= `h`, which may be infinite; `None` where nothing is known. By it gradients are
    /// certified. NaN is no answer.
    fn between(&self, _u: f64, _y: f64, _h: f64) -> Option<Between> {
        None
    }

    /// Secants, curvatures and crosses of [`Loss::between`] of consecutive rows, with an `h` for each: its bits row by row, NaN where it is `None`.
    /// Override it where rows together are faster.
    #[inline]
    fn betweens(&self, u: &[f64], y: &[f64], h: &[f64], [secants, curvatures, crosses]: [&mut [f64]; 3]) {
        for (i, (&u, &y)) in u.iter().zip(y).enumerate() {
            let Between { secant, curvature, cross } = self.between(u, y, h[i]).unwrap_or(Between::UNKNOWN);
            (secants[i], curvatures[i], crosses[i]) = (secant, curvature, cross);
        }
    }

    /// How fast phi_uu and phi_uy change between u and any v with |v - u| <= `h`, which may be infinite; `None` where nothing is known. By it
    /// hypergradients are certified. NaN is no answer.
    fn third(&self, _u: f64, _y: f64, _h: f64) -> Option<Third> {
        None
    }

    /// Whether phi is a function of u - y alone, and computed from it, so that phi_uy = -phi_uu and rounding is relative to u and y.
    fn is_of_difference(&self) -> bool {
        false
    }

    /// phi(u, y) + phi*(c, y) - c u with the slope c = `share` phi_u(v, y), 0 <= `share` <= 1, and phi* the convex conjugate of phi(., y): what a
    /// row adds to a duality gap. At least 0, and 0 where c is phi_u(u, y). `None` where phi* is not known.
    fn fenchel_young(&self, _u: f64, _v: f64, _y: f64, _share: f64) -> Option<f64> {
        None
    }
}

/// A loss of a type that is chosen at run time.
impl Loss for &dyn Loss {
    fn value(&self, u: f64, y: f64) -> f64 {
        (**self).value(u, y)
    }

    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        (**self).first(u, y)
    }

    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        (**self).second(u, y)
    }

    fn firsts(&self, u: &[f64], y: &[f64], phi_u: &mut [f64]) {
        (**self).firsts(u, y, phi_u);
    }

    fn seconds(&self, u: &[f64], y: &[f64], phi_uu: &mut [f64], phi_uy: &mut [f64]) {
        (**self).seconds(u, y, phi_uu, phi_uy);
    }

    fn curvature(&self, y: f64, level: f64) -> Option<f64> {
        (**self).curvature(y, level)
    }

    fn lower_bound(&self, y: f64) -> f64 {
        (**self).lower_bound(y)
    }

    fn is_quadratic(&self) -> bool {
        (**self).is_quadratic()
    }

    fn recession(&self, u: f64, y: f64) -> Recession {
        (**self).recession(u, y)
    }

    fn between(&self, u: f64, y: f64, h: f64) -> Option<Between> {
        (**self).between(u, y, h)
    }

    fn betweens(&self, u: &[f64], y: &[f64], h: &[f64], out: [&mut [f64]; 3]) {
        (**self).betweens(u, y, h, out);
    }

    fn third(&self, u: f64, y: f64, h: f64) -> Option<Third> {
        (**self).third(u, y, h)
    }

    fn is_of_difference(&self) -> bool {
        (**self).is_of_difference()
    }

    fn fenchel_young(&self, u: f64, v: f64, y: f64, share: f64) -> Option<f64> {
        (**self).fenchel_young(u, v, y, share)
    }
}

/// How a convex function goes on along a ray.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recession {
    /// It rises sooner or later, or nothing is known.
    Rises,
    /// It is constant.
    Level,
    /// It falls for ever, towards a bound or not.
    Falls,
}

/// A loss phi(u, y) of one row with u and y in R^k, convex in u.
pub trait RowLoss: Sync {
    /// k, at least 1.
    fn width(&self) -> usize;

    /// phi(u, y).
    fn value(&self, u: &[f64], y: &[f64]) -> f64;

    /// `out += scale phi_u`.
    fn grad_u(&self, u: &[f64], y: &[f64], scale: f64, out: &mut [f64]);

    /// `out += scale phi_y`.
    fn grad_y(&self, u: &[f64], y: &[f64], scale: f64, out: &mut [f64]);

    /// <phi_u, du>.
    fn value_tangent(&self, u: &[f64], y: &[f64], du: &[f64]) -> f64;

    /// `out = scale (phi_uu du + phi_uy dy)`; `dy` is empty for 0.
    fn grad_u_tangent(&self, u: &[f64], y: &[f64], du: &[f64], dy: &[f64], scale: f64, out: &mut [f64]);

    /// `out += scale phi_yu du`.
    fn grad_y_tangent(&self, u: &[f64], y: &[f64], du: &[f64], scale: f64, out: &mut [f64]);

    /// `out = w phi_u` of consecutive rows, with their weights w, empty for ones.
    #[inline]
    fn grad_u_of_rows(&self, u: &[f64], y: &[f64], weights: &[f64], out: &mut [f64]) {
        let width = self.width();
        out.fill(0.0);
        for (k, out) in out.chunks_exact_mut(width).enumerate() {
            let part = k * width..(k + 1) * width;
            self.grad_u(&u[part.clone()], &y[part], weights.get(k).copied().unwrap_or(1.0), out);
        }
    }

    /// `out = w phi_uu du` and, unless it is empty, `y_out += scale w phi_yu du`, of at most
    /// [`BLOCK_ROWS`](crate::design::BLOCK_ROWS) consecutive rows, with their weights w, empty for ones.
    #[inline]
    fn grad_tangents_of_rows(
        &self,
        [u, y, du]: [&[f64]; 3],
        weights: &[f64],
        out: &mut [f64],
        (scale, y_out): (f64, &mut [f64]),
    ) {
        let width = self.width();
        for (k, out) in out.chunks_exact_mut(width).enumerate() {
            let part = k * width..(k + 1) * width;
            let (weight, [u, y, du]) = (weights.get(k).copied().unwrap_or(1.0), [u, y, du].map(|v| &v[part.clone()]));
            self.grad_u_tangent(u, y, du, &[], weight, out);
            if !y_out.is_empty() {
                self.grad_y_tangent(u, y, du, scale * weight, &mut y_out[part]);
            }
        }
    }

    /// A bound on the largest eigenvalue of phi_uu(., y) over the u with phi(u, y) <= `level`; `None` if there is none or
    /// it is not known.
    fn curvature(&self, y: &[f64], level: f64) -> Option<f64>;

    /// A lower bound of phi(., y); minus infinity if there is none.
    fn lower_bound(&self, y: &[f64]) -> f64;

    /// How phi(c u, y) goes on for c >= 1.
    fn recession(&self, u: &[f64], y: &[f64]) -> Recession;

    /// Whether phi_uu and phi_uy are the same at every (u, y).
    fn is_quadratic(&self) -> bool {
        false
    }

    /// The largest rank that phi_uu can have.
    fn rank(&self) -> usize {
        self.width()
    }

    /// What holds between u and any v with ‖v - u‖ <= `h`, which may be infinite; `None` where nothing is known.
    fn between(&self, _u: &[f64], _y: &[f64], _h: f64) -> Option<Between> {
        None
    }

    /// Secants, curvatures and crosses of [`RowLoss::between`] of consecutive rows, with an `h` for each: NaN where it is `None`.
    #[inline]
    fn between_of_rows(&self, u: &[f64], y: &[f64], h: &[f64], [secants, curvatures, crosses]: [&mut [f64]; 3]) {
        let width = self.width();
        for (i, (u, y)) in u.chunks_exact(width).zip(y.chunks_exact(width)).enumerate() {
            let Between { secant, curvature, cross } = self.between(u, y, h[i]).unwrap_or(Between::UNKNOWN);
            (secants[i], curvatures[i], crosses[i]) = (secant, curvature, cross);
        }
    }

    /// How fast phi_uu and phi_uy change between u and any v with ‖v - u‖ <= `h`, which may be infinite; `None` where nothing is known.
    fn third(&self, _u: &[f64], _y: &[f64], _h: f64) -> Option<Third> {
        None
    }

    /// Whether phi is a function of u - y alone, and computed from it, so that phi_uy = -phi_uu and rounding is relative to u and y.
    fn is_of_difference(&self) -> bool {
        false
    }

    /// The same as a loss of one prediction a row, if it is one.
    fn as_scalar(&self) -> Option<&dyn Loss> {
        None
    }
}

impl<L: Loss> RowLoss for L {
    #[inline]
    fn width(&self) -> usize {
        1
    }

    #[inline]
    fn value(&self, u: &[f64], y: &[f64]) -> f64 {
        Loss::value(self, u[0], y[0])
    }

    #[inline]
    fn grad_u(&self, u: &[f64], y: &[f64], scale: f64, out: &mut [f64]) {
        out[0] += scale * self.first(u[0], y[0]).0;
    }

    #[inline]
    fn grad_y(&self, u: &[f64], y: &[f64], scale: f64, out: &mut [f64]) {
        out[0] += scale * self.first(u[0], y[0]).1;
    }

    #[inline]
    fn value_tangent(&self, u: &[f64], y: &[f64], du: &[f64]) -> f64 {
        self.first(u[0], y[0]).0 * du[0]
    }

    #[inline]
    fn grad_u_tangent(&self, u: &[f64], y: &[f64], du: &[f64], dy: &[f64], scale: f64, out: &mut [f64]) {
        let (phi_uu, phi_uy) = self.second(u[0], y[0]);
        out[0] = scale * phi_uu * du[0];
        if let [dy] = dy {
            out[0] += scale * phi_uy * dy;
        }
    }

    #[inline]
    fn grad_y_tangent(&self, u: &[f64], y: &[f64], du: &[f64], scale: f64, out: &mut [f64]) {
        out[0] += scale * self.second(u[0], y[0]).1 * du[0];
    }

    #[inline]
    fn grad_u_of_rows(&self, u: &[f64], y: &[f64], weights: &[f64], out: &mut [f64]) {
        self.firsts(u, y, out);
        out.iter_mut().zip(weights).for_each(|(out, weight)| *out *= weight);
    }

    #[inline]
    fn grad_tangents_of_rows(
        &self,
        [u, y, du]: [&[f64]; 3],
        weights: &[f64],
        out: &mut [f64],
        (scale, y_out): (f64, &mut [f64]),
    ) {
        let mut phi_uy = [0.0; crate::design::BLOCK_ROWS];
        let phi_uy = &mut phi_uy[..u.len()];
        self.seconds(u, y, out, phi_uy);
        out.iter_mut().zip(weights).for_each(|(out, weight)| *out *= weight);
        out.iter_mut().zip(du).for_each(|(out, du)| *out *= du);
        if weights.is_empty() {
            y_out.iter_mut().zip(phi_uy).zip(du).for_each(|((out, phi_uy), du)| *out += scale * *phi_uy * du);
        } else {
            let rows = y_out.iter_mut().zip(phi_uy).zip(du).zip(weights);
            rows.for_each(|(((out, phi_uy), du), weight)| *out += scale * weight * *phi_uy * du);
        }
    }

    fn curvature(&self, y: &[f64], level: f64) -> Option<f64> {
        Loss::curvature(self, y[0], level)
    }

    fn lower_bound(&self, y: &[f64]) -> f64 {
        Loss::lower_bound(self, y[0])
    }

    fn recession(&self, u: &[f64], y: &[f64]) -> Recession {
        Loss::recession(self, u[0], y[0])
    }

    fn is_quadratic(&self) -> bool {
        Loss::is_quadratic(self)
    }

    #[inline]
    fn between(&self, u: &[f64], y: &[f64], h: f64) -> Option<Between> {
        Loss::between(self, u[0], y[0], h)
    }

    #[inline]
    fn between_of_rows(&self, u: &[f64], y: &[f64], h: &[f64], out: [&mut [f64]; 3]) {
        self.betweens(u, y, h, out);
    }

    #[inline]
    fn third(&self, u: &[f64], y: &[f64], h: f64) -> Option<Third> {
        Loss::third(self, u[0], y[0], h)
    }

    fn is_of_difference(&self) -> bool {
        Loss::is_of_difference(self)
    }

    fn as_scalar(&self) -> Option<&dyn Loss> {
        Some(self)
    }
}

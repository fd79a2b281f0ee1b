//! L(z, x) = F(z, x) + R(z, x): F twice differentiable, R convex with kinks and a proximal operator that is cheap.
//!
//! ```text
//! prox_{rho R}(v) = argmin_z  ‖z - v‖² / 2 + rho R(z, x)
//! ```
//!
//! L is an [`Objective`] whose `grad_z` is the subgradient of least norm, which is 0 at minima alone; it is no [`Problem`], as it has no Hessian where it has
//! a kink. On its [`Composite::support`], where it stays smooth, it is one: [`Composite::restricted`].
//!
//! Source: Combettes and Wajs, Signal recovery by proximal forward-backward splitting, Multiscale Modeling & Simulation 4, 2005; derivatives of
//! prox outside kinks, Deledalle et al., Stein unbiased gradient estimator of the risk, SIAM J. Imaging Sciences 7, 2014.

use super::{Objective, Point, Problem};
use crate::certificate::{AnalyticBound, Unproved};
use crate::ctx::Ctx;

/// A sum of a smooth function and one with kinks.
pub trait Composite: Objective {
    /// F.
    type Smooth: Problem + ?Sized;
    /// L on a support, as a function of the coordinates in it.
    type Restricted: Problem;

    /// F, with the same z, x and memo as L.
    fn smooth(&self) -> &Self::Smooth;

    /// A bound, or an estimate slightly above, of the largest eigenvalue of F_zz on the sublevel set of L at `at`.
    fn smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
        self.smooth().smoothness(at, ctx)
    }

    /// `z <- prox_{rho R}(z)`.
    fn prox(&self, rho: f64, x: &[f64], z: &mut [f64]);

    /// The derivative of z = prox_{rho R}(v) backwards: `x_out += (dz/dx)^T dual`, then `dual <- (dz/dv)^T dual`. `x_out` may be empty.
    fn prox_pull(&self, rho: f64, x: &[f64], z: &[f64], dual: &mut [f64], x_out: &mut [f64]);

    /// The same forwards: `tangent <- dz/dv tangent + dz/dx dx`.
    fn prox_push(&self, rho: f64, x: &[f64], z: &[f64], dx: &[f64], tangent: &mut [f64]);

    /// `gradient`, which is grad_z F at z, becomes the subgradient of L of least norm.
    fn least_subgradient(&self, x: &[f64], z: &[f64], gradient: &mut [f64]);

    /// P - D, P = L at `primal` and D the value of the dual problem at the point made of the gradient of F that `dual` holds: a bound on L - l(x), 0 at the
    /// minimum. `primal` needs z and the memo, `dual` the memo and `grad_z`, that of F. `None` where the dual problem is not known.
    fn gap(&self, primal: Point<'_>, dual: Point<'_>) -> Option<f64>;

    /// A bound on ‖grad_x L(z, x) - grad l(x)‖ by the gap in exact arithmetic; `at` needs z, the memo and, as `grad_z`, the gradient of F.
    ///
    /// # Errors
    ///
    /// [`Unproved`], with the reason, where none is known.
    fn bound_by_gap(&self, _at: Point<'_>) -> Result<AnalyticBound, Unproved> {
        Err(Unproved::Unknown)
    }

    /// The coordinates in which L is smooth around z, in increasing order.
    fn support(&self, x: &[f64], z: &[f64]) -> Vec<usize>;

    /// L as a function of the coordinates in `support`, those of z that are left out at `at`, with the x at which it stands.
    fn restricted(&self, at: Point<'_>, support: &[usize]) -> (Self::Restricted, Vec<f64>);

    /// `out += scale L_xz v` for v that is 0 outside the support.
    fn cross_on_support(&self, at: Point<'_>, v: &[f64], scale: f64, out: &mut [f64], ctx: &mut Ctx);

    /// `out = L_zx w` on the support; off it `out` is not to be read.
    fn cross_t_on_support(&self, at: Point<'_>, w: &[f64], out: &mut [f64], ctx: &mut Ctx);

    /// How far z is from a kink, `gradient` being grad_z F there.
    fn kinks(&self, x: &[f64], z: &[f64], gradient: &[f64]) -> Kinks;
}

/// How far a point is from kinks of R, in the two ways in which z*(x) can meet one as x moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kinks {
    /// Coordinates in the support, k.
    pub support: usize,
    /// The least |z_j| over the support, of coordinates that have a kink; infinite where there is none.
    pub least: f64,
    /// The least of what is left of a kink, 1 - |F_j| / lambda_j, over the coordinates at one; infinite where there is none. 0 or less is a kink of z*(x).
    pub slack: f64,
}

impl Kinks {
    /// Whether z is at a kink, as far as a z can tell that is known to `tolerance` times `largest`, its largest entry: z*(x) then has other slopes on one side of x than on
    /// the other along some direction, or one cannot say that it has not.
    #[must_use]
    pub fn are_met(&self, tolerance: f64, largest: f64) -> bool {
        self.slack <= tolerance || self.least <= tolerance * largest
    }
}

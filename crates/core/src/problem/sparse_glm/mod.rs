//! Sparse generalised linear problems, the Lasso among them:
//!
//! ```text
//! L(z, x) = sum_i w_i phi(u_i, y_i) + sum_j lambda_g(j) (a |z_j| + (1 - a) z_j² / 2),   u = D z,   z >= 0 where that is asked, but for free columns
//! ```
//!
//! F are the losses, R is the penalty. With l = a lambda_j and q = (1 - a) lambda_j, for one coordinate:
//!
//! | | |
//! |---|---|
//! | prox of rho R at v | sign(v) max(\|v\| - rho l, 0) / (1 + rho q); max(v - rho l, 0) / (1 + rho q) for z >= 0 |
//! | its derivative in v | 1 / (1 + rho q) where it is not 0, else 0 |
//! | in log lambda | -rho (l sign(z) + q z) / (1 + rho q) where it is not 0, else 0 |
//!
//! With g = grad F = D^T (w phi_u) and 0 <= s <= 1 the largest share for which s |g_j| <= l wherever q = 0, weak duality gives the gap
//!
//! ```text
//! sum_i w_i (phi(u_i) + phi*(c_i) - c_i u_i) + sum_j (l |z_j| + q z_j² / 2 + max(s |g_j| - l, 0)² / (2 q) + s g_j z_j),   c_i = s phi_u
//! ```
//!
//! of which no term is negative, so that nothing cancels near 0. x is one of targets, weights, log lambda or the entries of D, as in [`glm`](super::glm).
//!
//! Source: Tibshirani, Journal of the Royal Statistical Society B 58, 1996; Zou and Hastie 2005; the gap of the Lasso, Kim et al., IEEE J. Selected
//! Topics in Signal Processing 1, 2007, and of other losses Ndiaye et al., Gap safe screening rules, JMLR 18, 2017.

mod bound;
mod products;
mod sweep;

pub use self::sweep::Columns;

use std::sync::Arc;

use thiserror::Error;

use super::glm::regularisation::Regularisation;
use super::glm::{FREE, Glm, GlmError, Wrt};
use super::loss::{Loss, Squared};
use super::penalty::{Penalty, Unpenalised};
use crate::design::{Design, Matrix};

/// The Lasso, 1/2 ‖y - D z‖² + lambda ‖z‖_1.
pub type Lasso = SparseGlm<Squared>;

/// A generalised linear problem with an l1 penalty, over a [`Design`].
#[derive(Clone, Debug)]
pub struct SparseGlm<L> {
    /// F, with the lambdas of R.
    smooth: Glm<L, Unpenalised>,
    penalty: ElasticNet,
}

/// The share of |z| is out of its range.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("share {share} of |z| in the penalty, expected a number above 0 and at most 1")]
pub struct InvalidShare {
    /// What was given.
    pub share: f64,
}

/// r(z) = a |z| + (1 - a) z²/2, infinite below 0 where z must not be negative. Its derivatives are those where z is not 0; at 0, r' counts as 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ElasticNet {
    share: f64,
    nonnegative: bool,
}

impl ElasticNet {
    /// a.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Whether z must not be negative.
    #[must_use]
    pub fn is_nonnegative(&self) -> bool {
        self.nonnegative
    }

    /// The minimiser of (z - v)²/2 + rho (l |z| + q z²/2), [l, q] those of one coordinate.
    #[must_use]
    pub fn prox(&self, v: f64, rho: f64, [l, q]: [f64; 2]) -> f64 {
        let beyond = if self.nonnegative { v.max(0.0) } else { v.abs() } - rho * l;
        if beyond > 0.0 {
            beyond.copysign(v) / (1.0 + rho * q)
        } else if v.is_nan() {
            v
        } else {
            0.0
        }
    }

    /// Whether a coordinate is neither at the kink of l |z| nor, where z must not be negative, at its bound.
    fn is_smooth(&self, z: f64, l: f64) -> bool {
        z != 0.0 || (l == 0.0 && !self.nonnegative)
    }

    /// [l, q] of lambda.
    fn parts(&self, lambda: f64) -> [f64; 2] {
        [self.share * lambda, (1.0 - self.share) * lambda]
    }

    /// How far a slope of F, downwards along +1, goes beyond what |z| holds back at 0.
    fn beyond(&self, gradient: f64, l: f64) -> f64 {
        if self.nonnegative { -gradient - l } else { gradient.abs() - l }
    }
}

impl Penalty for ElasticNet {
    #[inline]
    fn value(&self, z: f64) -> f64 {
        if self.nonnegative && z < 0.0 {
            return f64::INFINITY;
        }
        self.share * z.abs() + (1.0 - self.share) * (0.5 * z * z)
    }

    #[inline]
    fn first(&self, z: f64) -> f64 {
        let sign = if z == 0.0 { 0.0 } else { z.signum() };
        self.share * sign + (1.0 - self.share) * z
    }

    #[inline]
    fn second(&self, _z: f64) -> f64 {
        1.0 - self.share
    }

    fn curvature(&self) -> (f64, f64) {
        (1.0 - self.share, 1.0 - self.share)
    }
}

impl<L: Loss> SparseGlm<L> {
    /// sum_i phi((D z)_i, x_i) + lambda ‖z‖_1: the parameter x are the targets, every weight is 1.
    ///
    /// # Errors
    ///
    /// As [`Glm::new`].
    pub fn new(design: impl Into<Arc<Design>>, loss: L, lambda: f64) -> Result<Self, GlmError> {
        let smooth = Glm::new(design, loss, lambda)?.penalised_by(Unpenalised);
        Ok(Self { smooth, penalty: ElasticNet { share: 1.0, nonnegative: false } })
    }

    /// The same problem with the penalty lambda (a |z| + (1 - a) z²/2), a = `share`: an elastic net.
    ///
    /// # Errors
    ///
    /// [`InvalidShare`] unless 0 < a <= 1.
    pub fn elastic(self, share: f64) -> Result<Self, InvalidShare> {
        if share > 0.0 && share <= 1.0 {
            Ok(Self { penalty: ElasticNet { share, ..self.penalty }, ..self })
        } else {
            Err(InvalidShare { share })
        }
    }

    /// The same problem over z >= 0, but for the columns without a penalty ([`FREE`]), such as that of an intercept.
    #[must_use]
    pub fn nonnegative(self) -> Self {
        Self { penalty: ElasticNet { nonnegative: true, ..self.penalty }, ..self }
    }

    /// The same problem with a weight for each row.
    ///
    /// # Errors
    ///
    /// As [`Glm::weighted`].
    pub fn weighted(self, weights: Vec<f64>) -> Result<Self, GlmError> {
        Ok(Self { smooth: self.smooth.weighted(weights)?, ..self })
    }

    /// The same problem with a penalty lambda_g for each group g of columns; `groups` names that of each column, from 0, or
    /// [`FREE`]. A column without a penalty is never 0 but by chance.
    ///
    /// # Errors
    ///
    /// As [`Glm::grouped`].
    pub fn grouped(self, lambdas: Vec<f64>, groups: Vec<u32>) -> Result<Self, GlmError> {
        Ok(Self { smooth: self.smooth.grouped(lambdas, groups)?, ..self })
    }

    /// The same problem with another parameter, as [`Glm::wrt`]; returns the x at which the problem stands.
    ///
    /// # Errors
    ///
    /// As [`Glm::wrt`].
    pub fn wrt(self, wrt: Wrt, targets: Vec<f64>) -> Result<(Self, Vec<f64>), GlmError> {
        let (smooth, x) = self.smooth.wrt(wrt, targets)?;
        Ok((Self { smooth, ..self }, x))
    }

    /// The same problem with its lambdas multiplied by `factor`.
    ///
    /// # Errors
    ///
    /// [`GlmError::LambdasAreX`] where x are the logarithms of the lambdas, [`GlmError::Lambda`] for a factor below 0 or not finite.
    pub fn scaled(&self, factor: f64) -> Result<Self, GlmError>
    where
        L: Clone,
    {
        Ok(Self { smooth: self.smooth.scaled(factor)?, ..self.clone() })
    }

    /// D.
    #[must_use]
    pub fn design(&self) -> &Arc<Design> {
        self.smooth.design()
    }

    /// phi.
    #[must_use]
    pub fn loss(&self) -> &L {
        self.smooth.loss()
    }

    /// D at x.
    #[must_use]
    pub fn matrix<'a>(&'a self, x: &'a [f64]) -> Matrix<'a> {
        self.smooth.matrix(x)
    }

    /// y at x, length n.
    #[must_use]
    pub fn targets<'a>(&'a self, x: &'a [f64]) -> &'a [f64] {
        self.smooth.targets(x)
    }

    /// w at x, length n; empty for ones.
    #[must_use]
    pub fn weights<'a>(&'a self, x: &'a [f64]) -> &'a [f64] {
        self.smooth.weights(x)
    }

    /// Whether x are the entries of D.
    #[must_use]
    pub fn is_of_design(&self) -> bool {
        self.smooth.differentiated() == Wrt::Design
    }

    /// The penalty of a coordinate that is not free.
    #[must_use]
    pub fn penalty(&self) -> ElasticNet {
        self.penalty
    }

    /// That of one in `group`: a free one may be negative.
    fn penalty_of(&self, group: usize) -> ElasticNet {
        ElasticNet { nonnegative: self.penalty.nonnegative && group != FREE as usize, ..self.penalty }
    }

    /// Whether each column is without a penalty, length m.
    #[must_use]
    pub fn free(&self, x: &[f64]) -> Vec<bool> {
        let mut free = vec![false; self.design().columns()];
        self.each(x, |_, group, j| free[j] = group == FREE as usize);
        free
    }

    /// [l, q] of each column at x, length m each: lambda_j times a, and times 1 - a.
    #[must_use]
    pub fn penalties(&self, x: &[f64]) -> [Vec<f64>; 2] {
        let m = self.design().columns();
        let (mut l, mut q) = (vec![0.0; m], vec![0.0; m]);
        self.each(x, |parts, _, j| [l[j], q[j]] = parts);
        [l, q]
    }

    /// The least factor of the lambdas for which z, 0 in every column with a penalty, is a minimum over these; `gradient` is grad F there, length m. With one
    /// lambda, lambda times it is lambda_max, max_j |g_j| / a.
    #[must_use]
    pub fn factor_to_zero(&self, x: &[f64], gradient: &[f64]) -> f64 {
        let mut factor = 0.0_f64;
        self.each(x, |[l, _], _, j| {
            let slope = self.penalty.beyond(gradient[j], 0.0).max(0.0);
            if l > 0.0 {
                factor = factor.max(slope / l);
            }
        });
        factor
    }

    fn regularisation<'a>(&'a self, x: &'a [f64]) -> Regularisation<'a, ElasticNet> {
        let Regularisation { lambdas, logarithms, groups, width, .. } = self.smooth.regularisation(x);
        Regularisation { penalty: &self.penalty, lambdas, logarithms, groups, width }
    }

    /// `update([l, q], group, coordinate)` over the coordinates of z.
    fn each(&self, x: &[f64], mut update: impl FnMut([f64; 2], usize, usize)) {
        let len = self.design().columns();
        self.smooth.regularisation(x).each(len, |lambda, group, j| update(self.penalty.parts(lambda), group, j));
    }
}

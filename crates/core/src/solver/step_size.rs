//! How long a step is.

use super::SolveError;
use crate::ctx::Ctx;
use crate::problem::{Point, Problem};

/// How long the steps of a solver are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum StepSize {
    /// 1/L with L from [`Problem::smoothness`].
    #[default]
    Auto,
    /// This one, kept whatever happens.
    Fixed(f64),
}

impl StepSize {
    /// rho at the start `at`.
    pub(super) fn choose<P: Problem + ?Sized>(
        self,
        problem: &P,
        at: Point<'_>,
        ctx: &mut Ctx,
    ) -> Result<f64, SolveError> {
        self.choose_from(|| problem.smoothness(at, ctx))
    }

    /// rho, `smoothness` being a bound on the curvature where one is known.
    pub(super) fn choose_from(self, smoothness: impl FnOnce() -> Option<f64>) -> Result<f64, SolveError> {
        match self {
            Self::Fixed(rho) if rho > 0.0 && rho.is_finite() => Ok(rho),
            Self::Fixed(rho) => Err(SolveError::InvalidStep { step: rho }),
            Self::Auto => {
                let smoothness = smoothness().ok_or(SolveError::UnknownSmoothness)?;
                if !smoothness.is_finite() {
                    return Err(SolveError::InfiniteSmoothness);
                }
                // Where L_zz is 0 the gradient is constant, and no step is too long.
                Ok(if smoothness > 0.0 { smoothness.recip().min(f64::MAX) } else { 1.0 })
            }
        }
    }
}

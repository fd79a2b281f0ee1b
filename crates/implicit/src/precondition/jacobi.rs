//! M = diag(L_zz).

use std::time::Instant;

use danskin_core::ctx::Ctx;
use danskin_core::linear::{Hessian, LinearError, Stages};
use danskin_core::problem::AssembleHessian;

use super::{Made, Preconditioner};

/// The diagonal of L_zz. Each latent variable is measured in its own unit: the number of iterations does not depend on how columns
/// are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jacobi;

impl<P: AssembleHessian + ?Sized> Preconditioner<P> for Jacobi {
    /// 1 / diagonal.
    type Workspace = Vec<f64>;

    fn name(&self) -> Option<&'static str> {
        Some("jacobi")
    }

    fn prepare(
        &self,
        Hessian { problem, at }: Hessian<'_, P>,
        inverse: &mut Vec<f64>,
        ctx: &mut Ctx,
    ) -> Result<Made, LinearError> {
        let start = Instant::now();
        inverse.resize(problem.latent_len(), 0.0);
        problem.assemble_diagonal(at, inverse, ctx);
        inverse.iter_mut().try_for_each(invert)?;
        let seconds = Stages { form: start.elapsed().as_secs_f64(), ..Stages::default() };
        Ok(Made { seconds, ..Made::default() })
    }

    fn apply(&self, inverse: &mut Vec<f64>, r: &[f64], out: &mut [f64], _: &mut Ctx) {
        out.iter_mut().zip(r).zip(inverse).for_each(|((out, r), inverse)| *out = r * *inverse);
    }
}

/// The reciprocal of a diagonal entry in its place; 1 for that of 0, a coordinate that is in no row and has no penalty.
fn invert(value: &mut f64) -> Result<(), LinearError> {
    let diagonal = *value;
    if !diagonal.is_finite() {
        return Err(LinearError::NotFinite);
    }
    if diagonal < 0.0 {
        return Err(LinearError::NegativeCurvature { curvature: diagonal });
    }
    *value = if diagonal == 0.0 { 1.0 } else { diagonal.recip() };
    Ok(())
}

//! What another D changes in the gradient of l, to first order: the gradient of F(x) = (L_exact - L)(z*(x), x), implicitly.

use danskin::ctx::Ctx;
use danskin::estimator::EstimateError;
use danskin::prelude::*;

use crate::choice::AnyProblem;

/// Relative residual asked of the linear system: the size of a first-order term needs few digits.
const TOLERANCE: f64 = 1e-3;

/// grad l_exact(x) - grad l(x), to first order in their difference, at a `z` near the minimiser of L = `problem`.
///
/// # Errors
///
/// [`SolveError`] if z or x is no point of `problem`; within, [`EstimateError`], as of [`Implicit`].
///
/// # Panics
///
/// If `exact` is a function of other numbers of variables.
pub fn effect(
    problem: &AnyProblem,
    exact: &AnyProblem,
    x: &[f64],
    z: &[f64],
    ctx: &mut Ctx,
) -> Result<Result<Gradient, EstimateError>, SolveError> {
    let solver = GradientDescent::new(StepSize::Fixed(1.0));
    let solution = Solve::new(problem, &solver, x).from(z).stop(Stop::steps(0)).run_in(ctx)?;
    Ok(solution.gradient_in(&Discrepancy::new(exact), &Implicit::new(Cg::default()).tolerance(TOLERANCE), ctx))
}

#[cfg(test)]
mod tests {
    use danskin::testing::random;
    use danskin::vector::{axpy, distance, norm};

    use super::*;

    #[test]
    fn the_effect_is_the_difference_of_the_gradients() {
        let design = random::design(60, 20, 5, 1);
        let (rounded, rounding) = design.rounded().unwrap();
        assert!(rounding.changed > 0);
        let x = random::labels(60, 2);
        let [exact, rounded] = [design, rounded].map(|design| Glm::new(design, Logistic, 0.1).unwrap());
        let newton = Newton::new(Cg::default());
        let [mut difference, of_rounded] = [&exact, &rounded].map(|problem| {
            let solution = Solve::new(problem, &newton, &x).stop(Stop::tolerance(1e-14).within(50)).run().unwrap();
            solution.gradient(&Implicit::new(Cg::default())).unwrap().value
        });
        axpy(-1.0, &of_rounded, &mut difference);
        let solution = Solve::new(&rounded, &newton, &x).stop(Stop::tolerance(1e-14).within(50)).run().unwrap();
        let found = effect(&rounded, &exact, &x, solution.z(), &mut Ctx::new()).unwrap().unwrap();
        // The linear system's tolerance; rounding of the gradients themselves is 1e-8 of a difference of 1e-8.
        let error = distance(&found.value, &difference);
        assert!(error <= 5.0 * TOLERANCE * norm(&difference), "{error:e} of {:e}", norm(&difference));
    }
}

//! z_{t+1} = z_t - s d with L_zz d = grad_z L solved inexactly and s by backtracking.
//!
//! Where L_zz is singular, or has negative curvature, there is no such d, and d = grad_z L.
//!
//! The linear tolerance min(0.1, (‖g_t‖ / ‖g_0‖)^(1/2)) gives superlinear convergence without solving early systems more
//! exactly than they deserve. Source: Dembo, Eisenstat, Steihaug, "Inexact Newton methods", SIAM J. Numer. Anal. 1982.

use super::line_search::LineSearch;
use super::{Iterate, SolveError, Solver, State, Step};
use crate::ctx::Ctx;
use crate::linear::{Factored, Hessian, HessianSolver, LinearError};
use crate::problem::Problem;
use crate::vector::dot;

/// Share of the predicted decrease that a step must achieve.
const SUFFICIENT: f64 = 1e-4;

/// Newton's method over any Hessian solver: with conjugate gradient it is Newton-CG.
///
/// For reference solutions, and for g1 and g3; its iterations are not unrolled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Newton<H> {
    hessian: H,
}

impl<H> Newton<H> {
    /// Newton's method whose steps are solved for by `hessian`.
    #[must_use]
    pub fn new(hessian: H) -> Self {
        Self { hessian }
    }
}

/// What Newton's method carries along: L(z_t, x), where it started, and the Hessian solver's workspace.
#[derive(Debug)]
pub struct Search<W> {
    value: f64,
    initial_residual: f64,
    /// The first trial of the next step along the gradient.
    descent: f64,
    workspace: W,
}

impl<P: Problem + ?Sized, H: HessianSolver<P>> Solver<P> for Newton<H> {
    type State = Iterate<Search<H::Workspace>>;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        let (value, initial_residual, workspace) = (f64::NAN, f64::NAN, H::Workspace::default());
        let search = Search { value, initial_residual, descent: 1.0, workspace };
        let mut state = Iterate::new(problem, x, initial, search, ctx);
        state.carried.value = problem.value(state.at(x), ctx);
        state.carried.initial_residual = state.residual;
        Ok(state)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        if state.residual == 0.0 {
            return Ok(Step::Stalled);
        }
        let mut direction = ctx.take(state.z.len());
        let tolerance = (state.residual / state.carried.initial_residual).sqrt().min(0.1);
        let mut workspace = std::mem::take(&mut state.carried.workspace);
        let solved = Factored::new(&self.hessian, Hessian { problem, at: state.at(x) }, &mut workspace, ctx)
            .and_then(|mut factored| factored.solve(&state.grad_z, tolerance, &mut direction, ctx));
        state.carried.workspace = workspace;
        let newton = match solved {
            Ok(_) => dot(&state.grad_z, &direction) > 0.0,
            Err(
                LinearError::RankDeficient { .. }
                | LinearError::Singular { .. }
                | LinearError::NegativeCurvature { .. },
            ) => false,
            Err(error) => {
                ctx.give(direction);
                return Err(error.into());
            }
        };
        if !newton {
            direction.copy_from_slice(&state.grad_z);
        }
        let (value, first) = (state.carried.value, if newton { 1.0 } else { state.carried.descent });
        let search = LineSearch { value, direction: &direction, first, sufficient: SUFFICIENT };
        let taken = search.run(problem, x, state, ctx);
        ctx.give(direction);
        Ok(match taken {
            Some(taken) => {
                state.carried.value = taken.value;
                if !newton {
                    state.carried.descent = (2.0 * taken.s).min(f64::MAX);
                }
                Step::Advanced
            }
            None => Step::Stalled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::{LinearSolve, LinearStatus};
    use crate::problem::glm::Glm;
    use crate::problem::loss::{Logistic, Loss, Power, Squared};
    use crate::solve::{Solve, Status, Stop};
    use crate::testing::random;
    use crate::vector::{axpy, norm};

    /// Solves L_zz v = b by as many steps of steepest descent as it takes: slow, and enough to test Newton without
    /// another crate.
    #[derive(Default)]
    struct SteepestDescent;

    impl<P: Problem + ?Sized> HessianSolver<P> for SteepestDescent {
        type Workspace = ();

        fn prepare(&self, _: Hessian<'_, P>, (): &mut (), _: &mut Ctx) -> Result<(), LinearError> {
            Ok(())
        }

        fn solve(
            &self,
            hessian: Hessian<'_, P>,
            (): &mut (),
            rhs: &[f64],
            tolerance: f64,
            solution: &mut [f64],
            ctx: &mut Ctx,
        ) -> Result<LinearSolve, LinearError> {
            solution.fill(0.0);
            let (mut r, mut product) = (rhs.to_vec(), vec![0.0; rhs.len()]);
            while norm(&r) > tolerance * norm(rhs) {
                hessian.apply(&r, &mut product, ctx);
                let s = dot(&r, &r) / dot(&r, &product);
                axpy(s, &r, solution);
                axpy(-s, &product, &mut r);
            }
            Ok(LinearSolve::new("steepest descent", LinearStatus::Converged, 0, norm(&r) / norm(rhs), true))
        }
    }

    fn reaches_the_minimum<L: Loss>(loss: L, lambda: f64) {
        let problem = Glm::new(random::design(40, 8, 4, 1), loss, lambda).unwrap();
        let x: Vec<f64> = random::vector(40, 2).iter().map(|x| 3.0 * x).collect();
        let newton = Newton::new(SteepestDescent);
        let solution = Solve::new(&problem, &newton, &x).stop(Stop::tolerance(1e-12).within(60)).run().unwrap();
        assert_eq!(solution.status(), Status::Converged, "{solution:?}");
    }

    #[test]
    fn every_loss_is_minimised_to_rounding() {
        reaches_the_minimum(Squared, 0.1);
        reaches_the_minimum(Logistic, 0.1);
        reaches_the_minimum(Power::new(4.0).unwrap(), 0.1);
        reaches_the_minimum(Power::new(2.5).unwrap(), 1e-3);
    }

    #[test]
    fn at_the_floor_it_stalls_instead_of_wandering() {
        let problem = Glm::new(random::design(40, 8, 4, 1), Logistic, 0.1).unwrap();
        let (x, newton) = (random::labels(40, 2), Newton::new(SteepestDescent));
        let solution = Solve::new(&problem, &newton, &x).stop(Stop::tolerance(0.0).within(60)).run().unwrap();
        assert!(matches!(solution.status(), Status::Stalled | Status::Converged), "{solution:?}");
        assert!(solution.residual() < 1e-14);
    }
}

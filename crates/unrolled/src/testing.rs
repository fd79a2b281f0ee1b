//! Checks of a solver's rule, and of its steps taken again: for users who write their own.

use danskin_core::ctx::{Ctx, bytes_of};
use danskin_core::outer::Linear;
use danskin_core::problem::Objective;
use danskin_core::solve::{Recorder, Solution, Solve, Stop};
use danskin_core::solver::{SolveError, State, Step};
use danskin_core::testing::{Differences, derivative, random};
use danskin_core::vector::{axpy, distance, dot, max_abs, norm};
use thiserror::Error;

use crate::checkpoints::Checkpoints;
use crate::forward::{Forward, Tangents};
use crate::replay::Replay;
use crate::reverse::Automatic;
use crate::rule::Unroll;
use crate::tape::Tape;

/// Relative error allowed between pull and push, for each step.
const ROUNDING: f64 = 1e-12;

/// A rule that is not the derivative of its solver's step.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum RuleMismatch {
    /// `step_recorded` and `step` lead to different z_T.
    #[error("step_recorded: z_T differs by {difference:e} from that of step, expected the same bits")]
    StepRecorded {
        /// Norm of the difference.
        difference: f64,
    },
    /// `push` is not the derivative of the iteration.
    #[error("push: the tangent of z_T differs by {difference:e} from a finite difference of norm {scale:e}")]
    Push {
        /// Norm of the difference.
        difference: f64,
        /// Norm of what was compared.
        scale: f64,
    },
    /// `pull` is not the adjoint of `push`.
    #[error("pull: <dual, tangent> differs by {difference:e} from <x_dual, dx> at a scale of {scale:e}")]
    Pull {
        /// The difference.
        difference: f64,
        /// The scale of what was compared.
        scale: f64,
    },
    /// Steps that are taken again from checkpoints are not those of the solve.
    #[error(
        "replay: in {bytes} bytes the gradient differs by {difference:e} from that over a tape, expected the same bits"
    )]
    Replay {
        /// The budget.
        bytes: u64,
        /// Norm of the difference, NaN where there was no gradient.
        difference: f64,
    },
    /// The solve itself failed.
    #[error(transparent)]
    Solve(#[from] SolveError),
}

/// Checks the rule of `solver` over the first `steps` steps on `problem` at `x`: recording changes no bit, `push` agrees
/// with finite differences of z_T, `pull` is the adjoint of `push`.
///
/// Settings that `solver` derives from x must be fixed, a step size for instance.
///
/// # Errors
///
/// The first [`RuleMismatch`], which names the method that is wrong.
///
/// # Panics
///
/// If the gradient overflows.
pub fn check_rule<P, S>(problem: &P, solver: &S, x: &[f64], steps: usize) -> Result<(), RuleMismatch>
where
    P: Objective + ?Sized,
    S: Unroll<P>,
{
    check_rule_by(Differences::SMOOTH, problem, solver, x, steps)
}

/// As [`check_rule`], by other finite differences.
///
/// # Errors
///
/// As [`check_rule`].
///
/// # Panics
///
/// If the gradient overflows.
pub fn check_rule_by<P, S>(
    differences: Differences,
    problem: &P,
    solver: &S,
    x: &[f64],
    steps: usize,
) -> Result<(), RuleMismatch>
where
    P: Objective + ?Sized,
    S: Unroll<P>,
{
    check_rule_from(differences, problem, solver, x, &vec![0.0; problem.latent_len()], steps)
}

/// As [`check_rule_by`], from z_0 = `initial`: 0 may be a place where second derivatives jump.
///
/// # Errors
///
/// As [`check_rule`].
///
/// # Panics
///
/// If the gradient overflows.
pub fn check_rule_from<P, S>(
    differences: Differences,
    problem: &P,
    solver: &S,
    x: &[f64],
    initial: &[f64],
    steps: usize,
) -> Result<(), RuleMismatch>
where
    P: Objective + ?Sized,
    S: Unroll<P>,
{
    let solve = Fixed { problem, solver, initial, steps };
    let z = solve.latent(x)?;
    let taped = solve.recorded(x, Tape::new())?;
    let difference = distance(&z, taped.z());
    if taped.z() != z {
        return Err(RuleMismatch::StepRecorded { difference });
    }

    let dx = direction(x);
    let forward = solve.recorded(x, Tangents::along(vec![dx.clone()]))?;
    let tangent = &forward.recorder().tangent(0)[..z.len()];
    let moved = |h: f64| {
        let mut moved = x.to_vec();
        axpy(h, &dx, &mut moved);
        solve.latent(&moved)
    };
    differences.at_some_step(x, |step| {
        // z_T is a function of x whose higher derivatives grow with every step: a tenth of what suits one evaluation.
        let numeric = derivative(step / 10.0, moved)?;
        let (difference, scale) = (distance(tangent, &numeric), norm(&numeric).max(norm(&z)));
        // A NaN must not pass.
        let right = difference <= differences.allowed * scale;
        if right { Ok(()) } else { Err(RuleMismatch::Push { difference, scale }) }
    })?;

    let outer = Linear(random::vector(z.len(), 2));
    let pulled = taped.gradient_of(&outer, &Automatic).expect("finite").value;
    let pushed = forward.gradient_of(&outer, &Forward).expect("finite").value;
    // Both are sums that may cancel.
    let scale = (norm(&pulled) * norm(&dx)).max(norm(&outer.0) * norm(tangent));
    let difference = (dot(&pulled, &dx) - pushed[0]).abs();
    if difference.is_nan() || difference > ROUNDING * steps.max(1) as f64 * scale {
        return Err(RuleMismatch::Pull { difference, scale });
    }
    Ok(())
}

/// Checks that `solver` takes its steps again with the same bits: the gradient over the first `steps` steps on `problem` at `x`
/// from checkpoints, in budgets from the least to one that holds all records, against that over a tape.
///
/// # Errors
///
/// [`RuleMismatch::Replay`] at the first budget where they differ.
///
/// # Panics
///
/// If the gradient overflows.
pub fn check_replay<P, S>(problem: &P, solver: &S, x: &[f64], steps: usize) -> Result<(), RuleMismatch>
where
    P: Objective + ?Sized,
    S: Replay<P>,
{
    let outer = Linear(random::vector(problem.latent_len(), 2));
    let solve = Fixed { problem, solver, initial: &vec![0.0; problem.latent_len()], steps };
    let expected = solve.recorded(x, Tape::new())?.gradient_of(&outer, &Automatic).expect("finite").value;
    let (checkpoint, record) = (bytes_of(solver.checkpoint_len(problem)), bytes_of(solver.record_len(problem)));
    let (least, all) = (checkpoint + record, checkpoint + steps.max(1) as u64 * record);
    for bytes in [least, least + checkpoint, least + record, least.midpoint(all), all] {
        let replayed = solve.recorded(x, Checkpoints::within(bytes))?;
        let difference = match replayed.gradient_of(&outer, &Automatic) {
            Ok(found) if found.value == expected => continue,
            Ok(found) => distance(&found.value, &expected),
            Err(_) => f64::NAN,
        };
        return Err(RuleMismatch::Replay { bytes, difference });
    }
    Ok(())
}

/// A random direction in which entries of x move in proportion to their size: z_T may depend steeply on a small one.
fn direction(x: &[f64]) -> Vec<f64> {
    let largest = max_abs(x).max(f64::MIN_POSITIVE);
    random::vector(x.len(), 1).iter().zip(x).map(|(w, x)| w * (x.abs() / largest + 1e-3)).collect()
}

/// The same number of steps from the same place, at any x.
struct Fixed<'a, P: ?Sized, S> {
    problem: &'a P,
    solver: &'a S,
    initial: &'a [f64],
    steps: usize,
}

impl<'a, P: Objective + ?Sized, S: Unroll<P>> Fixed<'a, P, S> {
    /// By steps alone, as x that is moved for a difference quotient need not be one that a solve takes.
    fn latent(&self, x: &[f64]) -> Result<Vec<f64>, SolveError> {
        let mut ctx = Ctx::new();
        let mut state = self.solver.init(self.problem, x, self.initial, &mut ctx)?;
        let mut taken = 0;
        while taken < self.steps && state.residual().is_finite() {
            match self.solver.step(self.problem, x, &mut state, &mut ctx)? {
                Step::Advanced => taken += 1,
                Step::Restarted => taken = 0,
                Step::Stalled => break,
            }
        }
        Ok(state.into_latent())
    }

    fn recorded<R: Recorder<P, S>>(&self, x: &'a [f64], recorder: R) -> Result<Solution<'a, P, S, R>, SolveError> {
        let solve = Solve::new(self.problem, self.solver, x).from(self.initial).stop(Stop::steps(self.steps));
        solve.record(recorder).run()
    }
}

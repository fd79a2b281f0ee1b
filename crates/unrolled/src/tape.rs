//! The tape: one record a step, of all steps or of the last ones.

use danskin_core::ctx::{Cost, Ctx, Phase, bytes_of};
use danskin_core::estimator::EstimateError;
use danskin_core::problem::Objective;
use danskin_core::solve::{Recorder, Solution};
use danskin_core::solver::{SolveError, Solver, Step};

use crate::records::Records;
use crate::reverse::{Pull, Reversible};
use crate::rule::Unroll;

/// Records the steps of a solve, for [`Automatic`](crate::Automatic): all of them, or the last K.
///
/// It takes [`Unroll::record_len`] numbers a step: for gradient descent m or n, whichever is smaller, and none where the second
/// derivatives of L are constant.
#[derive(Clone, Debug)]
pub struct Tape {
    records: Records,
    /// Records at the most.
    most: usize,
    steps: usize,
}

impl Default for Tape {
    fn default() -> Self {
        Self::last(usize::MAX)
    }
}

impl Tape {
    /// An empty tape for every step.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty tape that keeps the records of the last `steps` steps, K. The gradient over it takes z_{T-K} for a constant:
    ///
    /// ```text
    /// a_T = grad_z f(z_T, x);  for t = T-1 .. T-K: b += (dA/dx)^T a, a <- (dA/dz)^T a;  g = grad_x f(z_T, x) + b
    /// ```
    ///
    /// in K passes. For K >= T that is g2, for K = 0 grad_x f, for K = 1 one-step differentiation. Of a solver that carries more
    /// than z_t, the rest is taken for a constant too. Where the iteration has rate kappa, dz_T/dx is wrong by a share of kappa^K, and
    /// so is what it adds to grad_x f.
    ///
    /// Source: Bolte, Pauwels, Vaiter, One-step differentiation of iterative algorithms, NeurIPS 2023; Shaban, Cheng, Hatch, Boots,
    /// Truncated back-propagation for bilevel optimization, AISTATS 2019.
    #[must_use]
    pub fn last(steps: usize) -> Self {
        Self { records: Records::default(), most: steps, steps: 0 }
    }

    /// Steps recorded: all that were taken, or the last K.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.min(self.most)
    }

    /// Whether no step is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record of the step from t = `index` to t + 1.
    ///
    /// # Panics
    ///
    /// If that step was not taken, or is not one of the last K.
    #[must_use]
    pub fn record(&self, index: usize) -> &[f64] {
        let first = self.steps - self.len();
        assert!((first..self.steps).contains(&index), "step {index} of a tape of steps {first} to {}", self.steps);
        self.records.get(index % self.most)
    }

    /// Bytes recorded.
    fn bytes(&self) -> u64 {
        bytes_of(self.len().saturating_mul(self.records.each()))
    }
}

impl<P: Objective + ?Sized, S: Unroll<P>> Recorder<P, S> for Tape {
    fn begin(&mut self, problem: &P, solver: &S, _: &[f64], _: &S::State, _: &mut Ctx) -> Result<(), SolveError> {
        self.records.fit(solver.record_len(problem), self.most);
        self.steps = 0;
        Ok(())
    }

    fn step(
        &mut self,
        problem: &P,
        solver: &S,
        x: &[f64],
        state: &mut <S as Solver<P>>::State,
        ctx: &mut Ctx,
    ) -> Result<Step, SolveError> {
        let step = if self.most == 0 {
            solver.step(problem, x, state, ctx)?
        } else {
            let bytes = self.bytes();
            let record = self.records.get_mut(self.steps % self.most);
            let record =
                record.map_err(|more| SolveError::OutOfMemory { bytes: bytes.saturating_add(bytes_of(more)) })?;
            solver.step_recorded(problem, x, state, record, ctx)?
        };
        self.steps += usize::from(step == Step::Advanced);
        Ok(step)
    }

    fn cost(&self) -> Cost {
        Cost::default().and_bytes(self.bytes())
    }
}

impl<P: Objective + ?Sized, S: Unroll<P>> Reversible<P, S> for Tape {
    fn reverse(&self, _: &Solution<'_, P, S, Self>, pull: Pull<'_>, ctx: &mut Ctx) -> Result<(), EstimateError> {
        for (done, index) in (self.steps - self.len()..self.steps).rev().enumerate() {
            pull(index, self.record(index), ctx);
            if ctx.tick(Phase::Reverse, done + 1, self.len()).is_break() {
                return Err(EstimateError::Interrupted);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use danskin_core::problem::glm::Glm;
    use danskin_core::problem::loss::Logistic;
    use danskin_core::solve::{Solve, Stop};
    use danskin_core::solver::GradientDescent;
    use danskin_core::testing::random;

    use super::*;

    #[test]
    fn records_are_the_iterates_whatever_the_chunks() {
        // More columns than rows: D z_t is recorded; three records a chunk.
        let (n, m) = (40_000, 40_001);
        let problem = Glm::new(random::design(n, m, 2, 1), Logistic, 0.1).unwrap();
        let (x, solver) = (random::labels(n, 2), GradientDescent::default());
        let solve = |t| Solve::new(&problem, &solver, &x).stop(Stop::steps(t));
        let taped = solve(8).record(Tape::new()).run().unwrap();
        let last = solve(8).record(Tape::last(4)).run().unwrap();
        assert_eq!((taped.recorder().len(), last.recorder().len()), (8, 4));
        assert_eq!((taped.recorder().records.chunks(), last.recorder().records.chunks()), (3, 2));
        let mut u = vec![0.0; problem.parameter_len()];
        let mut ctx = Ctx::new();
        for t in 0..8 {
            let plain = solve(t).run().unwrap();
            problem.design().matrix().apply(plain.z(), &mut u, &mut ctx);
            assert_eq!(taped.recorder().record(t), u, "t = {t}");
            if t >= 4 {
                assert_eq!(last.recorder().record(t), u, "t = {t}");
            }
        }
    }

    #[test]
    fn a_tape_is_empty_before_and_after_no_steps() {
        let problem = Glm::new(random::design(4, 3, 2, 1), Logistic, 0.1).unwrap();
        let (x, solver) = (random::labels(4, 2), GradientDescent::default());
        let taped = Solve::new(&problem, &solver, &x).stop(Stop::steps(0)).record(Tape::new()).run().unwrap();
        assert!(Tape::new().is_empty() && taped.recorder().is_empty());
    }

    #[test]
    #[should_panic(expected = "step 3 of a tape of steps 4 to 8")]
    fn what_is_forgotten_cannot_be_had() {
        let problem = Glm::new(random::design(4, 3, 2, 1), Logistic, 0.1).unwrap();
        let (x, solver) = (random::labels(4, 2), GradientDescent::default());
        let taped = Solve::new(&problem, &solver, &x).stop(Stop::steps(8)).record(Tape::last(4)).run().unwrap();
        let _ = taped.recorder().record(3);
    }
}

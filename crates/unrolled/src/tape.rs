//! The tape: one record a step, in chunks that are touched once.

use danskin_core::ctx::{Cost, Ctx, bytes_of};
use danskin_core::problem::Objective;
use danskin_core::solve::Recorder;
use danskin_core::solver::{SolveError, Solver, Step};

use crate::rule::Unroll;

/// Numbers of a chunk, about: 1 MiB, so that growing copies nothing and wastes little.
const CHUNK_LEN: usize = 1 << 17;

/// Records every step of a solve, for [`Automatic`](crate::Automatic).
///
/// It takes [`Unroll::record_len`] numbers a step: for gradient descent m or n, whichever is smaller, and none where the second
/// derivatives of L are constant.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    chunks: Vec<Vec<f64>>,
    record_len: usize,
    len: usize,
}

impl Tape {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Steps recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no step is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The record of the step from t = `index` to t + 1.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`Tape::len`].
    #[must_use]
    pub fn record(&self, index: usize) -> &[f64] {
        assert!(index < self.len, "step {index} of a tape of {} steps", self.len);
        let (chunk, range) = self.place(index);
        &self.chunks[chunk][range]
    }

    /// Bytes recorded.
    fn bytes(&self) -> u64 {
        bytes_of(self.len.saturating_mul(self.record_len))
    }

    fn per_chunk(&self) -> usize {
        (CHUNK_LEN / self.record_len.max(1)).max(1)
    }

    fn new_chunk(&self) -> Result<Vec<f64>, SolveError> {
        let len = self.per_chunk() * self.record_len;
        let mut chunk = Vec::new();
        chunk.try_reserve_exact(len).map_err(|_| SolveError::OutOfMemory { bytes: self.bytes() + bytes_of(len) })?;
        Ok(chunk)
    }

    fn place(&self, index: usize) -> (usize, std::ops::Range<usize>) {
        let first = index % self.per_chunk() * self.record_len;
        (index / self.per_chunk(), first..first + self.record_len)
    }
}

impl<P: Objective + ?Sized, S: Unroll<P>> Recorder<P, S> for Tape {
    fn begin(&mut self, problem: &P, solver: &S, _: &[f64], _: &S::State, _: &mut Ctx) -> Result<(), SolveError> {
        let record_len = solver.record_len(problem);
        if record_len != self.record_len {
            self.chunks.clear();
            self.record_len = record_len;
        }
        self.len = 0;
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
        let (chunk, range) = self.place(self.len);
        if chunk == self.chunks.len() {
            self.chunks.push(self.new_chunk()?);
        }
        let chunk = &mut self.chunks[chunk];
        if chunk.len() < range.end {
            chunk.resize(range.end, 0.0);
        }
        let step = solver.step_recorded(problem, x, state, &mut chunk[range], ctx)?;
        self.len += usize::from(step == Step::Advanced);
        Ok(step)
    }

    fn cost(&self) -> Cost {
        Cost::default().and_bytes(self.bytes())
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
        let taped = Solve::new(&problem, &solver, &x).stop(Stop::steps(8)).record(Tape::new()).run().unwrap();
        assert_eq!(taped.recorder().len(), 8);
        assert_eq!(taped.recorder().chunks.len(), 3);
        let mut u = vec![0.0; problem.parameter_len()];
        let mut ctx = Ctx::new();
        for t in 0..8 {
            let plain = Solve::new(&problem, &solver, &x).stop(Stop::steps(t)).run().unwrap();
            problem.design().matrix().apply(plain.z(), &mut u, &mut ctx);
            assert_eq!(taped.recorder().record(t), u, "t = {t}");
        }
    }

    #[test]
    fn a_tape_is_empty_before_and_after_no_steps() {
        let problem = Glm::new(random::design(4, 3, 2, 1), Logistic, 0.1).unwrap();
        let (x, solver) = (random::labels(4, 2), GradientDescent::default());
        let taped = Solve::new(&problem, &solver, &x).stop(Stop::steps(0)).record(Tape::new()).run().unwrap();
        assert!(Tape::new().is_empty() && taped.recorder().is_empty());
    }
}

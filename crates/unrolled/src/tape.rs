//! The tape: one record a step, in chunks that are touched once.

use danskin_core::ctx::{Ctx, bytes_of};
use danskin_core::solve::{Recorder, SolveError};
use danskin_core::solver::{Solver, Step};

use crate::rule::Unroll;

/// Numbers of a chunk, about: large enough that its memory comes zeroed and untouched from the system.
const CHUNK_LEN: usize = 1 << 17;

/// Records every step of a solve, for [`Automatic`](crate::Automatic).
///
/// It takes [`Unroll::record_len`] numbers a step: for gradient descent, m or n, whichever is smaller.
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

    fn per_chunk(&self) -> usize {
        (CHUNK_LEN / self.record_len.max(1)).max(1)
    }

    fn place(&self, index: usize) -> (usize, std::ops::Range<usize>) {
        let first = index % self.per_chunk() * self.record_len;
        (index / self.per_chunk(), first..first + self.record_len)
    }
}

impl<P: ?Sized, S: Unroll<P>> Recorder<P, S> for Tape {
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
            self.chunks.push(vec![0.0; self.per_chunk() * self.record_len]);
        }
        let step = solver.step_recorded(problem, x, state, &mut self.chunks[chunk][range], ctx)?;
        self.len += usize::from(step == Step::Advanced);
        Ok(step)
    }

    fn bytes(&self) -> u64 {
        bytes_of(self.len.saturating_mul(self.record_len))
    }
}

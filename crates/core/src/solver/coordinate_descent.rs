//! Cyclic coordinate descent: a step is one sweep over the coordinates, in order.
//!
//! It is the method that is differentiated sweep by sweep; `danskin-sparse` has those that end soonest.
//!
//! Source: Friedman, Hastie, Tibshirani, Regularization paths for generalized linear models via coordinate descent, Journal of Statistical Software 33, 2010.

use super::{SolveError, Solver, State, Step, check_vector};
use crate::ctx::Ctx;
use crate::problem::coordinatewise::Coordinatewise;
use crate::problem::{Objective, Point};

/// Cyclic coordinate descent.
///
/// Of a quadratic loss each coordinate moves to its minimum, by a curvature c_j that is differentiated with the rest; of others c_j is a bound, and a constant also where x is
/// differentiated, as step sizes are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CoordinateDescent {
    curvatures: Option<Vec<f64>>,
}

impl CoordinateDescent {
    /// By the curvatures `curvatures`, length m, kept whatever happens, instead of bounds found at z_0; they are constants then.
    #[must_use]
    pub fn with_curvatures(curvatures: Vec<f64>) -> Self {
        Self { curvatures: Some(curvatures) }
    }
}

/// Where coordinate descent stands; `C` are the columns that it reads.
#[derive(Clone, Debug)]
pub struct Sweeping<C> {
    z: Vec<f64>,
    /// D z, carried along.
    memo: Vec<f64>,
    residual: f64,
    columns: C,
}

impl<C: Send> State for Sweeping<C> {
    fn latent(&self) -> &[f64] {
        &self.z
    }

    fn memo(&self) -> &[f64] {
        &self.memo
    }

    fn residual(&self) -> f64 {
        self.residual
    }
}

impl<C> Sweeping<C> {
    /// The columns that sweeps read.
    #[must_use]
    pub fn columns(&self) -> &C {
        &self.columns
    }

    /// Numbers of a checkpoint, z of length `latent` and its memo of length `memo`.
    #[must_use]
    pub fn checkpoint_len(latent: usize, memo: usize) -> usize {
        latent + memo
    }

    /// Writes where the solver stands: D z too, whose last bits depend on the way.
    pub fn save(&self, checkpoint: &mut [f64]) {
        let (z, memo) = checkpoint.split_at_mut(self.z.len());
        z.copy_from_slice(&self.z);
        memo.copy_from_slice(&self.memo);
    }

    /// Stands where [`Sweeping::save`] was called, to the bit but for the residual.
    pub fn restore(&mut self, checkpoint: &[f64]) {
        let (z, memo) = checkpoint.split_at(self.z.len());
        self.z.copy_from_slice(z);
        self.memo.copy_from_slice(memo);
    }
}

impl<P: Coordinatewise + ?Sized> Solver<P> for CoordinateDescent {
    type State = Sweeping<P::Columns>;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        let (mut z, mut memo) = (initial.to_vec(), vec![0.0; problem.memo_len()]);
        problem.prox(0.0, x, &mut z);
        let mut gradient = ctx.take(z.len());
        problem.smooth().grad_z(&z, x, &mut gradient, &mut memo, ctx);
        let at = Point { z: &z, x, memo: &memo, grad_z: &[] };
        let mut columns = problem.columns(at, ctx).ok_or(SolveError::UnknownSmoothness)?;
        if let Some(curvatures) = &self.curvatures {
            check_vector("the curvatures", z.len(), curvatures)?;
            match curvatures.iter().find(|c| **c < 0.0) {
                Some(&step) => return Err(SolveError::InvalidStep { step }),
                None => problem.curvatures_mut(&mut columns).copy_from_slice(curvatures),
            }
        }
        let residual = problem.first_moves(&columns, &z, &gradient);
        ctx.give(gradient);
        Ok(Sweeping { z, memo, residual, columns })
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        state.residual = problem.sweep(&state.columns, x, &mut state.z, &mut state.memo, ctx);
        Ok(Step::Advanced)
    }
}

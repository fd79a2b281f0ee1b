//! g2 forwards: tangents (dz_t/dx) dx carried along with z_t, one for each direction dx.

use danskin_core::certificate::Uncertified;
use danskin_core::ctx::{Cost, Ctx, bytes_of};
use danskin_core::estimator::{EstimateError, Estimator, Gradient};
use danskin_core::outer::Outer;
use danskin_core::problem::Objective;
use danskin_core::solve::{Recorder, Solution};
use danskin_core::solver::{SolveError, Solver, Step};
use danskin_core::vector::dot;

use crate::rule::{Recorded, Unroll};

/// Carries tangents of z_t along a solve, for [`Forward`]. Each costs as much a step as the step itself; none needs a
/// tape.
#[derive(Clone, Debug)]
pub struct Tangents {
    directions: Directions,
    dx: Vec<f64>,
    tangents: Vec<f64>,
    tangent_len: usize,
    record: Vec<f64>,
    steps: usize,
    /// Of the tangents, without the steps that they go along with.
    cost: Cost,
}

#[derive(Clone, Debug)]
enum Directions {
    /// Every unit vector of R^p: the whole Jacobian.
    Units,
    Given(Vec<Vec<f64>>),
}

impl Tangents {
    /// Along every coordinate of x: p tangents, the whole dz_T/dx. For small p.
    #[must_use]
    pub fn full() -> Self {
        Self::new(Directions::Units)
    }

    /// Along the given directions in R^p, each of length p.
    #[must_use]
    pub fn along(directions: Vec<Vec<f64>>) -> Self {
        Self::new(Directions::Given(directions))
    }

    fn new(directions: Directions) -> Self {
        Self {
            directions,
            dx: Vec::new(),
            tangents: Vec::new(),
            tangent_len: 0,
            record: Vec::new(),
            steps: 0,
            cost: Cost::default(),
        }
    }

    /// Number of directions; p for [`Tangents::full`], once a solve has begun.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.directions {
            Directions::Units => self.dx.len(),
            Directions::Given(directions) => directions.len(),
        }
    }

    /// Whether there is no direction.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// (dz_T/dx) dx for the k-th direction: length m, for solvers with more state than z followed by its tangent.
    ///
    /// # Panics
    ///
    /// If `k` is not below [`Tangents::len`].
    #[must_use]
    pub fn tangent(&self, k: usize) -> &[f64] {
        &self.tangents[k * self.tangent_len..(k + 1) * self.tangent_len]
    }
}

impl<P: Objective + ?Sized, S: Unroll<P>> Recorder<P, S> for Tangents {
    fn begin(&mut self, problem: &P, solver: &S, _: &[f64], _: &S::State, _: &mut Ctx) -> Result<(), SolveError> {
        let p = problem.parameter_len();
        if let Directions::Given(directions) = &self.directions {
            for direction in directions {
                danskin_core::solver::check_vector("a direction", p, direction)?;
            }
        }
        self.dx = vec![0.0; p];
        self.tangent_len = solver.tangent_len(problem);
        let len = self.len().saturating_mul(self.tangent_len);
        self.tangents.clear();
        self.tangents.try_reserve_exact(len).map_err(|_| SolveError::OutOfMemory { bytes: bytes_of(len) })?;
        self.tangents.resize(len, 0.0);
        self.record = vec![0.0; solver.record_len(problem)];
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
        let step = solver.step_recorded(problem, x, state, &mut self.record, ctx)?;
        if step != Step::Advanced {
            return Ok(step);
        }
        let mark = ctx.mark();
        for (k, tangent) in self.tangents.chunks_exact_mut(self.tangent_len.max(1)).enumerate() {
            let recorded = Recorded { problem, x, state: &*state, index: self.steps, record: &self.record };
            match &self.directions {
                Directions::Units => {
                    self.dx[k] = 1.0;
                    solver.push(recorded, &self.dx, tangent, ctx);
                    self.dx[k] = 0.0;
                }
                Directions::Given(directions) => solver.push(recorded, &directions[k], tangent, ctx),
            }
        }
        self.steps += 1;
        self.cost = self.cost.then(ctx.since(mark));
        // Scratch is the solve's, and counted there.
        self.cost.peak_bytes = 0;
        Ok(step)
    }

    fn cost(&self) -> Cost {
        self.cost.and_bytes(bytes_of(self.tangents.len() + self.record.len() + self.dx.len()))
    }
}

/// The automatic estimator g2 in forward mode, from [`Tangents`].
///
/// With [`Tangents::full`] the gradient, length p; with [`Tangents::along`] one directional derivative <g2, dx> for each
/// direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forward;

impl<P, S, F> Estimator<P, S, Tangents, F> for Forward
where
    P: Objective + ?Sized,
    S: Unroll<P>,
    F: Outer<P> + ?Sized,
{
    fn estimate(
        &self,
        solution: &Solution<'_, P, S, Tangents>,
        outer: &F,
        ctx: &mut Ctx,
    ) -> Result<Gradient, EstimateError> {
        let (problem, tangents, m) = (solution.problem(), solution.recorder(), solution.problem().latent_len());
        let mut grad_z = ctx.take(m);
        outer.grad_z(problem, solution.point(), &mut grad_z, ctx);
        let mut grad_x = vec![0.0; problem.parameter_len()];
        outer.grad_x(problem, solution.point(), 1.0, &mut grad_x, ctx);
        let through_z = |k: usize| dot(&tangents.tangent(k)[..m], &grad_z);
        let gradient = match &tangents.directions {
            Directions::Units => {
                Gradient::new(grad_x.iter().enumerate().map(|(k, direct)| through_z(k) + direct).collect())
            }
            Directions::Given(directions) => {
                let along = |(k, dx): (usize, &Vec<f64>)| through_z(k) + dot(&grad_x, dx);
                let value = directions.iter().enumerate().map(along).collect();
                let mut gradient = Gradient::new(value);
                gradient.certificate = Err(Uncertified::Directions);
                gradient
            }
        };
        ctx.give(grad_z);
        Ok(gradient)
    }
}

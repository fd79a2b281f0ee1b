//! The problems that experiments are about, with what is known of their minima.

use danskin::ctx::Ctx;
use danskin::prelude::*;

use crate::experiment::Failure;
use crate::spectrum;

/// 1/n sum_i phi((D z)_i, x_i) + lambda/2 ‖z‖² at x, and its minimum.
pub(crate) struct Instance<L> {
    pub(crate) problem: Glm<L>,
    pub(crate) x: Vec<f64>,
    /// z*.
    pub(crate) minimum: Vec<f64>,
    /// The gradient of l.
    pub(crate) exact: Vec<f64>,
    /// phi_uu / n of each row at z*.
    pub(crate) curvature: Vec<f64>,
}

impl<L: Loss + Copy> Instance<L> {
    /// # Errors
    ///
    /// [`Failure`] where there is no minimum.
    ///
    /// # Panics
    ///
    /// Unless lambda is above 0.
    pub(crate) fn new(loss: L, design: Design, x: Vec<f64>, lambda: f64, ctx: &mut Ctx) -> Result<Self, Failure> {
        let (n, share) = (x.len(), 1.0 / x.len() as f64);
        let problem = Glm::new(design, loss, lambda).and_then(|problem| problem.weighted(vec![share; n]));
        Self::at(problem.expect("weights and penalty are above 0"), loss, x, ctx)
    }

    /// That of `problem`, of weights 1/n and this loss, at x.
    ///
    /// # Errors
    ///
    /// [`Failure`] where there is no minimum.
    pub(crate) fn at(problem: Glm<L>, loss: L, x: Vec<f64>, ctx: &mut Ctx) -> Result<Self, Failure> {
        let (n, share) = (x.len(), 1.0 / x.len() as f64);
        let newton = Newton::new(DenseCholesky::default());
        let solution = Solve::new(&problem, &newton, &x).stop(Stop::tolerance(1e-15).within(100)).run_in(ctx)?;
        let exact = solution.gradient_in(&Envelope, &Implicit::new(DenseCholesky::default()), ctx)?.value;
        let minimum = solution.into_z();
        let mut u = vec![0.0; n];
        problem.design().matrix().apply(&minimum, &mut u, ctx);
        let curvature = u.iter().zip(&x).map(|(u, x)| share * loss.second(*u, *x).0).collect();
        Ok(Self { problem, x, minimum, exact, curvature })
    }

    /// The largest eigenvalue of L_zz where phi_uu is `curvature` in every row; lambda is `lambda`.
    pub(crate) fn smoothness(&self, curvature: f64, lambda: f64) -> f64 {
        let n = self.x.len();
        let spectrum = spectrum::of_gram(self.problem.design(), &vec![curvature / n as f64; n]);
        spectrum[n - 1] + lambda
    }
}

//! s_{t+1} = z_t - rho grad_z L(z_t, x); z_{t+1} = s_{t+1} + beta_t (s_{t+1} - s_t), with s_0 = z_0.
//!
//! The iterate reported is the extrapolated one, z_t (often called y_t): there the gradient is known, so that T steps take T
//! + 1 passes, and residual, g1, g2 and g3 belong to the same point. s_t and z_t converge alike.
//!
//! beta is (1 - sqrt(mu rho)) / (1 + sqrt(mu rho)) where L is known to be mu-strongly convex; else it follows the sequence
//! beta_t = (theta_t - 1) / theta_{t+1}, theta_0 = 1, theta_{t+1} = (1 + sqrt(1 + 4 theta_t²)) / 2.
//!
//! Source: Nesterov, Introductory Lectures on Convex Optimization, 2004, section 2.2; the sequence, Beck and Teboulle, SIAM J.
//! Imaging Sciences 2, 2009; the restart by gradients, O'Donoghue and Candès, Foundations of Computational Mathematics 15,
//! 2015.

use super::{Carry, Iterate, SolveError, Solver, State, Step, StepSize};
use crate::ctx::Ctx;
use crate::problem::Problem;

/// How much of the last step is added to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Momentum {
    /// Constant, from the strong convexity that the problem knows; where it knows none, what the solver says.
    #[default]
    Auto,
    /// This beta at every step, 0 <= beta < 1.
    Fixed(f64),
}

impl Momentum {
    /// beta where it is constant: `from(mu rho)` where L is mu-strongly convex; `None` where nothing is known.
    pub(super) fn choose(
        self,
        strong_convexity: f64,
        rho: f64,
        from: impl Fn(f64) -> f64,
    ) -> Result<Option<f64>, SolveError> {
        match self {
            Self::Fixed(beta) if (0.0..1.0).contains(&beta) => Ok(Some(beta)),
            Self::Fixed(beta) => Err(SolveError::InvalidMomentum { momentum: beta }),
            // A step longer than 1/mu is none that theory knows; 0 is what the formula tends to.
            Self::Auto => Ok(Some((strong_convexity * rho).min(1.0)).filter(|share| *share > 0.0).map(from)),
        }
    }
}

/// Nesterov's accelerated gradient descent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Nesterov {
    step: StepSize,
    momentum: Momentum,
    restart: bool,
}

impl Nesterov {
    /// With the given step size.
    #[must_use]
    pub fn new(step: StepSize) -> Self {
        Self { step, ..Self::default() }
    }

    /// With this momentum.
    #[must_use]
    pub fn momentum(self, momentum: Momentum) -> Self {
        Self { momentum, ..self }
    }

    /// With a restart, or without: beta_t = 0, and the sequence begins again, whenever <grad_z L(z_t), s_{t+1} - s_t> > 0.
    #[must_use]
    pub fn restart(self, restart: bool) -> Self {
        Self { restart, ..self }
    }
}

/// What a solver with momentum carries along.
#[derive(Clone, Debug)]
pub struct Inertia {
    pub(super) rho: f64,
    /// The constant beta, if it is one.
    pub(super) constant: Option<f64>,
    /// theta_t of the sequence.
    pub(super) theta: f64,
    /// The beta of the last step.
    pub(super) beta: f64,
    /// s_t for Nesterov's method, z_{t-1} for the heavy ball; length m.
    pub(super) behind: Vec<f64>,
}

impl Carry for Inertia {
    fn saved_len(latent: usize) -> usize {
        latent + 1
    }

    fn save(&self, out: &mut [f64]) {
        let (behind, theta) = out.split_at_mut(self.behind.len());
        behind.copy_from_slice(&self.behind);
        theta[0] = self.theta;
    }

    fn restore(&mut self, saved: &[f64]) {
        let (behind, theta) = saved.split_at(self.behind.len());
        self.behind.copy_from_slice(behind);
        self.theta = theta[0];
    }

    fn settled(&self) -> Self {
        Self { behind: vec![0.0; self.behind.len()], ..*self }
    }
}

impl Iterate<Inertia> {
    /// rho.
    #[must_use]
    pub fn rho(&self) -> f64 {
        self.carried.rho
    }

    /// beta of the last step taken; NaN before the first.
    #[must_use]
    pub fn beta(&self) -> f64 {
        self.carried.beta
    }
}

impl<P: Problem + ?Sized> Solver<P> for Nesterov {
    type State = Iterate<Inertia>;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        let inertia = Inertia { rho: f64::NAN, constant: None, theta: 1.0, beta: f64::NAN, behind: initial.to_vec() };
        let mut state = Iterate::new(problem, x, initial, inertia, ctx);
        let rho = self.step.choose(problem, state.at(x), ctx)?;
        let from = |share: f64| (1.0 - share.sqrt()) / (1.0 + share.sqrt());
        state.carried.rho = rho;
        state.carried.constant = self.momentum.choose(problem.strong_convexity(x), rho, from)?;
        Ok(state)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        let Iterate { z, grad_z, carried, .. } = state;
        let rho = carried.rho;
        let moves = z.iter().zip(&*grad_z).zip(&carried.behind);
        let uphill = self.restart && moves.map(|((z, g), s)| g * (z - rho * g - s)).sum::<f64>() > 0.0;
        let theta = if uphill { 1.0 } else { carried.theta };
        carried.theta = (1.0 + (1.0 + 4.0 * theta * theta).sqrt()) / 2.0;
        carried.beta = match carried.constant {
            _ if uphill => 0.0,
            Some(beta) => beta,
            None => (theta - 1.0) / carried.theta,
        };
        for ((z, g), behind) in z.iter_mut().zip(&*grad_z).zip(&mut carried.behind) {
            let ahead = *z - rho * g;
            *z = ahead + carried.beta * (ahead - *behind);
            *behind = ahead;
        }
        state.evaluate(problem, x, ctx);
        Ok(Step::Advanced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::problem::glm::Glm;
    use crate::problem::loss::Squared;
    use crate::solve::{Solve, Status, Stop};
    use crate::solver::{GradientDescent, HeavyBall};
    use crate::testing::random;

    /// Steps to a relative residual of 1e-6 on a quadratic with eigenvalues from 2e-3 to 1, half of the lowest known.
    fn steps_to<S: Solver<Glm<Squared>>>(solver: &S) -> usize {
        let entries: Vec<_> =
            (0..40_u32).map(|j| (j as usize, j as usize, 1e-3_f64.powf(f64::from(j) / 78.0))).collect();
        let problem = Glm::new(Design::from_triplets(40, 40, &entries).unwrap(), Squared, 1e-3).unwrap();
        let x = random::labels(40, 2);
        let solution = Solve::new(&problem, solver, &x).stop(Stop::tolerance(1e-6).within(100_000)).run().unwrap();
        assert_eq!(solution.status(), Status::Converged);
        solution.steps()
    }

    #[test]
    fn momentum_pays_where_the_condition_is_large() {
        let plain = steps_to(&GradientDescent::default());
        let nesterov = steps_to(&Nesterov::default());
        let heavy = steps_to(&HeavyBall::default());
        assert!(10 * nesterov < plain && 10 * heavy < plain, "{plain} {nesterov} {heavy}");
        let unrestarted = Nesterov::default().momentum(Momentum::Fixed(0.999));
        let restarted = unrestarted.restart(true);
        assert!(4 * steps_to(&restarted) < steps_to(&unrestarted));
    }

    #[test]
    fn without_strong_convexity_beta_follows_the_sequence() {
        let problem = Glm::new(random::design(60, 20, 5, 1), Squared, 0.0).unwrap();
        let (x, solver) = (random::vector(60, 2), Nesterov::default());
        let mut solution = Solve::new(&problem, &solver, &x).stop(Stop::steps(1)).run().unwrap();
        let (mut theta, mut ctx) = (1.0_f64, Ctx::new());
        for t in 1..6 {
            let next = (1.0 + (1.0 + 4.0 * theta * theta).sqrt()) / 2.0;
            assert_eq!(solution.state().beta(), (theta - 1.0) / next);
            theta = next;
            solution.resume(Stop::steps(t + 1), &mut ctx).unwrap();
        }
    }

    #[test]
    fn momenta_out_of_range_are_refused() {
        let problem = Glm::new(random::design(6, 2, 1, 1), Squared, 0.1).unwrap();
        for momentum in [-0.1, 1.0, f64::NAN] {
            let solver = Nesterov::default().momentum(Momentum::Fixed(momentum));
            let error = Solve::new(&problem, &solver, &[0.0; 6]).run().unwrap_err();
            assert!(matches!(error, SolveError::InvalidMomentum { .. }), "{error}");
        }
    }
}

//! s_{t+1} = prox_{rho R}(y_t - rho grad F(y_t)); y_{t+1} = s_{t+1} + beta_t (s_{t+1} - s_t), with y_0 = s_0 = z_0: beta = 0 is ISTA, else FISTA.
//!
//! The iterate is s_t, which is sparse; the gradient is known at y_t, so that T steps take T + 1 passes. By F's linear D s_{t+1} = (D y_{t+1} + beta_t D s_t)
//! / (1 + beta_t), the value of L at s_t is known without a pass, and with it the duality gap, which is the residual; where the problem knows none, the
//! residual is (‖y_t - s_{t+1}‖ + ‖y_t - s_t‖) / rho, which vanishes where s_t is the minimum alone.
//!
//! beta follows the sequence beta_t = (theta_t - 1) / theta_{t+1}, theta_0 = 1, theta_{t+1} = (1 + sqrt(1 + 4 theta_t²)) / 2.
//!
//! Source: Daubechies, Defrise, De Mol, Communications on Pure and Applied Mathematics 57, 2004 (ISTA); Beck and Teboulle, SIAM J. Imaging Sciences 2, 2009
//! (FISTA); the restart by gradients, O'Donoghue and Candès, Foundations of Computational Mathematics 15, 2015.

use super::{SolveError, Solver, State, Step, StepSize};
use crate::ctx::Ctx;
use crate::problem::composite::Composite;
use crate::problem::{Objective, Point};

/// Proximal gradient descent: the iterative shrinkage and thresholding algorithm where R is an l1 penalty.
///
/// The step is a constant also where x is differentiated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ista {
    step: StepSize,
}

impl Ista {
    /// With the given step size.
    #[must_use]
    pub fn new(step: StepSize) -> Self {
        Self { step }
    }
}

/// Accelerated proximal gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fista {
    step: StepSize,
    restart: bool,
}

impl Default for Fista {
    fn default() -> Self {
        Self::new(StepSize::Auto)
    }
}

impl Fista {
    /// With the given step size, and restarts.
    #[must_use]
    pub fn new(step: StepSize) -> Self {
        Self { step, restart: true }
    }

    /// With a restart, or without: beta_t = 0, and the sequence begins again, whenever <y_t - s_{t+1}, s_{t+1} - s_t> > 0.
    #[must_use]
    pub fn restart(self, restart: bool) -> Self {
        Self { restart, ..self }
    }
}

/// Where proximal gradient descent stands.
#[derive(Clone, Debug)]
pub struct ProximalState {
    /// s_t, length m.
    s: Vec<f64>,
    /// y_t, length m; empty where beta is 0 throughout, and y_t is s_t.
    y: Vec<f64>,
    /// grad F(y_t), length m.
    gradient: Vec<f64>,
    /// s_{t+1}, length m.
    next: Vec<f64>,
    /// The subgradient of least norm at s_t; empty unless y_t is s_t.
    subgradient: Vec<f64>,
    /// What the gradient at y_t left behind.
    memo: Vec<f64>,
    /// The same at s_t; empty where y_t is s_t.
    memo_of_s: Vec<f64>,
    rho: f64,
    theta: f64,
    beta: f64,
    residual: f64,
    residual_is_gap: bool,
}

impl State for ProximalState {
    fn latent(&self) -> &[f64] {
        &self.s
    }

    fn memo(&self) -> &[f64] {
        if self.y.is_empty() { &self.memo } else { &self.memo_of_s }
    }

    fn grad_z(&self) -> &[f64] {
        &self.subgradient
    }

    fn residual(&self) -> f64 {
        self.residual
    }

    fn residual_is_gap(&self) -> bool {
        self.residual_is_gap
    }
}

impl ProximalState {
    /// rho.
    #[must_use]
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// beta of the last step taken; NaN before the first.
    #[must_use]
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// y_t with the memo that its gradient left: where a step differentiates F.
    #[must_use]
    pub fn ahead<'a>(&'a self, x: &'a [f64]) -> Point<'a> {
        Point { z: self.point(), x, memo: &self.memo, grad_z: &[] }
    }

    fn point(&self) -> &[f64] {
        if self.y.is_empty() { &self.s } else { &self.y }
    }

    /// At z_0 = `initial`, brought to where R is finite; `inert` where y_t moves on from s_t.
    fn new<P: Composite + ?Sized>(
        problem: &P,
        x: &[f64],
        initial: &[f64],
        step: StepSize,
        inert: bool,
        ctx: &mut Ctx,
    ) -> Result<Self, SolveError> {
        let (m, n) = (problem.latent_len(), problem.memo_len());
        let mut s = initial.to_vec();
        problem.prox(0.0, x, &mut s);
        let mut state = Self {
            y: if inert { s.clone() } else { Vec::new() },
            s,
            gradient: vec![0.0; m],
            next: vec![0.0; m],
            subgradient: vec![0.0; if inert { 0 } else { m }],
            memo: vec![0.0; n],
            memo_of_s: Vec::new(),
            rho: f64::NAN,
            theta: 1.0,
            beta: f64::NAN,
            residual: f64::NAN,
            residual_is_gap: false,
        };
        state.differentiate(problem, x, ctx);
        state.rho = step.choose_from(|| problem.smoothness(state.ahead(x), ctx))?;
        if inert {
            state.memo_of_s.clone_from(&state.memo);
        }
        state.look_ahead(problem, x);
        Ok(state)
    }

    /// The gradient at y_t: the pass over D.
    fn differentiate<P: Composite + ?Sized>(&mut self, problem: &P, x: &[f64], ctx: &mut Ctx) {
        let point = if self.y.is_empty() { &self.s } else { &self.y };
        problem.smooth().grad_z(point, x, &mut self.gradient, &mut self.memo, ctx);
        if !self.subgradient.is_empty() {
            self.subgradient.copy_from_slice(&self.gradient);
            problem.least_subgradient(x, &self.s, &mut self.subgradient);
        }
    }

    /// s_{t+1} and the residual, from the gradient.
    fn look_ahead<P: Composite + ?Sized>(&mut self, problem: &P, x: &[f64]) {
        let point = if self.y.is_empty() { &self.s } else { &self.y };
        for ((next, y), g) in self.next.iter_mut().zip(point).zip(&self.gradient) {
            *next = y - self.rho * g;
        }
        problem.prox(self.rho, x, &mut self.next);
        let primal = Point { z: &self.s, x, memo: self.memo(), grad_z: &[] };
        let dual = Point { z: point, x, memo: &self.memo, grad_z: &self.gradient };
        let gap = problem.gap(primal, dual);
        self.residual_is_gap = gap.is_some();
        self.residual = gap.unwrap_or_else(|| {
            let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
            (apart(point, &self.next) + apart(point, &self.s)) / self.rho
        });
    }

    /// To s_{t+1}, and y_{t+1} from beta_t.
    fn step<P: Composite + ?Sized>(&mut self, problem: &P, x: &[f64], beta: f64, ctx: &mut Ctx) {
        std::mem::swap(&mut self.s, &mut self.next);
        self.beta = beta;
        for ((y, s), behind) in self.y.iter_mut().zip(&self.s).zip(&self.next) {
            *y = s + beta * (s - behind);
        }
        self.differentiate(problem, x, ctx);
        for (of_s, of_y) in self.memo_of_s.iter_mut().zip(&self.memo) {
            *of_s = (of_y + beta * *of_s) / (1.0 + beta);
        }
        self.look_ahead(problem, x);
    }

    /// Numbers of a checkpoint, z of length `latent`: s_t, y_t where it is another, and theta.
    #[must_use]
    pub fn checkpoint_len(latent: usize, inert: bool) -> usize {
        if inert { 2 * latent + 1 } else { latent }
    }

    /// Writes where the solver stands.
    pub fn save(&self, checkpoint: &mut [f64]) {
        let (s, rest) = checkpoint.split_at_mut(self.s.len());
        s.copy_from_slice(&self.s);
        if let Some((theta, y)) = rest.split_last_mut() {
            y.copy_from_slice(&self.y);
            *theta = self.theta;
        }
    }

    /// Stands where [`ProximalState::save`] was called, to the bit but for the residual; one pass over D.
    pub fn restore<P: Composite + ?Sized>(&mut self, problem: &P, x: &[f64], checkpoint: &[f64], ctx: &mut Ctx) {
        let (s, rest) = checkpoint.split_at(self.s.len());
        self.s.copy_from_slice(s);
        if let Some((theta, y)) = rest.split_last() {
            self.y.copy_from_slice(y);
            self.theta = *theta;
        }
        self.differentiate(problem, x, ctx);
        self.memo_of_s.fill(f64::NAN);
        self.look_ahead(problem, x);
    }
}

impl<P: Composite + ?Sized> Solver<P> for Ista {
    type State = ProximalState;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        ProximalState::new(problem, x, initial, self.step, false, ctx)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        state.step(problem, x, 0.0, ctx);
        Ok(Step::Advanced)
    }
}

impl<P: Composite + ?Sized> Solver<P> for Fista {
    type State = ProximalState;

    fn init(&self, problem: &P, x: &[f64], initial: &[f64], ctx: &mut Ctx) -> Result<Self::State, SolveError> {
        ProximalState::new(problem, x, initial, self.step, true, ctx)
    }

    fn step(&self, problem: &P, x: &[f64], state: &mut Self::State, ctx: &mut Ctx) -> Result<Step, SolveError> {
        let ProximalState { s, y, next, .. } = &*state;
        let moves = y.iter().zip(next).zip(s);
        let uphill = self.restart && moves.map(|((y, next), s)| (y - next) * (next - s)).sum::<f64>() > 0.0;
        let theta = if uphill { 1.0 } else { state.theta };
        state.theta = (1.0 + (1.0 + 4.0 * theta * theta).sqrt()) / 2.0;
        let beta = if uphill { 0.0 } else { (theta - 1.0) / state.theta };
        state.step(problem, x, beta, ctx);
        Ok(Step::Advanced)
    }
}

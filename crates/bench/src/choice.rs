//! What the typed API decides at compile time, chosen at run time: the one place where names become types.

use danskin::ctx::{Ctx, bytes_of};
use danskin::estimator::EstimateError;
use danskin::prelude::*;
use danskin::solve::{NoTape, Recorder};
use danskin::solver::{Curvature, Inertia, Pace, Search, Trial};
use danskin::unrolled::Sizes;
use thiserror::Error;

/// A problem chosen at run time.
pub type AnyProblem = dyn AssembleHessian;

/// A name that is none of those expected.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{found:?}, expected {expected}")]
pub struct UnknownName {
    /// What was given.
    pub found: String,
    /// What could have been.
    pub expected: &'static str,
}

/// An enum whose variants have names.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident: $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+; $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::choice::UnknownName;

            fn from_str(text: &str) -> Result<Self, $crate::choice::UnknownName> {
                let found = || $crate::choice::UnknownName { found: text.to_owned(), expected: $expected };
                Self::ALL.iter().copied().find(|v| v.name() == text).ok_or_else(found)
            }
        }
    };
}
pub(crate) use named;

named! {
    /// An estimator of the gradient.
    EstimatorKind:
    /// g1 = grad_x L(z_T, x).
    Analytic = "analytic",
    /// g2, through the solver's iterations.
    Automatic = "automatic",
    /// g3, through the optimality condition.
    Implicit = "implicit";
    "analytic, automatic or implicit"
}

named! {
    /// How z_T is computed.
    SolverKind:
    /// Gradient descent.
    GradientDescent = "gd",
    /// Nesterov's accelerated gradient descent.
    Nesterov = "nesterov",
    /// Gradient descent with momentum.
    HeavyBall = "heavy-ball",
    /// Gradient descent with steps found by backtracking.
    Backtracking = "backtracking",
    /// L-BFGS.
    Lbfgs = "lbfgs",
    /// Newton's method over conjugate gradient.
    Newton = "newton";
    "gd, nesterov, heavy-ball, backtracking, lbfgs or newton"
}

impl SolverKind {
    /// Whether its iterations can be differentiated, as g2 needs.
    #[must_use]
    pub fn is_unrolled(self) -> bool {
        !matches!(self, Self::Lbfgs | Self::Newton)
    }

    /// Whether it takes a step size.
    #[must_use]
    pub fn has_step(self) -> bool {
        self.is_unrolled()
    }

    /// Whether it takes a momentum.
    #[must_use]
    pub fn has_momentum(self) -> bool {
        matches!(self, Self::Nesterov | Self::HeavyBall)
    }
}

named! {
    /// How g2 is computed.
    Mode:
    /// Backwards over a tape.
    Reverse = "reverse",
    /// Forwards, with one tangent for each coordinate of x.
    Forward = "forward";
    "reverse or forward"
}

/// What reverse mode records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Every step.
    #[default]
    Steps,
    /// What fits into so many bytes; the rest is computed again.
    Within(u64),
    /// The last steps alone: the gradient is truncated.
    Last(usize),
}

named! {
    /// How g3 solves its linear system.
    LinearMethod:
    /// By the work that each is predicted to take.
    Auto = "auto",
    /// Conjugate gradient.
    Cg = "cg",
    /// Dense Cholesky.
    Dense = "dense";
    "auto, cg or dense"
}

/// The choices of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// The solver.
    pub solver: SolverKind,
    /// The step of the solvers that take one; for backtracking, the first trial.
    pub step: StepSize,
    /// The momentum of the solvers that take one.
    pub momentum: Momentum,
    /// Whether Nesterov's momentum is restarted where it leads uphill.
    pub restart: bool,
    /// The estimators asked for.
    pub estimators: Vec<EstimatorKind>,
    /// How g2 is computed.
    pub mode: Mode,
    /// What g2 records in reverse mode.
    pub kept: Kept,
    /// How g3 solves its linear system.
    pub linear: LinearMethod,
    /// Relative residual that g3 asks of its linear system.
    pub linear_tolerance: f64,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            solver: SolverKind::GradientDescent,
            step: StepSize::Auto,
            momentum: Momentum::Auto,
            restart: false,
            estimators: EstimatorKind::ALL.to_vec(),
            mode: Mode::Reverse,
            kept: Kept::Steps,
            linear: LinearMethod::Auto,
            linear_tolerance: 1e-12,
        }
    }
}

/// A recorder, and what it lets g2 be computed by.
pub(crate) trait Recording<S: Solver<AnyProblem>>: Recorder<AnyProblem, S> + Sized {
    /// g2 at `solution`; `None` where nothing was recorded.
    fn automatic(solution: &AnySolution<'_, S, Self>, ctx: &mut Ctx) -> Option<Result<Gradient, EstimateError>>;
}

pub(crate) type AnySolution<'a, S, R> = Solution<'a, AnyProblem, S, R>;

impl<S: Solver<AnyProblem>> Recording<S> for NoTape {
    fn automatic(_: &AnySolution<'_, S, Self>, _: &mut Ctx) -> Option<Result<Gradient, EstimateError>> {
        None
    }
}

impl<S: Unroll<AnyProblem>> Recording<S> for Tape {
    fn automatic(solution: &AnySolution<'_, S, Self>, ctx: &mut Ctx) -> Option<Result<Gradient, EstimateError>> {
        Some(solution.gradient_in(&Envelope, &Automatic, ctx))
    }
}

impl<S: Replay<AnyProblem>> Recording<S> for Checkpoints {
    fn automatic(solution: &AnySolution<'_, S, Self>, ctx: &mut Ctx) -> Option<Result<Gradient, EstimateError>> {
        Some(solution.gradient_in(&Envelope, &Automatic, ctx))
    }
}

impl<S: Unroll<AnyProblem>> Recording<S> for Tangents {
    fn automatic(solution: &AnySolution<'_, S, Self>, ctx: &mut Ctx) -> Option<Result<Gradient, EstimateError>> {
        Some(solution.gradient_in(&Envelope, &Forward, ctx))
    }
}

/// What a solver's state tells about its steps.
pub(crate) trait Paced: State {
    /// rho, or that of the last step; `None` for solvers without one.
    fn rho(&self) -> Option<f64> {
        None
    }

    /// Times that an automatic rho was halved.
    fn halvings(&self) -> usize {
        0
    }
}

impl Paced for Iterate<Pace> {
    fn rho(&self) -> Option<f64> {
        Some(Iterate::<Pace>::rho(self))
    }

    fn halvings(&self) -> usize {
        Iterate::<Pace>::halvings(self)
    }
}

impl Paced for Iterate<Inertia> {
    fn rho(&self) -> Option<f64> {
        Some(Iterate::<Inertia>::rho(self))
    }
}

impl Paced for Iterate<Trial> {
    fn rho(&self) -> Option<f64> {
        Some(Iterate::<Trial>::rho(self)).filter(|rho| !rho.is_nan())
    }
}

impl Paced for Iterate<Curvature> {}

impl<W: Send> Paced for Iterate<Search<W>> {}

impl Choices {
    /// Whether g2 is asked for and computed backwards.
    pub(crate) fn is_reverse(&self) -> bool {
        self.estimators.contains(&EstimatorKind::Automatic) && self.mode == Mode::Reverse
    }

    /// That the budget of memory is enough to record a solve of `problem` in, before any work.
    ///
    /// # Errors
    ///
    /// [`SolveError::Budget`].
    pub fn check_memory(&self, problem: &AnyProblem) -> Result<(), SolveError> {
        let (Kept::Within(budget), Some(sizes)) = (self.kept, self.sizes(problem)) else { return Ok(()) };
        let least = bytes_of(sizes.least());
        if self.is_reverse() && budget < least { Err(SolveError::Budget { budget, least }) } else { Ok(()) }
    }

    /// What checkpoints and records of a solve of `problem` take; `None` for a solver whose iterations are not unrolled.
    #[must_use]
    pub fn sizes(&self, problem: &AnyProblem) -> Option<Sizes> {
        match self.solver {
            SolverKind::GradientDescent => Some(Sizes::of(problem, &GradientDescent::default())),
            SolverKind::Nesterov => Some(Sizes::of(problem, &Nesterov::default())),
            SolverKind::HeavyBall => Some(Sizes::of(problem, &HeavyBall::default())),
            SolverKind::Backtracking => Some(Sizes::of(problem, &Backtracking::default())),
            SolverKind::Lbfgs | SolverKind::Newton => None,
        }
    }

    /// The gradient by `kind`; `None` for g2 where nothing was recorded.
    pub(crate) fn gradient<S, R>(
        &self,
        kind: EstimatorKind,
        solution: &AnySolution<'_, S, R>,
        ctx: &mut Ctx,
    ) -> Option<Result<Gradient, EstimateError>>
    where
        S: Solver<AnyProblem>,
        R: Recording<S>,
    {
        match kind {
            EstimatorKind::Analytic => Some(solution.gradient_in(&Envelope, &Analytic, ctx)),
            EstimatorKind::Automatic => R::automatic(solution, ctx),
            EstimatorKind::Implicit => Some(self.implicit(solution, ctx)),
        }
    }

    fn implicit<S, R>(&self, solution: &AnySolution<'_, S, R>, ctx: &mut Ctx) -> Result<Gradient, EstimateError>
    where
        S: Solver<AnyProblem>,
        R: Recording<S>,
    {
        fn by<S, R, H>(
            solution: &AnySolution<'_, S, R>,
            method: H,
            tolerance: f64,
            ctx: &mut Ctx,
        ) -> Result<Gradient, EstimateError>
        where
            S: Solver<AnyProblem>,
            R: Recording<S>,
            H: HessianSolver<AnyProblem>,
        {
            solution.gradient_in(&Envelope, &Implicit::new(method).tolerance(tolerance), ctx)
        }
        match self.linear {
            LinearMethod::Auto => by(solution, Auto, self.linear_tolerance, ctx),
            LinearMethod::Cg => by(solution, Cg::default(), self.linear_tolerance, ctx),
            LinearMethod::Dense => by(solution, DenseCholesky::default(), self.linear_tolerance, ctx),
        }
    }
}

//! What the typed API decides at compile time, chosen at run time: the one place where names become types.

use danskin::ctx::{Ctx, bytes_of};
use danskin::estimator::EstimateError;
use danskin::linear::{Hessian, LinearError, LinearSolve};
use danskin::prelude::*;
use danskin::solve::{NoTape, Recorder};
use danskin::solver::{Curvature, Inertia, Pace, Search, Trial};
use danskin::unrolled::Sizes;
use thiserror::Error;

/// Pairs of a trail that certificates mix a point from.
const TRAIL: usize = 10;

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
    /// Newton's method.
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
    /// How linear systems with the Hessian are solved.
    LinearMethod:
    /// By the work that each is predicted to take.
    Auto = "auto",
    /// Dense Cholesky.
    Dense = "dense",
    /// Sparse Cholesky.
    Sparse = "sparse",
    /// Cholesky of the dual, n x n.
    Dual = "dual",
    /// Conjugate gradient.
    Cg = "cg";
    "auto, dense, sparse, dual or cg"
}

named! {
    /// What conjugate gradient is preconditioned by.
    Preconditioning:
    /// Nothing.
    None = "none",
    /// The diagonal.
    Jacobi = "jacobi",
    /// Blocks of the diagonal.
    BlockJacobi = "block-jacobi",
    /// Incomplete Cholesky without fill.
    IncompleteCholesky = "ic0",
    /// A randomised sketch.
    Nystrom = "nystrom";
    "none, jacobi, block-jacobi, ic0 or nystrom"
}

/// A linear solver chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linear {
    /// How systems are solved; where that is conjugate gradient, with the preconditioner beside it.
    pub method: LinearMethod,
    /// What conjugate gradient is preconditioned by.
    pub preconditioner: Preconditioning,
}

impl Default for Linear {
    fn default() -> Self {
        Self { method: LinearMethod::Auto, preconditioner: Preconditioning::None }
    }
}

impl Linear {
    /// Bytes that it takes for n rows and m latent variables where these are known to be more than it may use.
    #[must_use]
    pub fn too_large(self, n: usize, m: usize) -> Option<u64> {
        match self.method {
            LinearMethod::Dense if !DenseCholesky::default().fits(m) => Some(DenseCholesky::bytes(m)),
            LinearMethod::Dual if !DualCholesky::default().fits(n) => Some(DualCholesky::bytes(n)),
            _ => None,
        }
    }
}

/// One field and one line of `by!` for each method.
#[derive(Debug, Default)]
pub struct LinearWorkspace {
    auto: WorkspaceOf<Auto>,
    dense: WorkspaceOf<DenseCholesky>,
    sparse: WorkspaceOf<SparseCholesky>,
    dual: WorkspaceOf<DualCholesky>,
    cg: WorkspaceOf<Cg>,
    jacobi: WorkspaceOf<Cg<Jacobi>>,
    block_jacobi: WorkspaceOf<Cg<BlockJacobi>>,
    incomplete: WorkspaceOf<Cg<IncompleteCholesky>>,
    nystrom: WorkspaceOf<Cg<Nystrom>>,
}

type WorkspaceOf<H> = <H as HessianSolver<AnyProblem>>::Workspace;

/// `$call` of the method that `$linear` names, with `$solver` bound to it and `$workspace` to what it keeps.
macro_rules! by {
    ($linear:expr, $all:expr, $solver:ident, $workspace:ident => $call:expr) => {
        by!($linear, $all, $solver, $workspace => $call;
            (Auto, _) auto: Auto::default(),
            (Dense, _) dense: DenseCholesky::default(),
            (Sparse, _) sparse: SparseCholesky::default(),
            (Dual, _) dual: DualCholesky::default(),
            (Cg, None) cg: Cg::default(),
            (Cg, Jacobi) jacobi: Cg::preconditioned(Jacobi),
            (Cg, BlockJacobi) block_jacobi: Cg::preconditioned(BlockJacobi::default()),
            (Cg, IncompleteCholesky) incomplete: Cg::preconditioned(IncompleteCholesky::default()),
            (Cg, Nystrom) nystrom: Cg::preconditioned(Nystrom::default()),
        )
    };
    ($linear:expr, $all:expr, $solver:ident, $workspace:ident => $call:expr;
        $(($method:ident, $preconditioner:tt) $field:ident: $new:expr,)+) => {
        match ($linear.method, $linear.preconditioner) {
            $((LinearMethod::$method, by!(@ $preconditioner)) => {
                let ($solver, $workspace) = ($new, &mut $all.$field);
                $call
            })+
        }
    };
    (@ _) => { _ };
    (@ $preconditioner:ident) => { Preconditioning::$preconditioner };
}

impl HessianSolver<AnyProblem> for Linear {
    type Workspace = LinearWorkspace;

    fn prepare(
        &self,
        hessian: Hessian<'_, AnyProblem>,
        workspace: &mut Self::Workspace,
        ctx: &mut Ctx,
    ) -> Result<(), LinearError> {
        by!(self, workspace, solver, workspace => solver.prepare(hessian, workspace, ctx))
    }

    fn solve(
        &self,
        hessian: Hessian<'_, AnyProblem>,
        workspace: &mut Self::Workspace,
        rhs: &[f64],
        tolerance: f64,
        solution: &mut [f64],
        ctx: &mut Ctx,
    ) -> Result<LinearSolve, LinearError> {
        by!(self, workspace, solver, workspace => solver.solve(hessian, workspace, rhs, tolerance, solution, ctx))
    }
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
    /// How g3 and Newton's method solve their linear systems.
    pub linear: Linear,
    /// Relative residual that g3 asks of its linear system.
    pub linear_tolerance: f64,
    /// Whether each gradient is certified.
    pub certify: bool,
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
            linear: Linear::default(),
            linear_tolerance: 1e-12,
            certify: false,
        }
    }
}

/// The gradient by `estimator`, certified where that is asked for.
fn estimate<S, R, E>(
    solution: &AnySolution<'_, S, R>,
    estimator: E,
    certify: bool,
    ctx: &mut Ctx,
) -> Result<Gradient, EstimateError>
where
    S: Solver<AnyProblem>,
    R: Recorder<AnyProblem, S>,
    E: Estimator<AnyProblem, S, R>,
{
    if certify {
        solution.gradient_in(&Envelope, &Certified::new(estimator), ctx)
    } else {
        solution.gradient_in(&Envelope, &estimator, ctx)
    }
}

/// A recorder, and what it lets g2 be computed by.
pub(crate) trait Recording<S: Solver<AnyProblem>>: Recorder<AnyProblem, S> + Sized {
    /// g2 at `solution`; `None` where nothing was recorded.
    fn automatic(
        solution: &AnySolution<'_, S, Self>,
        certify: bool,
        ctx: &mut Ctx,
    ) -> Option<Result<Gradient, EstimateError>>;
}

pub(crate) type AnySolution<'a, S, R> = Solution<'a, AnyProblem, S, R>;

impl<S: Solver<AnyProblem>> Recording<S> for NoTape {
    fn automatic(_: &AnySolution<'_, S, Self>, _: bool, _: &mut Ctx) -> Option<Result<Gradient, EstimateError>> {
        None
    }
}

impl<S: Unroll<AnyProblem>> Recording<S> for Tape {
    fn automatic(
        solution: &AnySolution<'_, S, Self>,
        certify: bool,
        ctx: &mut Ctx,
    ) -> Option<Result<Gradient, EstimateError>> {
        Some(estimate(solution, Automatic, certify, ctx))
    }
}

impl<S: Replay<AnyProblem>> Recording<S> for Checkpoints {
    fn automatic(
        solution: &AnySolution<'_, S, Self>,
        certify: bool,
        ctx: &mut Ctx,
    ) -> Option<Result<Gradient, EstimateError>> {
        Some(estimate(solution, Automatic, certify, ctx))
    }
}

impl<S: Unroll<AnyProblem>> Recording<S> for Tangents {
    fn automatic(
        solution: &AnySolution<'_, S, Self>,
        certify: bool,
        ctx: &mut Ctx,
    ) -> Option<Result<Gradient, EstimateError>> {
        Some(estimate(solution, Forward, certify, ctx))
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
    /// Pairs of the trail of a solve: for certificates of estimators that come by no better point themselves.
    pub(crate) fn trail(&self) -> usize {
        let forward = self.mode == Mode::Forward && self.estimators.contains(&EstimatorKind::Automatic);
        if self.certify && (forward || self.estimators.contains(&EstimatorKind::Analytic)) { TRAIL } else { 0 }
    }

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
            EstimatorKind::Analytic => Some(estimate(solution, Analytic, self.certify, ctx)),
            EstimatorKind::Automatic => R::automatic(solution, self.certify, ctx),
            EstimatorKind::Implicit => {
                let implicit = Implicit::new(self.linear).tolerance(self.linear_tolerance);
                Some(estimate(solution, implicit, self.certify, ctx))
            }
        }
    }
}

//! What the typed API decides at compile time, chosen at run time: the one place where names become types.

use std::fmt;
use std::str::FromStr;

use danskin::ctx::Ctx;
use danskin::estimator::EstimateError;
use danskin::prelude::*;
use danskin::solve::{NoTape, Recorder};
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
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
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

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                let found = || UnknownName { found: text.to_owned(), expected: $expected };
                Self::ALL.iter().copied().find(|v| v.name() == text).ok_or_else(found)
            }
        }
    };
}

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
    /// How g2 is computed.
    Mode:
    /// Backwards over a tape.
    Reverse = "reverse",
    /// Forwards, with one tangent for each coordinate of x.
    Forward = "forward";
    "reverse or forward"
}

named! {
    /// How g3 solves its linear system.
    LinearMethod:
    /// By the number of latent variables.
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
    /// The step of gradient descent.
    pub step: StepSize,
    /// The estimators asked for.
    pub estimators: Vec<EstimatorKind>,
    /// How g2 is computed.
    pub mode: Mode,
    /// How g3 solves its linear system.
    pub linear: LinearMethod,
    /// Relative residual that g3 asks of its linear system.
    pub linear_tolerance: f64,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            step: StepSize::Auto,
            estimators: EstimatorKind::ALL.to_vec(),
            mode: Mode::Reverse,
            linear: LinearMethod::Auto,
            linear_tolerance: 1e-12,
        }
    }
}

/// A recorder, and what it lets g2 be computed by.
pub(crate) trait Recording: Recorder<AnyProblem, GradientDescent> + Sized {
    /// g2 at `solution`; `None` where nothing was recorded.
    fn automatic(solution: &AnySolution<'_, Self>, ctx: &mut Ctx) -> Option<Result<Gradient, EstimateError>>;
}

pub(crate) type AnySolution<'a, R> = Solution<'a, AnyProblem, GradientDescent, R>;

impl Recording for NoTape {
    fn automatic(_: &AnySolution<'_, Self>, _: &mut Ctx) -> Option<Result<Gradient, EstimateError>> {
        None
    }
}

impl Recording for Tape {
    fn automatic(solution: &AnySolution<'_, Self>, ctx: &mut Ctx) -> Option<Result<Gradient, EstimateError>> {
        Some(solution.gradient_in(&Envelope, &Automatic, ctx))
    }
}

impl Recording for Tangents {
    fn automatic(solution: &AnySolution<'_, Self>, ctx: &mut Ctx) -> Option<Result<Gradient, EstimateError>> {
        Some(solution.gradient_in(&Envelope, &Forward, ctx))
    }
}

impl Choices {
    /// The gradient by `kind`; `None` for g2 where nothing was recorded.
    pub(crate) fn gradient<R: Recording>(
        &self,
        kind: EstimatorKind,
        solution: &AnySolution<'_, R>,
        ctx: &mut Ctx,
    ) -> Option<Result<Gradient, EstimateError>> {
        match kind {
            EstimatorKind::Analytic => Some(solution.gradient_in(&Envelope, &Analytic, ctx)),
            EstimatorKind::Automatic => R::automatic(solution, ctx),
            EstimatorKind::Implicit => Some(self.implicit(solution, ctx)),
        }
    }

    fn implicit<R: Recording>(&self, solution: &AnySolution<'_, R>, ctx: &mut Ctx) -> Result<Gradient, EstimateError> {
        fn by<R, H>(
            solution: &AnySolution<'_, R>,
            method: H,
            tolerance: f64,
            ctx: &mut Ctx,
        ) -> Result<Gradient, EstimateError>
        where
            R: Recording,
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

//! What a problem proves of g1, or of a hypergradient, at a point.

use thiserror::Error;

use crate::ctx::Ctx;

/// How far the derivatives of a function of (z, x) can be from what they are at z, over every point within some distance of z; and from what was
/// computed there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Changes {
    /// Of the derivative in z.
    pub grad_z: f64,
    /// Of that in x.
    pub grad_x: f64,
}

/// What an outer function answers with for a distance from z; `None` where it does not know.
pub type OuterChanges<'a> = &'a mut dyn FnMut(f64, &mut Ctx) -> Option<Changes>;

/// A bound on ‖grad_x L(z, x) - grad l(x)‖, the error of g1 at z, in exact arithmetic and in this one; or on that of g3 of an outer function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnalyticBound {
    /// On account of z not being z*.
    pub iterate: f64,
    /// On account of rounding: in the gradient at z from which the bound follows, and in g1 itself.
    pub rounding: f64,
    /// Whether the curvature of the loss at each row is known to a factor of e between z and z*. Where it is not, the bound holds,
    /// and may be far from sharp.
    pub localised: bool,
    /// What it follows from.
    pub theorem: Theorem,
    /// Whether sharper constants would make it notably smaller: [`Problem::sharpen_bounds`](crate::problem::Problem::sharpen_bounds).
    pub is_loose: bool,
}

impl AnalyticBound {
    /// The bound.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.iterate + self.rounding
    }
}

/// How what rounding does is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effort {
    /// By norms, without a pass: enough where rounding is far below the rest.
    #[default]
    Norms,
    /// Sum by sum, by a pass over |D|.
    Pass,
}

/// What a bound on the error of g1 follows from. With G = grad_z L(z, x), mu_j the least curvature of the penalty at each
/// coordinate, E = ‖mu^(-1/2) G‖, S and C the secants of phi_u and phi_x between D z and D z*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Theorem {
    /// Of targets of losses of u - x, where C = -S: `max_i S_i^(1/2) E / 2`.
    Difference,
    /// Of targets and weights: `C² <= kappa² S + beta` row by row, for the best kappa.
    Split,
    /// Of log lambda: `max_g (lambda_g^(1/2) ‖r'(z)_g‖) E` and a term in E².
    Penalty,
    /// Of the entries of D: that of the residuals of the rows, times z, and that of z, times the residuals.
    Design,
    /// Of problems with kinks: the strong convexity of the losses in D z, and the duality gap.
    Gap,
    /// Of hypergradients: what second derivatives change by between z and z*, times the adjoint, and what the adjoint changes by on that account.
    Adjoint,
}

impl Theorem {
    /// A short name for reports, in kebab case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Difference => "difference",
            Self::Split => "split",
            Self::Penalty => "penalty",
            Self::Design => "design",
            Self::Gap => "gap",
            Self::Adjoint => "adjoint",
        }
    }
}

/// Why nothing is proved of g1 at a point.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Unproved {
    /// The problem has no bound.
    #[error("the problem knows no bound on the error of its gradients")]
    Unknown,
    /// The loss does not say what it does near a prediction.
    #[error("the loss knows no bounds near the prediction of row {row} (from 0)")]
    Loss {
        /// The first such row, from 0.
        row: usize,
    },
    /// The penalty does not make L strongly convex in every coordinate.
    #[error("the penalty of column {column} (from 0) is not strongly convex: lambda or the least curvature is 0")]
    NotStronglyConvex {
        /// The first such column, from 0.
        column: usize,
    },
    /// A weight is negative: L need not be convex.
    #[error("the weight of row {row} (from 0) is {weight}: L need not be convex")]
    NegativeWeight {
        /// The row, from 0.
        row: usize,
        /// Its weight.
        weight: f64,
    },
    /// The outer function does not say how its derivatives change.
    #[error("the outer function knows no bound on how its derivatives change")]
    Outer,
    /// The bound is larger than any number, as of an exponential loss far from z*.
    #[error("no finite bound: z is too far from z*, or a number overflows")]
    Overflow,
}

impl Unproved {
    /// Whether a Newton step may tell what is left: not where only the size of numbers keeps a bound from being proved, as z may be anywhere then, nor where
    /// the step may lead to a maximum.
    #[must_use]
    pub fn is_estimable(&self) -> bool {
        !matches!(self, Self::Overflow | Self::NegativeWeight { .. })
    }

    /// A short name for reports, in kebab case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown-problem",
            Self::Loss { .. } => "unknown-loss",
            Self::NotStronglyConvex { .. } => "not-strongly-convex",
            Self::NegativeWeight { .. } => "negative-weight",
            Self::Outer => "unknown-outer",
            Self::Overflow => "overflow",
        }
    }
}

//! How wrong a gradient can be: bounds on ‖g - grad l(x)‖, from the theory of the three estimators.
//!
//! A problem proves a bound B1(z') on the error of g1 at any z' from one gradient there
//! ([`Problem::analytic_bound`](crate::problem::Problem::analytic_bound)). Any other gradient g is certified through it, by a reference point
//! z':
//!
//! ```text
//! ‖g - grad l(x)‖ <= ‖g - g1(z')‖ + B1(z')              for every z'; the least of a few is taken
//! ```
//!
//! | reference | z' | costs |
//! |---|---|---|
//! | [`Reference::Iterate`] | z_T | nothing |
//! | [`Reference::Improved`] | z_T - s of the reverse pass of g2, z_T - v of the solve of g3 | a pass |
//! | [`Reference::Mixture`] | the mixture of the last iterates with the least gradient | a pass |
//! | [`Reference::Newton`] | a Newton step from the best of these | a solve and a pass |
//!
//! Of an outer function f other than L, the gradient is grad_x f - L_xz v with L_zz v = grad_z f at z*. Of the same at any z', v', a problem bounds the error by what
//! is left of that equation and by what second derivatives can change by between z' and z*
//! ([`Problem::adjoint_bound`](crate::problem::Problem::adjoint_bound)), and ‖g - g3(z', v')‖ is added: to first order in z' - z*. z_T is taken with the solution of the
//! linear solve, or with what the duals of the reverse pass sum up to; with [`Certified::newton`] also a Newton step, with an adjoint of its own.
//!
//! [`Certified`] makes a certified estimator of any other, and [`ByGap`] does where L has kinks. Where nothing is proved but a z' is at hand that came by a Newton step, the
//! bound is estimated: ‖g - g1(z')‖, what is left at z' in proportion, and rounding, three times.
//!
//! Source: the identities are those of Ablin, Peyre, Moreau 2020 for losses that are not quadratic; the reference points and the bound for generalised
//! linear problems are this project's.

mod bound;
mod by_gap;
mod certified;
mod hypergradient;
mod mixture;

pub use bound::{AnalyticBound, Changes, Effort, OuterChanges, Theorem, Unproved};
pub use by_gap::ByGap;
pub use certified::{Certified, NewtonStep, NoNewton, Refine};

use thiserror::Error;

use crate::ctx::Cost;

/// An estimate is taken so many times: what is left out of it is of the size of what is in it.
const SAFETY: f64 = 3.0;
/// A gradient after a Newton step of more than this share of that before says too little to estimate by.
const BETTER: f64 = 0.5;

/// A bound on ‖g - grad l(x)‖.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certificate {
    /// The bound: the sum of its parts.
    pub bound: f64,
    /// Whether it is proved.
    pub basis: Basis,
    /// The point it goes through.
    pub reference: Reference,
    /// Whether the curvature of the loss is known to a factor of e between the reference and z*; where it is not, a proved bound
    /// holds and may be far from sharp.
    pub localised: bool,
    /// What it is made of.
    pub parts: Parts,
    /// What it follows from; `None` where it is estimated.
    pub theorem: Option<Theorem>,
    /// What it cost beyond the gradient.
    pub cost: Cost,
}

impl Certificate {
    /// Through a point at `distance` from the gradient, with the bound there.
    #[must_use]
    pub fn proved(reference: Reference, distance: f64, bound: AnalyticBound) -> Self {
        let AnalyticBound { iterate, rounding, localised, theorem, .. } = bound;
        Self {
            bound: distance + bound.total(),
            basis: Basis::Proved,
            reference,
            localised,
            parts: Parts { reference: distance, iterate, rounding, linear: 0.0 },
            theorem: Some(theorem),
            cost: Cost::default(),
        }
    }

    /// Three times the sum of `distance`, of the gradient from that at a point, of `left`, what is thought to be left there, and of `rounding`. `None`
    /// where that is not finite.
    #[must_use]
    pub fn estimated(reference: Reference, distance: f64, left: f64, rounding: f64) -> Option<Self> {
        let [of_reference, iterate, rounding] = [distance, left, rounding].map(|part| SAFETY * part);
        let parts = Parts { reference: of_reference, iterate, rounding, linear: 0.0 };
        let bound = of_reference + iterate + rounding;
        let (basis, cost) = (Basis::Estimated, Cost::default());
        bound.is_finite().then_some(Self { bound, basis, reference, localised: false, parts, theorem: None, cost })
    }
}

/// What a bound is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// ‖g - g1(z')‖.
    pub reference: f64,
    /// On account of z' not being z*.
    pub iterate: f64,
    /// On account of rounding.
    pub rounding: f64,
    /// What the residual of the linear solve of an implicit gradient can have changed in it, to first order; contained in `reference`, and 0 where
    /// there was none or nothing is known.
    pub linear: f64,
}

/// What a bound rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// Every constant in it is known.
    Proved,
    /// Three times an estimate.
    Estimated,
}

impl Basis {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Estimated => "estimated",
        }
    }
}

/// The point that a bound goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// z_T.
    Iterate,
    /// What the estimator came by on its way.
    Improved,
    /// The mixture of the last iterates.
    Mixture,
    /// A Newton step from the best of the others.
    Newton,
}

impl Reference {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iterate => "iterate",
            Self::Improved => "improved",
            Self::Mixture => "mixture",
            Self::Newton => "newton",
        }
    }
}

/// What is left after a Newton step that moved a gradient by `change` and left the share `share` of grad_z L: in proportion. `None` where that says too
/// little. Steps of a first-order solver would not do: they leave what is slow.
fn left_by_newton(change: f64, share: f64) -> Option<f64> {
    (share <= BETTER).then(|| change * share / (1.0 - share))
}

/// Why a gradient has no certificate.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Uncertified {
    /// Nobody asked for one.
    #[error("no certificate was asked for")]
    NotAsked,
    /// It is no gradient, but its products with some directions.
    #[error("these are derivatives along directions, not a gradient")]
    Directions,
    /// Of an outer function other than L: the estimator came by no adjoint to bound it by.
    #[error(
        "forward derivatives come by no adjoint to bound a hypergradient by: the reverse mode and the implicit estimator do"
    )]
    NoAdjoint,
    /// Nothing is proved, and there is no Newton step to estimate by.
    #[error("{0}, and there is no Newton step to estimate by")]
    Unproved(#[from] Unproved),
}

impl Uncertified {
    /// A short name for reports, in kebab case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotAsked => "not-asked",
            Self::Directions => "directions",
            Self::NoAdjoint => "no-adjoint",
            Self::Unproved(reason) => reason.name(),
        }
    }
}

//! sum_j (lambda_j |z_j| + mu_j z_j² / 2), with or without z >= 0.

use super::EncodeError;
use super::active::PAD;

/// A weight for all atoms or one for each.
#[derive(Clone, Debug, PartialEq)]
enum Weights {
    Same(f64),
    Each(Vec<f64>),
}

impl Weights {
    /// One an atom, each finite and at least 0.
    fn expand(&self, what: &'static str, atoms: usize) -> Result<Vec<f64>, EncodeError> {
        let weights = match self {
            Self::Same(weight) => vec![*weight; atoms],
            Self::Each(weights) if weights.len() == atoms => weights.clone(),
            Self::Each(weights) => {
                return Err(EncodeError::Length { what, expected: atoms, found: weights.len() });
            }
        };
        let fits = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        if let Self::Same(value) = *self
            && !fits(&value)
        {
            return Err(EncodeError::Weight { what, atom: 0, value });
        }
        match weights.iter().position(|weight| !fits(weight)) {
            Some(atom) => Err(EncodeError::Weight { what, atom, value: weights[atom] }),
            None => Ok(weights),
        }
    }
}

/// `sum_j (lambda_j |z_j| + mu_j z_j² / 2)`, and whether z >= 0: what a code costs beside how far D z is from the signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalties {
    lambda: Weights,
    mu: Weights,
    nonnegative: bool,
}

impl Penalties {
    /// `lambda ‖z‖_1`.
    #[must_use]
    pub fn l1(lambda: f64) -> Self {
        Self { lambda: Weights::Same(lambda), mu: Weights::Same(0.0), nonnegative: false }
    }

    /// `sum_j lambda_j |z_j|`, one lambda an atom.
    #[must_use]
    pub fn l1_per_atom(lambda: Vec<f64>) -> Self {
        Self { lambda: Weights::Each(lambda), ..Self::l1(0.0) }
    }

    /// With `mu ‖z‖² / 2` more: the elastic net.
    #[must_use]
    pub fn ridge(self, mu: f64) -> Self {
        Self { mu: Weights::Same(mu), ..self }
    }

    /// With `sum_j mu_j z_j² / 2` more, one mu an atom.
    #[must_use]
    pub fn ridge_per_atom(self, mu: Vec<f64>) -> Self {
        Self { mu: Weights::Each(mu), ..self }
    }

    /// With z >= 0.
    #[must_use]
    pub fn nonnegative(self) -> Self {
        Self { nonnegative: true, ..self }
    }
}

/// The least lambda_j, relative to ‖d_j‖ ‖u‖: below, |q_j| <= lambda_j would be a matter of rounding, and so the gap.
pub(super) const LEAST: f64 = 1.0 / (1_u64 << 34) as f64;

/// lambda and 1 / lambda of a signal.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub(super) lambda: &'a [f64],
    pub(super) inverse: &'a [[f64; PAD]],
}

/// Penalties that fit the atoms.
pub(super) struct Checked {
    pub(super) lambda: Vec<f64>,
    pub(super) mu: Vec<f64>,
    pub(super) nonnegative: bool,
    /// 1 / lambda_j, padded; 0 for an atom of zeros.
    inverse: Vec<[f64; PAD]>,
    /// sqrt(‖d_j‖² + mu_j).
    norms: Vec<f64>,
    /// The smallest lambda_j over that.
    least: f64,
}

/// A signal's own bounds, where it has some.
#[derive(Default)]
pub(super) struct Raised {
    lambda: Vec<f64>,
    inverse: Vec<[f64; PAD]>,
}

impl Checked {
    pub(super) fn new(penalties: &Penalties, squares: &[f64]) -> Result<Self, EncodeError> {
        let lambda = penalties.lambda.expand("lambda", squares.len())?;
        let mu = penalties.mu.expand("mu", squares.len())?;
        let norms: Vec<f64> = squares.iter().zip(&mu).map(|(square, mu)| (square + mu).sqrt()).collect();
        let mut inverse = Vec::new();
        invert(&lambda, &norms, &mut inverse);
        let least = lambda.iter().zip(&norms).filter(|(_, norm)| **norm > 0.0).map(|(lambda, norm)| lambda / norm);
        let least = least.fold(f64::INFINITY, f64::min);
        Ok(Self { lambda, mu, nonnegative: penalties.nonnegative, inverse, norms, least })
    }

    /// The bounds of a signal of norm `norm`: those of all, or where one is too small, larger ones kept in `raised`.
    pub(super) fn bounds<'a>(&'a self, norm: f64, raised: &'a mut Raised) -> Bounds<'a> {
        if self.least >= LEAST * norm {
            return Bounds { lambda: &self.lambda, inverse: &self.inverse };
        }
        raised.lambda.clear();
        raised.lambda.extend(self.lambda.iter().zip(&self.norms).map(|(lambda, own)| lambda.max(LEAST * norm * own)));
        invert(&raised.lambda, &self.norms, &mut raised.inverse);
        Bounds { lambda: &raised.lambda, inverse: &raised.inverse }
    }
}

fn invert(lambda: &[f64], norms: &[f64], inverse: &mut Vec<[f64; PAD]>) {
    inverse.clear();
    inverse.resize(lambda.len().div_ceil(PAD), [0.0; PAD]);
    for ((inverse, lambda), norm) in inverse.as_flattened_mut().iter_mut().zip(lambda).zip(norms) {
        *inverse = if *norm > 0.0 { 1.0 / lambda } else { 0.0 };
    }
}

//! Generalised linear problems: L(z, x) = sum_i w_i phi(u_i, y_i) + sum_j lambda_g(j) r(z_j), u = D z.
//!
//! phi is a loss of one row and r a penalty of one coordinate; each row has a weight, and each column a group with a lambda of
//! its own, or all share one. One of these pieces is the parameter x ([`Wrt`]); the others are fixed. Where the loss has k
//! predictions a row, u_i is in R^k, z holds k numbers for each column of D and y k numbers for each row.
//!
//! With phi and its derivatives taken row by row, and W the matrix with the pattern of D that holds an x-space vector w:
//!
//! | product | | passes |
//! |---|---|---|
//! | `L` | the formula above | 0 with the memo u |
//! | `grad_z L` | `D^T (w phi_u) + lambda r'` | 1 |
//! | `L_zz v` | `D^T (w phi_uu (D v)) + lambda r'' v` | 1 |
//!
//! | x | p | `grad_x L` | `L_xz v` | `L_zx w` |
//! |---|---|---|---|---|
//! | targets y | n k | `w phi_y` | `w phi_yu (D v)` | `D^T (w phi_uy w)` |
//! | weights | n | `phi` | `<phi_u, D v>` | `D^T (phi_u w)` |
//! | log lambda | groups | `lambda_g sum r` | `lambda_g sum r' v` | `lambda_g r' w_g` |
//! | entries of D | stored entries | `(w phi_u) z^T` | `(w phi_uu (D v)) z^T + (w phi_u) v^T` | `D^T (w phi_uu (W z)) + W^T (w phi_u)` |
//!
//! `grad_x L` costs no pass with the memo, except for the entries of D; `L_xz v` and `L_zx w` share the pass of `L_zz v`, except
//! that `L_zx w` for the entries of D takes four. Without the memo, `L`, `grad_x L` and that `L_zx w` cost one more.

mod adjoint;
mod bound;
mod finite_sum;
mod products;
pub(super) mod regularisation;

use std::sync::{Arc, OnceLock};

use thiserror::Error;

use self::bound::Constants;
use self::regularisation::Regularisation;
use super::loss::RowLoss;
use super::penalty::{Penalty, Ridge};
use super::{Objective, Point};
use crate::ctx::Ctx;
use crate::design::{Design, Matrix};

/// Which piece of a [`Glm`] is the parameter x.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wrt {
    /// The targets y, row by row: p = n, or n k.
    #[default]
    Targets,
    /// The weight of each row: p = n.
    Weights,
    /// log lambda: p = 1, or one for each group.
    Regularisation,
    /// The stored entries of D, by row and then by column, explicit zeros included; all entries of a dense D.
    Design,
}

impl Wrt {
    /// Every piece.
    pub const ALL: [Self; 4] = [Self::Targets, Self::Weights, Self::Regularisation, Self::Design];

    /// A short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Targets => "targets",
            Self::Weights => "weights",
            Self::Regularisation => "regularisation",
            Self::Design => "design",
        }
    }
}

/// A piece of a generalised linear problem that does not fit.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum GlmError {
    /// A penalty is negative, infinite or NaN.
    #[error("lambda is {lambda}, expected a finite number at least 0")]
    Lambda {
        /// What was given.
        lambda: f64,
    },
    /// A penalty that is differentiated by its logarithm is 0.
    #[error("lambda of group {group} (from 0) is 0 and has no logarithm, expected a number above 0")]
    NoLogarithm {
        /// The group.
        group: usize,
    },
    /// The lambdas are no part of a problem whose x are their logarithms.
    #[error("x are the logarithms of the lambdas: the problem has none to be scaled")]
    LambdasAreX,
    /// Vectors with k numbers for each row or column are longer than there can be.
    #[error("{sides} rows or columns and {width} predictions for each, expected a product of at most {}", MAX_LEN)]
    TooWide {
        /// The longer side of the design.
        sides: usize,
        /// k.
        width: usize,
    },
    /// A vector has the wrong length.
    #[error("{what}: {found} numbers, expected {expected}")]
    Length {
        /// Which vector.
        what: &'static str,
        /// The length that the design asks for.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// A weight is negative, infinite or NaN.
    #[error("weight of row {row} (from 0) is {weight}, expected a finite number at least 0")]
    Weight {
        /// The row, from 0.
        row: usize,
        /// What was given.
        weight: f64,
    },
    /// A column belongs to a group that has no lambda.
    #[error("column {column} (from 0) is in group {group}, expected one of the {groups} groups with a lambda, from 0")]
    Group {
        /// The column, from 0.
        column: usize,
        /// Its group.
        group: u32,
        /// Number of groups.
        groups: usize,
    },
}

/// A generalised linear problem over a [`Design`].
#[derive(Clone, Debug)]
pub struct Glm<L, R = Ridge> {
    design: Arc<Design>,
    loss: L,
    penalty: R,
    wrt: Wrt,
    /// Empty where they are the parameter.
    targets: Vec<f64>,
    /// Empty for ones.
    weights: Vec<f64>,
    /// One a group.
    lambdas: Vec<f64>,
    /// The group of each column; empty where there is one group.
    groups: Vec<u32>,
    hessian_rank_bound: usize,
    /// Made when a gradient is certified.
    constants: OnceLock<Arc<Constants>>,
}

/// The group of columns that have no penalty, and no lambda in x: an intercept, for one.
pub const FREE: u32 = u32::MAX;

/// Numbers that a vector can have.
const MAX_LEN: usize = isize::MAX as usize / size_of::<f64>();

/// A margin above the Lanczos estimate, which approaches the eigenvalue from below.
const SMOOTHNESS_MARGIN: f64 = 1.05;

impl<L: RowLoss> Glm<L> {
    /// sum_i phi((D z)_i, x_i) + lambda/2 ‖z‖²: the parameter x are the targets, every weight is 1.
    ///
    /// # Errors
    ///
    /// [`GlmError::Lambda`] unless 0 <= lambda < infinity, [`GlmError::TooWide`] for vectors longer than there can be.
    pub fn new(design: impl Into<Arc<Design>>, loss: L, lambda: f64) -> Result<Self, GlmError> {
        check_lambda(lambda)?;
        let design = design.into();
        let (sides, width) = (design.rows().max(design.columns()), loss.width());
        if sides.checked_mul(width).is_none_or(|len| len > MAX_LEN) {
            return Err(GlmError::TooWide { sides, width });
        }
        let problem = Self {
            design,
            loss,
            penalty: Ridge,
            wrt: Wrt::Targets,
            targets: Vec::new(),
            weights: Vec::new(),
            lambdas: vec![lambda],
            groups: Vec::new(),
            hessian_rank_bound: 0,
            constants: OnceLock::new(),
        };
        Ok(problem.with_rank_bound())
    }
}

impl<L: RowLoss, R: Penalty> Glm<L, R> {
    /// The same problem with another penalty r in the place of z²/2.
    #[must_use]
    pub fn penalised_by<R2: Penalty>(self, penalty: R2) -> Glm<L, R2> {
        let Self { design, loss, penalty: _, wrt, targets, weights, lambdas, groups, hessian_rank_bound, constants } =
            self;
        let problem =
            Glm { design, loss, penalty, wrt, targets, weights, lambdas, groups, hessian_rank_bound, constants };
        problem.with_rank_bound()
    }

    /// The same problem with a weight for each row.
    ///
    /// # Errors
    ///
    /// [`GlmError::Length`] or [`GlmError::Weight`].
    pub fn weighted(self, weights: Vec<f64>) -> Result<Self, GlmError> {
        check_length("weights", self.design.rows(), weights.len())?;
        match weights.iter().position(|weight| !(*weight >= 0.0 && weight.is_finite())) {
            Some(row) => Err(GlmError::Weight { row, weight: weights[row] }),
            None => Ok(Self { weights, ..self }),
        }
    }

    /// The same problem with a penalty lambda_g for each group g of columns; `groups` names that of each column, from 0, or [`FREE`].
    ///
    /// # Errors
    ///
    /// [`GlmError`] for a negative lambda, a number of groups other than m, or a group without a lambda.
    pub fn grouped(self, lambdas: Vec<f64>, groups: Vec<u32>) -> Result<Self, GlmError> {
        lambdas.iter().try_for_each(|&lambda| check_lambda(lambda))?;
        check_length("groups", self.design.columns(), groups.len())?;
        if let Some(column) = groups.iter().position(|&group| group != FREE && group as usize >= lambdas.len()) {
            return Err(GlmError::Group { column, group: groups[column], groups: lambdas.len() });
        }
        Ok(Self { lambdas, groups, constants: OnceLock::new(), ..self }.with_rank_bound())
    }

    /// The same problem with another parameter: `wrt` is what x is from here on, and `targets` are y. Returns the x at which
    /// the problem stands: the targets, the weights, the logarithms of lambda or the entries of D.
    ///
    /// # Errors
    ///
    /// [`GlmError::Length`] if there is not one target for each prediction, [`GlmError::NoLogarithm`] where a lambda that is
    /// to be differentiated is 0.
    pub fn wrt(mut self, wrt: Wrt, targets: Vec<f64>) -> Result<(Self, Vec<f64>), GlmError> {
        check_length("targets", self.design.rows() * self.loss.width(), targets.len())?;
        let x = match wrt {
            Wrt::Targets => targets.clone(),
            Wrt::Weights if self.weights.is_empty() => vec![1.0; self.design.rows()],
            Wrt::Weights => self.weights.clone(),
            Wrt::Regularisation => {
                if let Some(group) = self.lambdas.iter().position(|&lambda| lambda == 0.0) {
                    return Err(GlmError::NoLogarithm { group });
                }
                self.lambdas.iter().map(|lambda| lambda.ln()).collect()
            }
            Wrt::Design => self.design.values(),
        };
        (self.wrt, self.constants) = (wrt, OnceLock::new());
        self.targets = if wrt == Wrt::Targets { Vec::new() } else { targets };
        Ok((self.with_rank_bound(), x))
    }

    fn with_rank_bound(self) -> Self {
        let (columns, width) = (self.design.columns(), self.loss.width());
        let penalised = match &*self.groups {
            _ if self.penalty.curvature().1 == 0.0 => 0,
            [] if self.lambdas.first().is_some_and(|lambda| *lambda > 0.0) => columns,
            [] => 0,
            groups => groups
                .iter()
                .filter(|&&group| self.lambdas.get(group as usize).is_some_and(|lambda| *lambda > 0.0))
                .count(),
        };
        let hessian_rank_bound = if penalised == columns {
            columns * width
        } else {
            // Entries that x moves need not stay 0.
            let moved = self.wrt == Wrt::Design;
            let rank = self.design.rank_bound_where(|value| moved || value != 0.0);
            (columns * width).min(rank * self.loss.rank() + penalised * width)
        };
        Self { hessian_rank_bound, ..self }
    }

    /// D.
    #[must_use]
    pub fn design(&self) -> &Arc<Design> {
        &self.design
    }

    /// The same problem with its lambdas multiplied by `factor`.
    pub(super) fn scaled(&self, factor: f64) -> Result<Self, GlmError>
    where
        L: Clone,
        R: Clone,
    {
        if self.wrt == Wrt::Regularisation {
            return Err(GlmError::LambdasAreX);
        }
        let lambdas: Vec<f64> = self.lambdas.iter().map(|lambda| factor * lambda).collect();
        match lambdas.iter().find(|lambda| !(**lambda >= 0.0 && lambda.is_finite())) {
            Some(&lambda) => Err(GlmError::Lambda { lambda }),
            None => Ok(Self { lambdas, constants: OnceLock::new(), ..self.clone() }),
        }
    }

    /// phi.
    pub(super) fn loss(&self) -> &L {
        &self.loss
    }

    /// What x is.
    pub(super) fn differentiated(&self) -> Wrt {
        self.wrt
    }

    /// The same losses over some columns of D as it is at x, with `penalty` and the lambdas of those columns: x are the targets.
    pub(super) fn on_columns<R2: Penalty>(&self, x: &[f64], columns: &[usize], penalty: R2) -> Glm<L, R2>
    where
        L: Clone,
    {
        let regularisation = self.regularisation(x);
        let lambdas = (0..self.lambdas.len()).map(|group| regularisation.lambda(group)).collect();
        let groups =
            if self.groups.is_empty() { Vec::new() } else { columns.iter().map(|&j| self.groups[j]).collect() };
        let problem = Glm {
            design: Arc::new(self.matrix(x).columns_of(columns)),
            loss: self.loss.clone(),
            penalty,
            wrt: Wrt::Targets,
            targets: Vec::new(),
            weights: self.weights(x).to_vec(),
            lambdas,
            groups,
            hessian_rank_bound: 0,
            constants: OnceLock::new(),
        };
        problem.with_rank_bound()
    }

    /// D at x.
    pub(super) fn matrix<'a>(&'a self, x: &'a [f64]) -> Matrix<'a> {
        if self.wrt == Wrt::Design { self.design.with_values(x) } else { self.design.matrix() }
    }

    /// y at x.
    pub(super) fn targets<'a>(&'a self, x: &'a [f64]) -> &'a [f64] {
        if self.wrt == Wrt::Targets { x } else { &self.targets }
    }

    /// The weights at x; empty for ones.
    pub(super) fn weights<'a>(&'a self, x: &'a [f64]) -> &'a [f64] {
        if self.wrt == Wrt::Weights { x } else { &self.weights }
    }

    pub(super) fn regularisation<'a>(&'a self, x: &'a [f64]) -> Regularisation<'a, R> {
        let logarithms = self.wrt == Wrt::Regularisation;
        Regularisation {
            penalty: &self.penalty,
            lambdas: if logarithms { x } else { &self.lambdas },
            logarithms,
            groups: &self.groups,
            width: self.loss.width(),
        }
    }

    /// The largest eigenvalue of `D^T diag(c) D`, c the weighted curvature of the losses on the sublevel set of `at`: the
    /// Lanczos estimate raised by 5 %, without the penalty's share. `None` where the loss knows no bound or a weight is
    /// negative, infinite where it overflows.
    pub fn loss_smoothness(&self, at: Point<'_>, ctx: &mut Ctx) -> Option<f64> {
        self.loss_smoothness_above(at, 0.0, ctx)
    }

    /// [`Glm::loss_smoothness`] where the losses may rise by `spare` above their value at `at`.
    pub(super) fn loss_smoothness_above(&self, at: Point<'_>, spare: f64, ctx: &mut Ctx) -> Option<f64> {
        let curvatures = self.curvatures_above(at, spare, ctx)?;
        let smoothness = match curvatures.iter().copied().fold(0.0, f64::max) {
            f64::INFINITY => f64::INFINITY,
            _ => SMOOTHNESS_MARGIN * self.matrix(at.x).largest_eigenvalue(&curvatures, ctx),
        };
        ctx.give(curvatures);
        Some(smoothness)
    }

    /// Bounds on the curvatures of the losses times their weights, length n, on the sublevel set of the losses `spare` above `at`; `None` where a loss knows no bound
    /// or a weight is negative. They are to be given back to `ctx`.
    pub(super) fn curvatures_above(&self, at: Point<'_>, spare: f64, ctx: &mut Ctx) -> Option<Vec<f64>> {
        let (targets, weights, width) = (self.targets(at.x), self.weights(at.x), self.loss.width());
        let row = |i: usize| &targets[i * width..(i + 1) * width];
        let weight = |i: usize| weights.get(i).copied().unwrap_or(1.0);
        let n = self.design.rows();
        let lowest: f64 =
            (0..n).map(|i| if weight(i) == 0.0 { 0.0 } else { weight(i) * self.loss.lower_bound(row(i)) }).sum();
        // No term exceeds what the level leaves it when all others are at their lowest.
        let spare = if lowest == f64::NEG_INFINITY { f64::INFINITY } else { self.value(at, ctx) + spare - lowest };
        let mut curvatures = ctx.take(n);
        for (i, c) in curvatures.iter_mut().enumerate() {
            let weight = weight(i);
            let bound = match weight {
                0.0 => Some(0.0),
                _ if weight > 0.0 => {
                    let level = spare / weight + self.loss.lower_bound(row(i));
                    self.loss.curvature(row(i), level).map(|bound| weight * bound)
                }
                _ => None,
            };
            let Some(bound) = bound else {
                ctx.give(curvatures);
                return None;
            };
            *c = bound;
        }
        Some(curvatures)
    }
}

fn check_lambda(lambda: f64) -> Result<(), GlmError> {
    if lambda >= 0.0 && lambda.is_finite() { Ok(()) } else { Err(GlmError::Lambda { lambda }) }
}

fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), GlmError> {
    if expected == found { Ok(()) } else { Err(GlmError::Length { what, expected, found }) }
}

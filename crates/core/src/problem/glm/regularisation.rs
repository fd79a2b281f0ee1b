//! sum_j lambda_g(j) r(z_j), and its derivatives in z and in log lambda.
//!
//! The derivative of a term in log lambda_g is the term itself: with x = log lambda, grad_x adds up lambda_g r(z_j) over the
//! group, and L_xz holds lambda_g r'(z_j).

use super::{FREE, Penalty};
use crate::vector::axpy;

/// The penalties on z at one x.
#[derive(Clone, Copy, Debug)]
pub(in crate::problem) struct Regularisation<'a, R> {
    pub(in crate::problem) penalty: &'a R,
    /// One a group: lambda, or its logarithm.
    pub(in crate::problem) lambdas: &'a [f64],
    pub(in crate::problem) logarithms: bool,
    /// The group of each column of D; empty where there is one group.
    pub(in crate::problem) groups: &'a [u32],
    /// Numbers of z for each column of D.
    pub(in crate::problem) width: usize,
}

impl<R: Penalty> Regularisation<'_, R> {
    pub(in crate::problem) fn lambda(&self, group: usize) -> f64 {
        match self.lambdas.get(group) {
            Some(logarithm) if self.logarithms => logarithm.exp(),
            Some(lambda) => *lambda,
            // Of free columns; and where there are no columns, there may be no group either.
            None => 0.0,
        }
    }

    /// `update(lambda, group, coordinate)` over the coordinates of z, `len` of them; the group of a free one is none of those with a lambda.
    pub(in crate::problem) fn each(&self, len: usize, mut update: impl FnMut(f64, usize, usize)) {
        if self.groups.is_empty() {
            let lambda = self.lambda(0);
            (0..len).for_each(|j| update(lambda, 0, j));
        } else {
            for (column, &group) in self.groups.iter().enumerate() {
                let lambda = self.lambda(group as usize);
                (column * self.width..(column + 1) * self.width).for_each(|j| update(lambda, group as usize, j));
            }
        }
    }

    /// [`Regularisation::each`] but for the free ones.
    pub(in crate::problem) fn each_penalised(&self, len: usize, mut update: impl FnMut(f64, usize, usize)) {
        self.each(len, |lambda, group, j| {
            if group < self.lambdas.len() {
                update(lambda, group, j);
            }
        });
    }

    pub(in crate::problem) fn smallest_lambda(&self) -> f64 {
        if self.groups.contains(&FREE) {
            return 0.0;
        }
        (0..self.lambdas.len()).map(|group| self.lambda(group)).fold(f64::INFINITY, f64::min)
    }

    pub(in crate::problem) fn largest_lambda(&self) -> f64 {
        (0..self.lambdas.len()).map(|group| self.lambda(group)).fold(0.0, f64::max)
    }

    pub(in crate::problem) fn value(&self, z: &[f64]) -> f64 {
        let mut sum = 0.0;
        self.each_penalised(z.len(), |lambda, _, j| sum += lambda * self.penalty.value(z[j]));
        sum
    }

    pub(in crate::problem) fn add_first(&self, z: &[f64], out: &mut [f64]) {
        if self.groups.is_empty() {
            let lambda = self.lambda(0);
            out.iter_mut().zip(z).for_each(|(out, &z)| *out += lambda * self.penalty.first(z));
        } else {
            self.each(z.len(), |lambda, _, j| out[j] += lambda * self.penalty.first(z[j]));
        }
    }

    /// `out += r'' v`; `z` may be empty where r is quadratic.
    pub(in crate::problem) fn add_second(&self, z: &[f64], v: &[f64], out: &mut [f64]) {
        let second = |j| z.get(j).map_or(self.penalty.curvature().0, |&z| self.penalty.second(z));
        if self.groups.is_empty() && self.is_quadratic() {
            axpy(self.lambda(0) * self.penalty.curvature().0, v, out);
        } else {
            self.each(v.len(), |lambda, _, j| out[j] += lambda * second(j) * v[j]);
        }
    }

    pub(in crate::problem) fn is_quadratic(&self) -> bool {
        let (low, high) = self.penalty.curvature();
        low == high
    }

    /// `out_g += scale dL/d log lambda_g`.
    pub(in crate::problem) fn add_grad_x(&self, z: &[f64], scale: f64, out: &mut [f64]) {
        self.each_penalised(z.len(), |lambda, group, j| out[group] += scale * lambda * self.penalty.value(z[j]));
    }

    /// `out_g += scale L_xz v`.
    pub(in crate::problem) fn add_cross(&self, z: &[f64], v: &[f64], scale: f64, out: &mut [f64]) {
        let add = |lambda: f64, group: usize, j: usize| out[group] += scale * lambda * self.penalty.first(z[j]) * v[j];
        self.each_penalised(z.len(), add);
    }

    /// `out += L_zx w`.
    pub(in crate::problem) fn add_cross_t(&self, z: &[f64], w: &[f64], out: &mut [f64]) {
        self.each_penalised(z.len(), |lambda, group, j| out[j] += lambda * self.penalty.first(z[j]) * w[group]);
    }
}

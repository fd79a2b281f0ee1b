//! Eigenvalues and eigenvectors of small symmetric matrices.

use danskin::prelude::Design;
use danskin::vector::{axpy, dot, norm};
use faer::{Mat, Side};

use crate::repeat::largest;

/// The eigenvalues of D^T diag(c) D that need not be 0, those of diag(c)^1/2 D D^T diag(c)^1/2, in increasing order; n of them. c is at least 0.
///
/// # Panics
///
/// If an entry is not finite.
pub(crate) fn of_gram(design: &Design, curvature: &[f64]) -> Vec<f64> {
    let (_, gram) = scaled_gram(design, curvature);
    gram.self_adjoint_eigenvalues(Side::Lower).expect("the entries are finite")
}

/// The eigenvalues of a symmetric n x n matrix, by columns, in increasing order.
///
/// # Panics
///
/// If an entry is not finite.
pub(crate) fn of_symmetric(n: usize, entries: &[f64]) -> Vec<f64> {
    let matrix = Mat::from_fn(n, n, |i, j| entries[j * n + i]);
    matrix.self_adjoint_eigenvalues(Side::Lower).expect("the entries are finite")
}

/// The same, each with its eigenvector, of norm 1.
///
/// # Panics
///
/// If an entry is not finite.
pub(crate) fn eigen(n: usize, entries: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let matrix = Mat::from_fn(n, n, |i, j| entries[j * n + i]);
    let eigen = matrix.self_adjoint_eigen(Side::Lower).expect("the entries are finite");
    let vector = |k: usize| (0..n).map(|i| eigen.U()[(i, k)]).collect();
    ((0..n).map(|k| eigen.S()[k]).collect(), (0..n).map(vector).collect())
}

/// The rows of D, and diag(c)^1/2 D D^T diag(c)^1/2.
fn scaled_gram(design: &Design, curvature: &[f64]) -> (Vec<Vec<f64>>, Mat<f64>) {
    let mut rows = vec![vec![0.0; design.columns()]; design.rows()];
    design.for_each_entry(|i, j, value| rows[i][j] = value);
    let entry = |i: usize, j: usize| (curvature[i] * curvature[j]).sqrt() * dot(&rows[i], &rows[j]);
    let gram = Mat::from_fn(rows.len(), rows.len(), entry);
    (rows, gram)
}

/// The least of those eigenvalues, and its eigenvector of D^T diag(c) D, of length m and norm 1.
///
/// # Panics
///
/// If an entry is not finite.
pub(crate) fn slowest(design: &Design, curvature: &[f64]) -> (f64, Vec<f64>) {
    let (rows, gram) = scaled_gram(design, curvature);
    let eigen = gram.self_adjoint_eigen(Side::Lower).expect("the entries are finite");
    let mut v = vec![0.0; design.columns()];
    for (i, row) in rows.iter().enumerate() {
        axpy(curvature[i].sqrt() * eigen.U()[(i, 0)], row, &mut v);
    }
    let length = norm(&v);
    v.iter_mut().for_each(|v| *v /= length);
    (eigen.S()[0], v)
}

/// K = diag(c)^1/2 D D^T diag(c)^1/2 by its eigenvalues and eigenvectors.
#[derive(Clone, Debug)]
pub(crate) struct Gram {
    /// In increasing order; n of them.
    pub(crate) eigenvalues: Vec<f64>,
    vectors: Mat<f64>,
}

impl Gram {
    /// # Panics
    ///
    /// If an entry is not finite.
    pub(crate) fn new(design: &Design, curvature: &[f64]) -> Self {
        let (_, gram) = scaled_gram(design, curvature);
        let eigen = gram.self_adjoint_eigen(Side::Lower).expect("the entries are finite");
        let eigenvalues = (0..gram.nrows()).map(|k| eigen.S()[k]).collect();
        Self { eigenvalues, vectors: eigen.U().to_owned() }
    }

    /// f(K), n x n.
    pub(crate) fn function(&self, f: impl Fn(f64) -> f64) -> Mat<f64> {
        let scaled = Mat::from_fn(self.vectors.nrows(), self.vectors.ncols(), |i, k| {
            self.vectors[(i, k)] * f(self.eigenvalues[k])
        });
        scaled * self.vectors.transpose()
    }
}

/// The largest modulus of an eigenvalue of a square matrix.
///
/// # Panics
///
/// If an entry is not finite.
pub(crate) fn radius(matrix: &Mat<f64>) -> f64 {
    let eigenvalues = matrix.eigenvalues().expect("the entries are finite");
    largest(eigenvalues.iter().map(|value| value.re.hypot(value.im)))
}

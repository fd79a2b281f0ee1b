//! How far a function rises, from its gradients: f(to) - f(from) = int_0^1 <grad f(from + s (to - from)), to - from> ds.
//!
//! Near a minimum that is a small number of its own, where a difference of values is rounding.

use danskin::vector::dot;

use crate::experiment::Failure;

/// Places and weights of Gauss and Legendre on [0, 1], exact to the fifth power.
const QUADRATURE: [(f64, f64); 3] =
    [(0.112_701_665_379_258_3, 5.0 / 18.0), (0.5, 8.0 / 18.0), (0.887_298_334_620_741_7, 5.0 / 18.0)];

/// f(`to`) - f(`from`), exact for f of the sixth degree.
///
/// # Errors
///
/// Those of `gradient`.
pub(crate) fn rise(
    from: &[f64],
    to: &[f64],
    mut gradient: impl FnMut(&[f64]) -> Result<Vec<f64>, Failure>,
) -> Result<f64, Failure> {
    let way: Vec<f64> = to.iter().zip(from).map(|(to, from)| to - from).collect();
    let mut sum = 0.0;
    for (place, weight) in QUADRATURE {
        let there: Vec<f64> = from.iter().zip(&way).map(|(x, way)| x + place * way).collect();
        sum += weight * dot(&gradient(&there)?, &way);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixth_powers_rise_by_their_difference() {
        let gradient = |x: &[f64]| Ok(vec![6.0 * x[0].powi(5), 2.0 * x[1]]);
        let rises = rise(&[1.0, 1.0], &[2.0, -3.0], gradient).unwrap();
        assert!((rises - (63.0 + 8.0)).abs() < 1e-12, "{rises}");
    }
}

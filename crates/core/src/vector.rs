//! Dense vector arithmetic with a fixed order of operations, so that results have the same bits everywhere.

/// Lanes summed apart: enough to fill the vector units, and part of the definition of the result.
pub(crate) const LANES: usize = 8;

/// `sum_i a_i b_i`.
///
/// # Panics
///
/// If the lengths differ.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "dot: lengths differ");
    let mut lanes = [0.0; LANES];
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for k in 0..LANES {
            lanes[k] += a[k] * b[k];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + rest
}

/// `y += a x`.
///
/// # Panics
///
/// If the lengths differ.
pub fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    assert_eq!(x.len(), y.len(), "axpy: lengths differ");
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// `‖a‖`, without overflow or underflow on the way. NaN or infinite if an entry is.
#[must_use]
pub fn norm(a: &[f64]) -> f64 {
    let plain = dot(a, a);
    if plain.is_normal() {
        return plain.sqrt();
    }
    let largest = max_abs(a);
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * a.iter().map(|v| (v / largest).powi(2)).sum::<f64>().sqrt()
}

/// `max_i |a_i|`, 0 for an empty vector, NaN if an entry is.
#[must_use]
pub fn max_abs(a: &[f64]) -> f64 {
    a.iter().fold(0.0, |m, v| if v.is_nan() || m.abs() < v.abs() { v.abs() } else { m })
}

/// `‖a - b‖`.
///
/// # Panics
///
/// If the lengths differ.
#[must_use]
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "distance: lengths differ");
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_survives_every_scale() {
        for scale in [1e-320, 1e-200, 1.0, 1e200, 1e307] {
            let value = norm(&[3.0 * scale, 4.0 * scale]);
            // 1e-320 is subnormal: its entries carry about 11 bits.
            assert!((value / (5.0 * scale) - 1.0).abs() < 1e-3, "{scale}: {value}");
        }
        assert_eq!(norm(&[]), 0.0);
        assert!(norm(&[f64::NAN, 1.0]).is_nan());
        assert!(norm(&[1.0, f64::NAN]).is_nan());
        assert_eq!(norm(&[f64::INFINITY, 1.0]), f64::INFINITY);
    }

    #[test]
    fn dot_of_every_length() {
        for len in 0..40 {
            let a: Vec<f64> = (0..len).map(f64::from).collect();
            let exact = (0..len).map(|i| f64::from(i * i)).sum::<f64>();
            assert_eq!(dot(&a, &a), exact);
        }
    }
}

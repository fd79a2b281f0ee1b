//! What fits share.

use danskin_bench::Line;

/// Errors below this share of what they are errors of are taken for rounding, and stay out of fits.
pub(crate) const FLOOR: f64 = 1e-12;

/// Whether an error, of what is of this `size`, is more than rounding. NaN is: a fit is to be of it, and so to fail.
pub(crate) fn is_seen(error: f64, size: f64) -> bool {
    error.is_nan() || error > FLOOR * size
}

/// The slope of the later half of `points`, in their order; NaN of too few, and where there is one.
pub(crate) fn later_slope(points: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let points: Vec<_> = points.into_iter().collect();
    if points.iter().any(|(x, y)| x.is_nan() || y.is_nan()) {
        return f64::NAN;
    }
    Line::fit(&points[points.len() / 2..]).map_or(f64::NAN, |line| line.slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_half_is_fitted() {
        let bent = (0..10).map(|k| (f64::from(k), if k < 5 { 0.0 } else { 3.0 * f64::from(k) }));
        assert!((later_slope(bent) - 3.0).abs() < 1e-14);
        assert!(later_slope((0..10).map(|k| (f64::from(k), if k == 1 { f64::NAN } else { 1.0 }))).is_nan());
        assert!(is_seen(f64::NAN, 1.0) && is_seen(2.0 * FLOOR, 1.0) && !is_seen(FLOOR, 2.0));
        assert!(later_slope([(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)]).is_nan());
    }
}

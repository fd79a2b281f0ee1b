//! Lines through points, by least squares.

/// y = intercept + slope x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Change of y for each unit of x.
    pub slope: f64,
    /// y at x = 0.
    pub intercept: f64,
    /// Share of the variance of y that the line explains, 1 for an exact fit.
    pub r_squared: f64,
    /// Number of points.
    pub points: usize,
}

impl Line {
    /// The line closest to `points`; `None` for fewer than 3, which any line nearly fits, or all at one x.
    #[must_use]
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len();
        if count < 3 {
            return None;
        }
        let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count as f64;
        let (mean_x, mean_y) = (mean(|p| p.0), mean(|p| p.1));
        let sum =
            |term: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| term(x - mean_x, y - mean_y)).sum::<f64>();
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        if xx == 0.0 {
            return None;
        }
        let slope = xy / xx;
        let r_squared = if yy == 0.0 { 1.0 } else { xy * xy / (xx * yy) };
        Some(Self { slope, intercept: mean_y - slope * mean_x, r_squared, points: count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_recovered() {
        let points: Vec<_> = (0..5).map(|i| (f64::from(i), 3.0 - 0.5 * f64::from(i))).collect();
        let line = Line::fit(&points).unwrap();
        assert!((line.slope + 0.5).abs() < 1e-15 && (line.intercept - 3.0).abs() < 1e-15);
        assert!((line.r_squared - 1.0).abs() < 1e-15);
        assert_eq!(line.points, 5);
    }

    #[test]
    fn noise_lowers_the_share_explained() {
        let line = Line::fit(&[(0.0, 0.0), (1.0, 2.0), (2.0, 0.0), (3.0, 2.0)]).unwrap();
        assert!((line.slope - 0.4).abs() < 1e-15 && (line.r_squared - 0.2).abs() < 1e-15);
    }

    #[test]
    fn too_little_is_no_line() {
        assert_eq!(Line::fit(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(Line::fit(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }
}

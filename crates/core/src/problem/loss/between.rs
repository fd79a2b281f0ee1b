//! What a convex loss does between a prediction and any other that is near: by it gradients and hypergradients are certified.

/// Bounds on phi(., y) that hold for every v with ‖v - u‖ <= h.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between {
    /// <phi_u(v) - phi_u(u), v - u> >= `secant` ‖v - u‖²; at least 0.
    pub secant: f64,
    /// The largest eigenvalue of phi_uu(v) is at most this.
    pub curvature: f64,
    /// ‖phi_uy(v)‖, and ‖phi_y(v) - phi_y(u)‖ / ‖v - u‖, are at most this.
    pub cross: f64,
}

/// How fast second derivatives of phi(., y) change over the v with ‖v - u‖ <= h: infinite where one has a kink there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Third {
    /// ‖phi_uu(v) - phi_uu(u)‖ <= `curvature` ‖v - u‖, as norms of matrices.
    pub curvature: f64,
    /// The same of phi_uy.
    pub cross: f64,
}

impl Third {
    /// Of a loss that is quadratic there.
    pub(super) const NONE: Self = Self { curvature: 0.0, cross: 0.0 };

    /// Of a loss that has a kink there.
    pub(super) const KINK: Self = Self { curvature: f64::INFINITY, cross: f64::INFINITY };

    /// Of a loss of u - y whose |phi_uuu| is at most this.
    pub(super) fn of_difference(curvature: f64) -> Self {
        Self { curvature, cross: curvature }
    }
}

impl Between {
    /// Where nothing is known.
    pub(crate) const UNKNOWN: Self = Self { secant: f64::NAN, curvature: f64::NAN, cross: f64::NAN };

    /// Of a loss of u - y whose phi_uy is -phi_uu.
    pub(super) fn of_difference(secant: f64, curvature: f64) -> Self {
        Self { secant, curvature, cross: curvature }
    }

    /// Of a function of `r` with a second derivative `bend` that rises up to `peak` and falls from there on, and a first derivative
    /// `slope`: (the least secant of `slope` from r to within h of it, the largest `bend` there).
    ///
    /// Going away from r, the mean of such a `bend` is least at once or at the end.
    pub(super) fn of_peaked(
        r: f64,
        peak: f64,
        h: f64,
        slope: impl Fn(f64) -> f64,
        bend: impl Fn(f64) -> f64,
    ) -> (f64, f64) {
        // NaN is no distance: all that is known is what holds everywhere.
        if r.is_nan() || h.is_nan() || h == f64::INFINITY {
            return (0.0, bend(peak));
        }
        let (here, most) = (bend(r), bend(peak.max(r - h).min(r + h)));
        let at_end = |end: f64| {
            let (first, last) = (slope(r), slope(end));
            // A difference of numbers near one another says nothing; the least of `bend` always does.
            let error = 8.0 * f64::EPSILON * (first.abs() + last.abs());
            let secant = ((last - first).abs() - error) / (end - r).abs();
            secant.max(bend(end).min(here))
        };
        if h == 0.0 {
            return (here, here);
        }
        (here.min(at_end(r - h)).min(at_end(r + h)).max(0.0), most)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LossName, LossVisitor, NamedLoss, Targets};
    use super::{Between, Third};
    use crate::testing::random;
    use crate::vector::{distance, dot, norm};

    struct Holds(LossName);

    impl LossVisitor for Holds {
        type Output = ();

        fn visit<L: NamedLoss>(self, loss: L) {
            let k = loss.width();
            for seed in 0..4000 {
                let numbers = random::vector(3 * k + 2, seed);
                let [size, reach] = [numbers[0], numbers[1]].map(|number| 10_f64.powf(number));
                let u: Vec<f64> = numbers[2..2 + k].iter().map(|u| u * size).collect();
                let mut y = numbers[2 + k..2 + 2 * k].to_vec();
                match self.0.targets() {
                    Targets::Real => {}
                    Targets::Signed => y[0] = y[0].signum(),
                    Targets::NotNegative | Targets::Positive => y[0] = y[0].abs(),
                    Targets::Classes => {
                        let sum: f64 = y.iter().map(|y| y.abs()).sum();
                        y.iter_mut().for_each(|y| *y = y.abs() / sum);
                    }
                }
                let step = &numbers[2 + 2 * k..];
                let v: Vec<f64> = u.iter().zip(step).map(|(u, step)| u + reach * step).collect();
                let far = distance(&u, &v);
                let between = loss.between(&u, &y, far * (1.0 + 4.0 * f64::EPSILON)).unwrap();
                self.holds(loss, [&u, &v, &y], between, far);
                let everywhere = loss.between(&u, &y, f64::INFINITY).unwrap();
                self.holds(loss, [&u, &v, &y], everywhere, far);
                for h in [far * (1.0 + 4.0 * f64::EPSILON), f64::INFINITY] {
                    self.changes_no_faster(loss, [&u, &v, &y], loss.third(&u, &y, h).unwrap(), far);
                }
                let here = loss.between(&u, &y, 0.0).unwrap();
                assert!(here.secant <= here.curvature, "{} {u:?} {y:?}: {here:?}", self.0);
            }
        }
    }

    impl Holds {
        fn holds<L: NamedLoss>(&self, loss: L, [u, v, y]: [&[f64]; 3], between: Between, far: f64) {
            let Between { secant, curvature, cross } = between;
            let k = u.len();
            let context = format!("{} at u {u:?}, v {v:?}, y {y:?}: {between:?}", self.0);
            let (mut at_u, mut at_v, mut y_at_u, mut y_at_v) = (vec![0.0; k], vec![0.0; k], vec![0.0; k], vec![0.0; k]);
            loss.grad_u(u, y, 1.0, &mut at_u);
            loss.grad_u(v, y, 1.0, &mut at_v);
            loss.grad_y(u, y, 1.0, &mut y_at_u);
            loss.grad_y(v, y, 1.0, &mut y_at_v);
            let step: Vec<f64> = v.iter().zip(u).map(|(v, u)| v - u).collect();
            let change: Vec<f64> = at_v.iter().zip(&at_u).map(|(v, u)| v - u).collect();
            // What evaluating phi_u and phi_y at rounded predictions leaves open.
            let size = 1.0 + norm(u) + norm(v) + norm(y);
            let (largest, tiny) = (norm(&at_u) + norm(&at_v), 32.0 * f64::EPSILON);
            let spread = if curvature.is_finite() { curvature * size } else { 0.0 };
            assert!(
                dot(&change, &step) >= secant * far * far * (1.0 - 1e-12) - tiny * (largest + spread) * far,
                "{context}"
            );
            let y_spread = if cross.is_finite() { cross * size } else { 0.0 };
            let y_largest = norm(&y_at_u) + norm(&y_at_v) + y_spread;
            assert!(distance(&y_at_u, &y_at_v) <= cross * far * (1.0 + 1e-12) + tiny * y_largest, "{context}");
            for w in [u, v] {
                let mut image = vec![0.0; k];
                loss.grad_u_tangent(w, y, &step, &[], 1.0, &mut image);
                assert!(dot(&image, &step) <= curvature * far * far * (1.0 + 1e-9), "{context}");
                image.fill(0.0);
                loss.grad_y_tangent(w, y, &step, 1.0, &mut image);
                assert!(norm(&image) <= cross * far * (1.0 + 1e-9), "{context}");
                if loss.is_of_difference() {
                    let mut bent = vec![0.0; k];
                    loss.grad_u_tangent(w, y, &step, &[], 1.0, &mut bent);
                    assert!(bent.iter().zip(&image).all(|(a, b)| *a == -*b), "{context}");
                }
            }
        }
    }

    impl Holds {
        fn changes_no_faster<L: NamedLoss>(&self, loss: L, [u, v, y]: [&[f64]; 3], third: Third, far: f64) {
            let (k, tiny) = (u.len(), 64.0 * f64::EPSILON);
            let direction: Vec<f64> = random::vector(k, (1e6 * far) as u64);
            let (mut bent, mut crossed) = ([vec![0.0; k], vec![0.0; k]], [vec![0.0; k], vec![0.0; k]]);
            for (side, w) in [u, v].into_iter().enumerate() {
                loss.grad_u_tangent(w, y, &direction, &[], 1.0, &mut bent[side]);
                loss.grad_y_tangent(w, y, &direction, 1.0, &mut crossed[side]);
            }
            for (images, third) in [(&bent, third.curvature), (&crossed, third.cross)] {
                let (change, size) = (distance(&images[0], &images[1]), norm(&images[0]) + norm(&images[1]));
                // What evaluating at rounded predictions leaves open.
                let moved = if third.is_finite() { third * (1.0 + norm(u) + norm(v) + norm(y)) } else { 0.0 };
                let most = third * far * norm(&direction) * (1.0 + 1e-9) + tiny * (size + moved * norm(&direction));
                assert!(
                    third >= 0.0 && change <= most,
                    "{} at u {u:?}, v {v:?}, y {y:?}: {change:e} {third:e}",
                    self.0
                );
            }
        }
    }

    #[test]
    fn it_holds_between_random_predictions_of_every_loss() {
        for name in LossName::all() {
            name.visit(3, Holds(name)).unwrap();
        }
    }

    /// A bound that is always 0, or infinite, holds too: near u it is what it should be.
    #[test]
    fn near_a_prediction_it_is_sharp() {
        struct Sharp;
        impl LossVisitor for Sharp {
            type Output = ();
            fn visit<L: NamedLoss>(self, loss: L) {
                let (u, y) = ([0.3], [1.0]);
                let [here, near, far] = [0.0, 1e-9, 0.5].map(|h| loss.between(&u, &y, h).unwrap());
                let (mut bend, mut cross) = ([0.0], [0.0]);
                loss.grad_u_tangent(&u, &y, &[1.0], &[], 1.0, &mut bend);
                loss.grad_y_tangent(&u, &y, &[1.0], 1.0, &mut cross);
                for between in [here, near] {
                    for (found, exact) in
                        [(between.secant, bend[0]), (between.curvature, bend[0]), (between.cross, cross[0].abs())]
                    {
                        assert!((found / exact - 1.0).abs() < 1e-8, "{between:?}, {bend:?}, {cross:?}");
                    }
                }
                assert!(far.secant >= 0.2 * bend[0] && far.curvature <= 3.0 * bend[0], "{far:?} {bend:?}");
                // The derivatives of phi_uu and phi_uy in u, by a difference.
                let third = loss.third(&u, &y, 0.0).unwrap();
                let (mut ahead, mut behind) = ([[0.0]; 2], [[0.0]; 2]);
                for (side, out) in [(1e-5, &mut ahead), (-1e-5, &mut behind)] {
                    loss.grad_u_tangent(&[u[0] + side], &y, &[1.0], &[], 1.0, &mut out[0]);
                    loss.grad_y_tangent(&[u[0] + side], &y, &[1.0], 1.0, &mut out[1]);
                }
                let [bend, cross] = [0, 1].map(|of| ((ahead[of][0] - behind[of][0]) / 2e-5).abs());
                assert!(
                    (third.curvature - bend).abs() < 1e-8 && (third.cross - cross).abs() < 1e-8,
                    "{third:?} {bend} {cross}"
                );
            }
        }
        for name in LossName::all() {
            if name.targets() != Targets::Classes {
                name.visit(1, Sharp).unwrap();
            }
        }
    }
}

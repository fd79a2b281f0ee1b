//! phi(u, y) = log(1 + exp(-y u)).
//!
//! With the margin m = y u, s = 1 / (1 + exp(m)) and w = s (1 - s):
//! phi_u = -y s, phi_y = -u s, phi_uu = y² w, phi_uy = m w - s.

use crate::simd::{Loop, exp, widest};

use super::{Between, Loss, NamedLoss, Recession, Refusal, Targets, Third};

/// The logistic loss; y is a label -1 or +1, or any real number (the gradient with respect to it is asked for).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logistic;

/// m > 0 with m tanh(m/2) = 2.
const TURN: f64 = 2.399_357_280_515_467_7;
/// |phi_uy| is nowhere larger: it is 1.09983932... at m = -[`TURN`], and 0.09983932... at `TURN`.
const LARGEST_CROSS: f64 = 1.099_84;
/// The m > 0 where |w'| = w tanh(m/2) is largest: 1 / (6 sqrt 3) = 0.0962..., acosh 2.
const STEEPEST: f64 = 1.316_957_896_924_816_6;
/// The m > 0 where w (2 - m tanh(m/2)), which falls from 1/2 at 0, is least.
const LEAST_CROSS_SLOPE: f64 = 3.435_841_003_739_385;
/// Reach of a margin up to which bounds by its curvature alone are sharp enough.
const SHORT: f64 = 0.125;

/// (s, w) at margin m, from exp(-|m|) alone: neither overflows, and w keeps its relative accuracy at every m.
#[inline(always)]
fn sigmoid(margin: f64) -> (f64, f64) {
    let e = exp(-margin.abs());
    let q = 1.0 / (1.0 + e);
    (if margin >= 0.0 { e * q } else { q }, e * q * q)
}

/// (phi_u, phi_y).
#[inline(always)]
fn first(u: f64, y: f64) -> (f64, f64) {
    let (s, _) = sigmoid(y * u);
    (-y * s, -u * s)
}

/// (phi_uu, phi_uy).
#[inline(always)]
fn second(u: f64, y: f64) -> (f64, f64) {
    let margin = y * u;
    let (s, w) = sigmoid(margin);
    // w decays faster than any margin grows; an infinite margin times w = 0 is 0.
    let product = if w == 0.0 { 0.0 } else { margin * w };
    (y * (y * w), product - s)
}

/// In the margin m: w falls on both sides of 0, so that its mean from m on is least at once or at the end; |w'| <= w bounds it for a short
/// `reach` by w itself. phi_uy is m w - s, whose derivative w (2 - m tanh(m/2)) is at most 1/2, and 0 at -2.399... and at 2.399....
#[inline(always)]
fn between(u: f64, y: f64, h: f64) -> Between {
    let (margin, reach) = (y * u, if y == 0.0 { 0.0 } else { y.abs() * h });
    let (low, high) = (margin - reach, margin + reach);
    let ((s, w), (s_low, w_low), (s_high, w_high)) = (sigmoid(margin), sigmoid(low), sigmoid(high));
    let bend = |margin: f64, s: f64, w: f64| (if w == 0.0 { 0.0 } else { margin * w } - s).abs();
    // (1 - exp(-r)) / r >= 1 - r/2 and exp(r) <= 1 + r + r².
    let near = [w * (1.0 - 0.5 * reach), w * (1.0 + reach + reach * reach), bend(margin, s, w) + 0.5 * reach];
    // Differences of numbers so far apart lose no more than this.
    let mean = |end: f64, least: f64| ((end - s).abs() - 8.0 * f64::EPSILON).max(least.min(w) * reach) / reach;
    let ends = bend(low, s_low, w_low).max(bend(high, s_high, w_high));
    let beyond = if low <= TURN && TURN <= high { LARGEST_CROSS - 1.0 } else { 0.0 };
    let cross = if low <= -TURN && -TURN <= high { LARGEST_CROSS } else { ends.max(beyond) };
    let largest = if low <= 0.0 && 0.0 <= high { 0.25 } else { w_low.max(w_high) };
    let far = [w.min(mean(s_low, w_low)).min(mean(s_high, w_high)), largest, cross];
    let pick = |k: usize| if reach <= SHORT { near[k] } else { far[k] };
    // y² alone may overflow where y² w does not.
    let squared = |w: f64| y * (y * w);
    let up = 1.0 + 1e-12;
    Between { secant: squared(pick(0)), curvature: squared(pick(1) * up), cross: pick(2) * up }
}

/// [`between`] of consecutive rows.
struct Betweens<'a> {
    u: &'a [f64],
    y: &'a [f64],
    h: &'a [f64],
    out: [&'a mut [f64]; 3],
}

impl Loop for Betweens<'_> {
    #[inline(always)]
    fn run(self) {
        let [secants, curvatures, crosses] = self.out;
        let ends = secants.iter_mut().zip(curvatures).zip(crosses);
        for (((&u, &y), &h), ((secant, curvature), cross)) in self.u.iter().zip(self.y).zip(self.h).zip(ends) {
            let found = between(u, y, h);
            (*secant, *curvature, *cross) = (found.secant, found.curvature, found.cross);
        }
    }
}

/// phi_u of consecutive rows.
struct Firsts<'a> {
    u: &'a [f64],
    y: &'a [f64],
    phi_u: &'a mut [f64],
}

impl Loop for Firsts<'_> {
    #[inline(always)]
    fn run(self) {
        for ((&u, &y), phi_u) in self.u.iter().zip(self.y).zip(self.phi_u) {
            *phi_u = first(u, y).0;
        }
    }
}

/// phi_uu and phi_uy of consecutive rows.
struct Seconds<'a> {
    u: &'a [f64],
    y: &'a [f64],
    phi_uu: &'a mut [f64],
    phi_uy: &'a mut [f64],
}

impl Loop for Seconds<'_> {
    #[inline(always)]
    fn run(self) {
        for (((&u, &y), phi_uu), phi_uy) in self.u.iter().zip(self.y).zip(self.phi_uu).zip(self.phi_uy) {
            (*phi_uu, *phi_uy) = second(u, y);
        }
    }
}

impl Loss for Logistic {
    #[inline]
    fn value(&self, u: f64, y: f64) -> f64 {
        let margin = y * u;
        (-margin).max(0.0) + (-margin.abs()).exp().ln_1p()
    }

    #[inline]
    fn first(&self, u: f64, y: f64) -> (f64, f64) {
        first(u, y)
    }

    #[inline]
    fn second(&self, u: f64, y: f64) -> (f64, f64) {
        second(u, y)
    }

    fn firsts(&self, u: &[f64], y: &[f64], phi_u: &mut [f64]) {
        widest(Firsts { u, y, phi_u });
    }

    fn seconds(&self, u: &[f64], y: &[f64], phi_uu: &mut [f64], phi_uy: &mut [f64]) {
        widest(Seconds { u, y, phi_uu, phi_uy });
    }

    fn curvature(&self, y: f64, _level: f64) -> Option<f64> {
        Some(0.25 * y * y)
    }

    #[inline]
    fn between(&self, u: f64, y: f64, h: f64) -> Option<Between> {
        Some(between(u, y, h))
    }

    fn betweens(&self, u: &[f64], y: &[f64], h: &[f64], out: [&mut [f64]; 3]) {
        widest(Betweens { u, y, h, out });
    }

    /// With t = tanh(m/2): phi_uuu = -y³ w t, and the derivative of phi_uy = m w - s in u is y w (2 - m t).
    fn third(&self, u: f64, y: f64, h: f64) -> Option<Third> {
        let (size, reach) = ((y * u).abs(), if y == 0.0 { 0.0 } else { y.abs() * h });
        let (near, far) = ((size - reach).max(0.0), size + reach);
        let bend = |m: f64| sigmoid(m).1 * (0.5 * m).tanh();
        let slope = |m: f64| {
            let (w, t) = (sigmoid(m).1, (0.5 * m).tanh());
            if w == 0.0 { 0.0 } else { (w * (2.0 - m * t)).abs() }
        };
        let cross = slope(near).max(slope(far)).max(slope(LEAST_CROSS_SLOPE.max(near).min(far)));
        let [curvature, cross] =
            [bend(STEEPEST.max(near).min(far)), cross].map(|most| y.abs() * (most * (1.0 + 1e-12)));
        // Where y² overflows and the rest has vanished, it is 0 as well.
        let squared = if curvature == 0.0 { 0.0 } else { y * (y * curvature) };
        Some(Third { curvature: squared, cross })
    }

    fn recession(&self, u: f64, y: f64) -> Recession {
        let margin = y * u;
        if margin > 0.0 {
            Recession::Falls
        } else if margin == 0.0 {
            Recession::Level
        } else {
            Recession::Rises
        }
    }

    /// With p = `share` / (1 + exp(y v)), phi* is p ln p + (1 - p) ln(1 - p): the sum is the relative entropy of p and 1 / (1 + exp(y u)).
    fn fenchel_young(&self, u: f64, v: f64, y: f64, share: f64) -> Option<f64> {
        let p = share * sigmoid(y * v).0;
        let entropy = |p: f64| if p == 0.0 { 0.0 } else { p * p.ln() };
        let cross = p * self.value(-u, y) + (1.0 - p) * self.value(u, y);
        Some((entropy(p) + entropy(1.0 - p) + cross).max(0.0))
    }
}

impl NamedLoss for Logistic {
    const NAME: &'static str = "logistic";
    const TARGETS: Targets = Targets::Signed;

    fn named(_parameter: f64, _classes: usize) -> Result<Self, Refusal> {
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_together_have_the_bits_of_each() {
        let mut u: Vec<f64> = (0..103).map(|k| 0.37 * f64::from(k) - 19.0).collect();
        u.extend([0.0, -0.0, 1e-300, 710.0, -746.0, 1e300, f64::MAX, f64::MIN]);
        let y: Vec<f64> = (0..u.len()).map(|k| [1.0, -1.0, 0.3, -1e200][k % 4]).collect();
        let (mut phi_u, mut phi_uu, mut phi_uy) = (u.clone(), u.clone(), u.clone());
        Logistic.firsts(&u, &y, &mut phi_u);
        Logistic.seconds(&u, &y, &mut phi_uu, &mut phi_uy);
        let bits = |numbers: [f64; 3]| numbers.map(f64::to_bits);
        for (k, (&u, &y)) in u.iter().zip(&y).enumerate() {
            let (second, first) = (Logistic.second(u, y), Logistic.first(u, y));
            assert_eq!(bits([phi_u[k], phi_uu[k], phi_uy[k]]), bits([first.0, second.0, second.1]), "{u:e} {y:e}");
        }
        for h in [0.0, 1e-9, 0.1, 0.2, 3.0, 1e3, f64::INFINITY] {
            let reaches = vec![h; u.len()];
            let mut out = [(); 3].map(|()| vec![0.0; u.len()]);
            Logistic.betweens(&u, &y, &reaches, out.each_mut().map(|out| &mut out[..]));
            for (k, (&u, &y)) in u.iter().zip(&y).enumerate() {
                let one = Logistic.between(u, y, h).unwrap();
                let together = bits([out[0][k], out[1][k], out[2][k]]);
                assert_eq!(together, bits([one.secant, one.curvature, one.cross]), "{u:e} {y:e} {h:e}");
            }
        }
        Logistic.firsts(&[f64::NAN], &[1.0], &mut phi_u);
        assert!(phi_u[0].is_nan());
    }

    #[test]
    fn huge_margins_neither_overflow_nor_vanish_wrongly() {
        for (u, y) in [(1e6, 1.0), (1e6, -1.0), (-1e6, 1.0), (1.0, 1e6), (-1e200, 1e200)] {
            let margin: f64 = u * y;
            let (value, first, second) = (Logistic.value(u, y), Logistic.first(u, y), Logistic.second(u, y));
            if margin > 0.0 {
                assert_eq!((value, first, second), (0.0, (-0.0 * y, -0.0 * u), (0.0, 0.0)), "{u} {y}");
            } else {
                assert_eq!(value, -margin);
                assert_eq!(first, (-y, -u));
                assert_eq!(second, (0.0, -1.0));
            }
        }
        // At m = 40, log(1 + exp(-m)) = exp(-m) to the last bit but one; 1 + exp(-m) alone would give 0.
        assert!((Logistic.value(40.0, 1.0) / (-40.0_f64).exp() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn zero_targets_give_a_constant() {
        assert_eq!(Logistic.value(3.0, 0.0), std::f64::consts::LN_2);
        assert_eq!(Logistic.first(3.0, 0.0), (-0.0, -1.5));
        assert_eq!(Logistic.second(3.0, 0.0), (0.0, -0.5));
    }
}

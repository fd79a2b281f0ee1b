//! Loops over numbers compiled for the widest vector instructions that the machine at hand has, found out at run time.
//!
//! What is compiled more than once is the same sequence of operations, without contraction of products and sums: results have
//! the same bits whichever is chosen.
#![allow(unsafe_code)]

/// A loop over numbers, to be inlined into functions compiled for different instructions.
pub trait Loop {
    /// Does it. Implementations are `#[inline(always)]`: what is called apart is compiled for the least that any machine has.
    fn run(self);
}

/// Runs `work` by the widest instructions there are.
pub fn widest(work: impl Loop) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            // SAFETY: the machine has these instructions.
            return unsafe { by_avx512(work) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has these instructions.
            return unsafe { by_avx2(work) };
        }
    }
    work.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn by_avx512(work: impl Loop) {
    work.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn by_avx2(work: impl Loop) {
    work.run();
}

/// ln 2 in two parts, the first of so few bits that a product with a power of two's exponent is exact.
const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];

/// Added to a number below 2^51, it leaves the nearest integer in the last bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// e^x, to about one unit in the last place; NaN stays NaN. Without a branch or a table, so that loops over it become vector
/// instructions.
///
/// x = k ln 2 + r with |r| <= ln(2) / 2, ln 2 in two parts (Cody and Waite 1980), and the series of e^r to r^13, whose rest is
/// below 2^-57; the power of two in two factors, as it may be below those that have one.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    /// Below it e^x is nearest to 0.
    const LEAST: f64 = -745.5;
    /// Above it e^x is nearest to infinity.
    const MOST: f64 = 710.0;
    /// 1 / 13!, 1 / 12!, ..., 1 / 2!.
    const SERIES: [f64; 12] = {
        let (mut series, mut k, mut factorial) = ([0.0; 12], 2, 1.0);
        while k <= 13 {
            factorial *= k as f64;
            series[13 - k] = 1.0 / factorial;
            k += 1;
        }
        series
    };
    // Not `clamp`, which has a panic.
    let x = if x < LEAST { LEAST } else { x };
    let x = if x > MOST { MOST } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2[0]) - k * LN_2[1];
    let mut tail = 0.0;
    for term in SERIES {
        tail = tail * r + term;
    }
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i64;
    let half = power >> 1;
    let two_to = |power: i64| f64::from_bits((1023_i64.wrapping_add(power) as u64) << 52);
    (1.0 + (r + r * r * tail)) * two_to(half) * two_to(power.wrapping_sub(half))
}

/// ln x for normal numbers x > 0, to about one unit in the last place, and so made as [`exp`] is. 0 and infinity are not told.
///
/// x = 2^k m with m in [sqrt(1/2), sqrt(2)), s = (m - 1) / (m + 1) and the series of 2 artanh s to s^21, whose rest is below 2^-57 of it.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    /// 2 / 21, 2 / 19, ..., 2 / 3.
    const SERIES: [f64; 10] = {
        let (mut series, mut k) = ([0.0; 10], 0);
        while k < 10 {
            series[k] = 2.0 / (21.0 - 2.0 * k as f64);
            k += 1;
        }
        series
    };
    /// The bits of sqrt(1/2).
    const LEAST: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    let power = (x.to_bits().wrapping_sub(LEAST) as i64) >> 52;
    let m = f64::from_bits(x.to_bits().wrapping_sub((power << 52) as u64));
    let k = f64::from_bits(ROUND.to_bits().wrapping_add(power as u64)) - ROUND;
    let d = m - 1.0;
    let s = d / (m + 1.0);
    let squared = s * s;
    let mut tail = 0.0;
    for term in SERIES {
        tail = tail * squared + term;
    }
    // ln m = d - s (d - s² tail): the largest term is exact.
    k * LN_2[0] + (d + (k * LN_2[1] - s * (d - squared * tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_that_of_the_standard_library() {
        let negative = (0..200_000).map(|k| -0.00373 * f64::from(k)).chain((0..1000).map(|k| -(0.9_f64.powi(k))));
        let arguments = negative.flat_map(|x| [x, -0.95 * x]);
        for x in arguments {
            let (found, expected) = (exp(x), x.exp());
            // A unit in the last place, and that of numbers below the normal ones.
            let allowed = (f64::EPSILON * expected).max(f64::from_bits(1));
            assert!((found - expected).abs() <= allowed, "{x:e}: {found:e} {expected:e}");
        }
        for x in [0.0, -0.0, -745.0, -745.13, -746.0, -1e300, f64::NEG_INFINITY, 709.8, 710.0, 1e300, f64::INFINITY] {
            assert_eq!(exp(x), x.exp(), "{x:e}");
        }
        assert!(exp(f64::NAN).is_nan());
    }

    #[test]
    fn ln_is_that_of_the_standard_library() {
        let spread = (-700..700).flat_map(|k| [1.0, 1.37, 1.414, 1.415, 1.99].map(|m| m * 2.0_f64.powi(k)));
        let near_1 = (1..400_000).map(|k| 5e-6 * f64::from(k));
        let closer = (0..52).flat_map(|k| [1.0 + 0.5_f64.powi(k), 1.0 - 0.5_f64.powi(k + 1)]);
        for x in spread.chain(near_1).chain(closer).chain([1.0, f64::MIN_POSITIVE, f64::MAX]) {
            let (found, expected) = (ln(x), x.ln());
            // A unit in the last place and a half.
            assert!((found - expected).abs() <= 1.5 * f64::EPSILON * expected.abs(), "{x:e}: {found:e} {expected:e}");
        }
    }

    struct Exp<'a>(&'a mut [f64]);

    impl Loop for Exp<'_> {
        #[inline(always)]
        fn run(self) {
            self.0.iter_mut().for_each(|x| *x = exp(*x));
        }
    }

    #[test]
    fn the_widest_instructions_give_the_bits_of_the_least() {
        let mut numbers: Vec<f64> = (0..1003).map(|k| -0.77 * f64::from(k)).collect();
        let least: Vec<u64> = numbers.iter().map(|x| exp(*x).to_bits()).collect();
        let with = |run: fn(Exp<'_>), numbers: &[f64]| {
            let mut numbers = numbers.to_vec();
            run(Exp(&mut numbers));
            numbers.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        };
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has these instructions.
            assert_eq!(with(|work| unsafe { by_avx2(work) }, &numbers), least);
        }
        assert_eq!(with(|work| widest(work), &numbers), least);
        Exp(&mut numbers).run();
        assert_eq!(numbers.into_iter().map(f64::to_bits).collect::<Vec<_>>(), least);
    }
}

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

/// e^x for x <= 0, to about one unit in the last place; NaN stays NaN. Without a branch or a table, so that loops over it
/// become vector instructions.
///
/// x = k ln 2 + r with |r| <= ln(2) / 2, ln 2 in two parts (Cody and Waite 1980), and the series of e^r to r^13, whose rest is
/// below 2^-57; the power of two in two factors, as it may be below those that have one.
#[inline(always)]
pub(crate) fn exp_of_nonpositive(x: f64) -> f64 {
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    /// Added to a number below 2^51, it leaves the nearest integer in the last bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// Below it e^x is nearest to 0.
    const LEAST: f64 = -745.5;
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
    // Not `max`, which would lose NaN.
    let x = if x < LEAST { LEAST } else { x };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_that_of_the_standard_library() {
        let arguments = (0..200_000).map(|k| -0.00373 * f64::from(k)).chain((0..1000).map(|k| -(0.9_f64.powi(k))));
        for x in arguments {
            let (found, expected) = (exp_of_nonpositive(x), x.exp());
            // A unit in the last place, and that of numbers below the normal ones.
            let allowed = (f64::EPSILON * expected).max(f64::from_bits(1));
            assert!((found - expected).abs() <= allowed, "{x:e}: {found:e} {expected:e}");
        }
        for x in [0.0, -0.0, -745.0, -745.13, -746.0, -1e300, f64::NEG_INFINITY] {
            assert_eq!(exp_of_nonpositive(x), x.exp(), "{x:e}");
        }
        assert!(exp_of_nonpositive(f64::NAN).is_nan());
    }

    struct Exp<'a>(&'a mut [f64]);

    impl Loop for Exp<'_> {
        #[inline(always)]
        fn run(self) {
            self.0.iter_mut().for_each(|x| *x = exp_of_nonpositive(*x));
        }
    }

    #[test]
    fn the_widest_instructions_give_the_bits_of_the_least() {
        let mut numbers: Vec<f64> = (0..1003).map(|k| -0.77 * f64::from(k)).collect();
        let least: Vec<u64> = numbers.iter().map(|x| exp_of_nonpositive(*x).to_bits()).collect();
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

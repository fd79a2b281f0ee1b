//! The same again with other seeds.

use danskin::ctx::{Ctx, Phase};
use rayon::prelude::*;

use crate::experiment::Failure;

/// What `once` gives for the seeds 0 .. `count`, in their order, on all threads.
///
/// # Errors
///
/// The first failure, or [`Failure::Interrupted`] where the watch of `ctx` asked to end.
pub(crate) fn repeat<T: Send>(
    count: usize,
    ctx: &mut Ctx,
    once: impl Fn(u64, &mut Ctx) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        if ctx.tick(Phase::Repetition, all.len(), count).is_break() {
            return Err(Failure::Interrupted);
        }
        let next = all.len()..count.min(all.len() + rayon::current_num_threads());
        let found: Result<Vec<T>, _> = next.into_par_iter().map(|seed| once(seed as u64, &mut Ctx::new())).collect();
        all.extend(found?);
    }
    Ok(all)
}

/// The share `q` in [0, 1] of `values` lies below it, by the nearest rank; NaN of none, and where there is one.
pub(crate) fn quantile(values: impl IntoIterator<Item = f64>, q: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    values.get((q * last).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The median, the lower one of two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// The largest; NaN of none, and where there is one.
pub(crate) fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    let larger = |a: f64, b: f64| if a > b || a.is_nan() { a } else { b };
    values.into_iter().reduce(larger).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_come_in_order_and_failures_come_through() {
        let mut ctx = Ctx::new();
        assert_eq!(repeat(7, &mut ctx, |seed, _| Ok(seed)).unwrap(), (0..7).collect::<Vec<_>>());
        let failed = repeat(7, &mut ctx, |seed, _| if seed == 5 { Err(Failure::Interrupted) } else { Ok(seed) });
        assert_eq!(failed, Err(Failure::Interrupted));
    }

    #[test]
    fn quantiles_are_values() {
        let values = [4.0, 1.0, 3.0, 2.0, 5.0];
        assert_eq!((quantile(values, 0.0), median(values), quantile(values, 1.0)), (1.0, 3.0, 5.0));
        assert!(median([]).is_nan() && median([1.0, -f64::NAN, 2.0]).is_nan());
        assert_eq!(largest(values), 5.0);
        assert!(
            [&[][..], &[1.0, f64::NAN], &[f64::NAN, 1.0]].iter().all(|with| largest(with.iter().copied()).is_nan())
        );
    }
}

//! Where checkpoints are set, so that the steps of a trajectory are taken again as rarely as a budget of memory allows.
//!
//! The budget holds c checkpoints, that of z_0 among them, and the records of a block of l steps. T steps are N = ceil(T / l)
//! blocks. A block is recorded from where the solver stands and pulled; then the solver goes back to the last checkpoint left,
//! and forward again from there to the next block, setting checkpoints in the places that have become free. Each block is passed
//! once by the solve itself and then some number of times more, its repetitions; with f = c - 1 checkpoints free at z_0,
//!
//! ```text
//! reach(f, r) = binomial(f + 1 + r, r)      blocks can do with at most r repetitions
//! reach(f, r) = reach(f, r - 1) + reach(f - 1, r)
//! ```
//!
//! as those before the first checkpoint set are passed once more than those behind it, which have one place less. Of the least
//! r with N <= reach(f, r), the steps taken again are
//!
//! ```text
//! r T - l binomial(f + 1 + r, r - 1)
//! ```
//!
//! and a checkpoint is gone back to N - 1 times. Both are the least that can be had, at once. With l = 1 this is Revolve.
//!
//! Source: Griewank and Walther, Algorithm 799: Revolve, ACM Transactions on Mathematical Software 26, 2000.

use danskin_core::problem::Objective;

use crate::replay::Replay;

/// How a budget of memory is divided between checkpoints and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Checkpoints beside that of z_0.
    free: usize,
    /// l.
    records: usize,
}

/// What the parts of a budget take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Numbers of a checkpoint.
    pub checkpoint: usize,
    /// Numbers of the record of one step.
    pub record: usize,
    /// What it takes to go back to a checkpoint, in steps.
    pub restore: usize,
}

impl Sizes {
    /// Those of recording `solver` on `problem`.
    pub fn of<P: Objective + ?Sized, S: Replay<P>>(problem: &P, solver: &S) -> Self {
        let (checkpoint, record) = (solver.checkpoint_len(problem), solver.record_len(problem));
        Self { checkpoint, record, restore: solver.restore_steps() }
    }

    /// Numbers of the smallest budget: z_0, and one record.
    #[must_use]
    pub fn least(self) -> usize {
        // Records without a number are there without anything taken again.
        if self.record == 0 { 0 } else { self.checkpoint.saturating_add(self.record) }
    }
}

impl Schedule {
    /// For records that take nothing.
    pub(crate) const EVERYTHING: Self = Self { free: 0, records: usize::MAX };

    /// The division of `budget` numbers by which `steps` steps are taken again as rarely as can be; every step is recorded where
    /// all records fit beside z_0. `None` for a budget below [`Sizes::least`].
    #[must_use]
    pub fn fewest(budget: usize, sizes: Sizes, steps: usize) -> Option<Self> {
        if budget < sizes.least() {
            return None;
        }
        if sizes.record == 0 {
            return Some(Self::EVERYTHING);
        }
        let records = |checkpoints: usize| {
            budget.checked_sub(checkpoints.checked_mul(sizes.checkpoint)?).map(|left| left / sizes.record)
        };
        let mut best = None;
        for free in 0.. {
            let Some(records) = records(free + 1).filter(|records| *records > 0) else { break };
            let schedule = Self { free, records };
            let work = schedule.work(steps, sizes.restore);
            if best.is_none_or(|(least, _)| work < least) {
                best = Some((work, schedule));
            }
            // Where no block has a second repetition, one more checkpoint only makes them shorter.
            if schedule.repetitions(steps, free) <= 1 || free == steps {
                break;
            }
        }
        best.map(|(_, schedule)| schedule)
    }

    /// c, the checkpoints that may be held at once, that of z_0 among them.
    #[must_use]
    pub fn checkpoints(self) -> usize {
        self.free + 1
    }

    /// l, the steps in a row whose records are held at once.
    #[must_use]
    pub fn records(self) -> usize {
        self.records
    }

    /// Steps of a trajectory of `steps` that are taken again, beyond the solve.
    #[must_use]
    pub fn recomputed(self, steps: usize) -> u64 {
        self.again(steps, self.free)
    }

    /// How often a checkpoint is gone back to, for a trajectory of `steps`.
    #[must_use]
    pub fn restores(self, steps: usize) -> u64 {
        steps.div_ceil(self.records).saturating_sub(1) as u64
    }

    fn work(self, steps: usize, restore: usize) -> u64 {
        self.recomputed(steps).saturating_add((restore as u64).saturating_mul(self.restores(steps)))
    }

    /// Steps taken again of the `steps` behind a checkpoint, with `free` more to be set, once they were passed.
    pub(crate) fn again(self, steps: usize, free: usize) -> u64 {
        let r = self.repetitions(steps, free);
        if r == 0 {
            return 0;
        }
        let saved = u128::from(binomial(free as u64 + 1 + r, r - 1)) * self.records as u128;
        u64::try_from((u128::from(r) * steps as u128).saturating_sub(saved)).unwrap_or(u64::MAX)
    }

    /// The most repetitions of a block.
    fn repetitions(self, steps: usize, free: usize) -> u64 {
        let (blocks, mut r, mut reach) = (steps.div_ceil(self.records) as u128, 0, 1);
        while reach < blocks {
            r += 1;
            // Exact, as each reach is a binomial coefficient; it exceeds `blocks` long before it overflows.
            reach = reach * (free as u128 + 1 + u128::from(r)) / u128::from(r);
        }
        r
    }

    /// Steps to take from a checkpoint, with `steps` before it to be pulled and `free` more checkpoints to be set, until the
    /// next is to be set, or, where none is free, the last block begins. The first block is the one that need not be whole.
    ///
    /// # Panics
    ///
    /// If all `steps` are one block.
    pub(crate) fn advance(self, steps: usize, free: usize) -> usize {
        assert!(steps > self.records, "{steps} steps are one block");
        let (blocks, r, free) = (steps.div_ceil(self.records) as u64, self.repetitions(steps, free), free as u64);
        // As many blocks in front as can do with a repetition less than the most, but that those behind have enough to do.
        let (front, behind) = (binomial(free + r, r - 1), binomial(free + r - 1, r - 1));
        let front = front.min(blocks - behind);
        steps - (blocks - front) as usize * self.records
    }
}

/// n over k; the largest number where it overflows.
fn binomial(n: u64, k: u64) -> u64 {
    let mut value = 1_u128;
    for i in 1..=u128::from(k.min(n - k)) {
        value = value * (u128::from(n - k.min(n - k)) + i) / i;
        if value > u128::from(u64::MAX) {
            return u64::MAX;
        }
    }
    value as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The least work beyond a first pass, by trying every place for every checkpoint: `work[f][d]` of d steps behind a
    /// checkpoint, with f more to be set.
    fn least_work(steps: usize, free: usize, records: usize, restore: u64) -> u64 {
        let mut live: Vec<Vec<u64>> = Vec::new();
        for f in 0..=free {
            let mut row = vec![0; steps + 1];
            for d in 1..=steps {
                row[d] = if d <= records {
                    d as u64
                } else {
                    let behind = |left: usize| match f {
                        _ if left <= records => Some(left as u64),
                        0 => None,
                        f => Some(live[f - 1][left]),
                    };
                    let split = |k: usize| Some(k as u64 + behind(d - k)? + restore + row[k]);
                    (1..d).filter_map(split).min().unwrap()
                };
            }
            live.push(row);
        }
        live[free][steps] - steps as u64
    }

    /// The work of setting checkpoints where [`Schedule::advance`] says.
    fn work_by_advances(schedule: Schedule, steps: usize, free: usize, restore: u64) -> u64 {
        if steps <= schedule.records {
            return steps as u64;
        }
        let k = schedule.advance(steps, free);
        assert!(k >= 1 && k < steps);
        let behind = if free > 0 {
            work_by_advances(schedule, steps - k, free - 1, restore)
        } else {
            assert!(steps - k <= schedule.records);
            (steps - k) as u64
        };
        k as u64 + behind + restore + work_by_advances(schedule, k, free, restore)
    }

    #[test]
    fn the_formula_is_the_least_work_by_dynamic_programming() {
        for records in 1..5 {
            for free in 0..6 {
                for steps in 0..60 {
                    let schedule = Schedule { free, records };
                    for restore in [0, 1, 3] {
                        let expected = least_work(steps, free, records, restore);
                        let what = format!("{steps} steps, {free} free, {records} records, restore {restore}");
                        assert_eq!(schedule.work(steps, restore as usize), expected, "{what}");
                        let advances = work_by_advances(schedule, steps, free, restore);
                        assert_eq!(advances - steps as u64, expected, "{what}");
                    }
                }
            }
        }
    }

    #[test]
    fn revolve_s_own_numbers() {
        // Griewank and Walther, section 2: t(l, s) = r l - binomial(s + r, r - 1), beside the l steps that are recorded and pulled.
        for (steps, checkpoints, forward) in [(10, 3, 15), (56, 5, 140), (252, 5, 1050)] {
            let schedule = Schedule { free: checkpoints - 1, records: 1 };
            assert_eq!(schedule.recomputed(steps), forward, "{steps}");
        }
    }

    proptest! {
        #[test]
        fn no_other_division_of_the_budget_takes_less(
            budget in 1usize..200, checkpoint in 1usize..12, record in 0usize..12, restore in 0usize..3, steps in 0usize..80,
        ) {
            let sizes = Sizes { checkpoint, record, restore };
            let Some(found) = Schedule::fewest(budget, sizes, steps) else {
                prop_assert!(budget < checkpoint + record && record > 0);
                return Ok(());
            };
            if record == 0 {
                prop_assert_eq!(found.work(steps, restore), 0);
                return Ok(());
            }
            prop_assert!(found.checkpoints() * checkpoint + found.records() * record <= budget);
            prop_assert_eq!(found.recomputed(steps) == 0, checkpoint + steps * record <= budget || steps <= 1);
            for free in 0..budget / checkpoint {
                for records in 1..=(budget - (free + 1) * checkpoint) / record {
                    let other = least_work(steps, free.min(steps), records, restore as u64);
                    prop_assert!(found.work(steps, restore) <= other, "{free} {records}");
                }
            }
        }
    }

    #[test]
    fn large_numbers_do_not_overflow() {
        let sizes = Sizes { checkpoint: 1000, record: 1000, restore: 1 };
        let schedule = Schedule::fewest(8_000_000, sizes, 1_000_000_000).unwrap();
        assert!(schedule.recomputed(1_000_000_000) < 4_000_000_000);
        assert_eq!(binomial(200, 100), u64::MAX);
        assert_eq!((binomial(5, 0), binomial(5, 5), binomial(52, 5)), (1, 1, 2_598_960));
        let tight = Schedule::fewest(2000, sizes, 1000).unwrap();
        assert_eq!((tight.checkpoints(), tight.records(), tight.recomputed(1000)), (1, 1, 1000 * 999 / 2));
    }
}

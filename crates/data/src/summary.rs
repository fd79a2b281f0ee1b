//! A data set in numbers.

use std::collections::HashSet;

use crate::Dataset;

/// A data set in numbers. An entry counts where it is stored: all n m of a dense design.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// Number of rows, n.
    pub rows: usize,
    /// Number of columns, m.
    pub columns: usize,
    /// Number of entries.
    pub entries: usize,
    /// Whether the design is stored without a pattern.
    pub dense: bool,
    /// Rows without an entry other than 0.
    pub empty_rows: usize,
    /// Columns without an entry other than 0.
    pub empty_columns: usize,
    /// Entries that are 0.
    pub zeros: usize,
    /// Smallest and largest entry, where there is one.
    pub range: Option<(f64, f64)>,
    /// Number of distinct entries.
    pub distinct: Distinct,
    /// The labels, where there are any.
    pub labels: Option<LabelSummary>,
}

/// A number of distinct values, counted up to [`Distinct::CAP`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distinct {
    /// So many.
    Exactly(usize),
    /// More than [`Distinct::CAP`].
    More,
}

impl Distinct {
    /// Where counting ends.
    pub const CAP: usize = 1_000;
}

/// Labels in numbers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LabelSummary {
    /// Each label with its number of rows, in increasing order; at most [`LabelSummary::CAP`].
    Counts(Vec<(f64, usize)>),
    /// More distinct labels.
    Range {
        /// The smallest.
        minimum: f64,
        /// The largest.
        maximum: f64,
        /// The mean over all rows.
        mean: f64,
    },
}

impl LabelSummary {
    /// The most distinct labels that are counted one by one.
    pub const CAP: usize = 100;

    fn of(labels: &[f64]) -> Self {
        let mut sorted = labels.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut runs = sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()));
        let counts: Vec<_> = runs.by_ref().take(Self::CAP).collect();
        if runs.next().is_none() {
            return Self::Counts(counts);
        }
        let mean = labels.iter().map(|label| label / labels.len() as f64).sum();
        Self::Range { minimum: sorted[0], maximum: sorted[sorted.len() - 1], mean }
    }
}

impl Summary {
    /// Describes `dataset`. Reads the entries once.
    #[must_use]
    pub fn of(dataset: &Dataset) -> Self {
        let design = &dataset.design;
        let mut zeros = 0;
        let mut range = None;
        let (mut last_row, mut filled_rows) = (None, 0);
        // Not one flag a column: a small file may name a very large column.
        let mut filled_columns = HashSet::new();
        let mut distinct = HashSet::new();
        design.for_each_entry(|row, column, value| {
            let (minimum, maximum) = range.unwrap_or((value, value));
            range = Some((value.min(minimum), value.max(maximum)));
            if distinct.len() <= Distinct::CAP {
                // 0 and -0 are one value.
                distinct.insert((value + 0.0).to_bits());
            }
            if value == 0.0 {
                zeros += 1;
                return;
            }
            filled_columns.insert(column);
            if last_row.replace(row) != Some(row) {
                filled_rows += 1;
            }
        });
        Self {
            rows: design.rows(),
            columns: design.columns(),
            entries: design.entries(),
            dense: design.is_dense(),
            empty_rows: design.rows() - filled_rows,
            empty_columns: design.columns() - filled_columns.len(),
            zeros,
            range,
            distinct: if distinct.len() <= Distinct::CAP { Distinct::Exactly(distinct.len()) } else { Distinct::More },
            labels: dataset.labels.as_deref().map(LabelSummary::of),
        }
    }
}

#[cfg(test)]
mod tests {
    use danskin_core::design::Design;

    use super::*;

    #[test]
    fn empty_means_without_an_entry_other_than_zero() {
        let triplets = [(0, 0, 2.0), (0, 3, -1.0), (2, 1, 0.0), (2, 3, 2.0), (3, 0, -0.0)];
        let design = Design::from_triplets(4, 5, &triplets).unwrap();
        let expected = Summary {
            rows: 4,
            columns: 5,
            entries: 5,
            dense: false,
            empty_rows: 2,
            empty_columns: 3,
            zeros: 2,
            range: Some((-1.0, 2.0)),
            distinct: Distinct::Exactly(3),
            labels: None,
        };
        assert_eq!(Summary::of(&Dataset { design, labels: None }), expected);
    }

    #[test]
    fn nothing_has_no_range_and_a_large_column_costs_nothing() {
        let design = Design::from_triplets(1, u32::MAX as usize, &[]).unwrap();
        let summary = Summary::of(&Dataset { design, labels: None });
        assert_eq!((summary.range, summary.distinct), (None, Distinct::Exactly(0)));
        assert_eq!((summary.empty_rows, summary.empty_columns), (1, u32::MAX as usize));
    }

    #[test]
    fn distinct_values_are_counted_up_to_the_cap() {
        let summary = |n: usize| {
            let design = Design::dense(n, 1, (0..n).map(|i| i as f64).collect()).unwrap();
            Summary::of(&Dataset { design, labels: None }).distinct
        };
        assert_eq!(summary(Distinct::CAP), Distinct::Exactly(Distinct::CAP));
        assert_eq!(summary(Distinct::CAP + 1), Distinct::More);
    }

    #[test]
    fn labels_are_counted_up_to_the_cap() {
        assert_eq!(LabelSummary::of(&[]), LabelSummary::Counts(vec![]));
        assert_eq!(LabelSummary::of(&[1.0, -0.0, 1.0, 0.0]), LabelSummary::Counts(vec![(0.0, 2), (1.0, 2)]));
        let labels: Vec<f64> = (0..=LabelSummary::CAP).map(|i| i as f64).collect();
        assert!(matches!(LabelSummary::of(&labels[1..]), LabelSummary::Counts(counts) if counts.len() == 100));
        let LabelSummary::Range { minimum, maximum, mean } = LabelSummary::of(&labels) else { panic!("a range") };
        assert_eq!((minimum, maximum), (0.0, 100.0));
        assert!((mean - 50.0).abs() < 1e-12, "{mean}");
    }
}

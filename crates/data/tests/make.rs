//! Synthetic designs: the same bits always, in memory as in files, and distributed as they say.

#![cfg(feature = "make")]

use std::fs::File;
use std::io::Cursor;
use std::ops::ControlFlow;

use danskin_data::make::{
    Banded, Binary, Gaussian, Kind, LowRank, MakeError, Ragged, Recipe, Row, Synthetic, Task, WriteError, Zipf,
};
use danskin_data::{Dataset, ReadOptions, read, read_vector};
use sha2::{Digest, Sha256};

/// One small recipe of each kind and storage; a kind that is missing here is found by `every_kind_is_tested`.
fn recipes() -> Vec<(&'static str, Recipe)> {
    let sized = |kind: Kind| Recipe::new(kind, 40, 30).seed(7);
    let mut recipes = vec![
        ("zipf", sized(Zipf.into()).per_row(6)),
        ("banded", sized(Banded { width: None }.into()).per_row(6)),
        ("ragged", sized(Ragged.into()).per_row(6)),
        ("binary", sized(Binary.into()).per_row(6)),
        ("gaussian", sized(Gaussian.into())),
        ("low-rank", sized(LowRank { rank: 3 }.into())),
    ];
    recipes.push(("gaussian", sized(Gaussian.into()).density(0.2)));
    recipes
}

fn written(synthetic: &Synthetic) -> (Vec<u8>, Vec<u8>) {
    let (mut design, mut targets) = (Cursor::new(Vec::new()), Vec::new());
    synthetic.write(&mut design, &mut targets, |_, _| ControlFlow::Continue(())).unwrap();
    (design.into_inner(), targets)
}

fn made(recipe: Recipe) -> (Synthetic, Dataset) {
    let synthetic = recipe.prepare().unwrap();
    let dataset = synthetic.dataset().unwrap();
    (synthetic, dataset)
}

/// D z.
fn apply(dataset: &Dataset, z: &[f64]) -> Vec<f64> {
    let mut u = vec![0.0; dataset.design.rows()];
    dataset.design.for_each_entry(|row, column, value| u[row] += value * z[column]);
    u
}

/// The columns of each row.
fn patterns(dataset: &Dataset) -> Vec<Vec<usize>> {
    let mut patterns = vec![Vec::new(); dataset.design.rows()];
    dataset.design.for_each_entry(|row, column, _| patterns[row].push(column));
    patterns
}

fn counts(dataset: &Dataset) -> Vec<usize> {
    let mut counts = vec![0; dataset.design.columns()];
    dataset.design.for_each_entry(|_, column, _| counts[column] += 1);
    counts
}

#[test]
fn every_kind_is_tested() {
    let tested: Vec<_> = recipes().into_iter().map(|(name, _)| name).collect();
    for (usage, _) in Kind::list() {
        assert!(tested.contains(&usage.split([':', '[']).next().unwrap()), "{usage}");
    }
}

/// The bytes that these recipes have had since they exist, on every machine.
#[test]
fn bytes_never_change() {
    let digests = recipes().into_iter().map(|(name, recipe)| {
        let synthetic = recipe.prepare().unwrap();
        let (design, targets) = written(&synthetic);
        let mut hash = Sha256::new();
        hash.update(design);
        hash.update(targets);
        synthetic.planted().iter().for_each(|z| hash.update(z.to_le_bytes()));
        let digest: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{name} {digest}")
    });
    let expected = [
        "zipf dbe96170cca0c245",
        "banded b4fe16d29990985b",
        "ragged da2431974609e1ae",
        "binary 319a638e96f07742",
        "gaussian eb87c8db924f1f5c",
        "low-rank 2c2b2d9d45ae8f0f",
        "gaussian 98bc6abf7cf87e09",
    ];
    assert_eq!(digests.collect::<Vec<_>>(), expected);
}

#[test]
fn rows_are_the_same_in_any_order() {
    for (name, recipe) in recipes() {
        let (one, other) = (recipe.prepare().unwrap(), recipe.prepare().unwrap());
        let mut backwards = Row::default();
        for index in (0..one.rows()).rev() {
            let mut alone = Row::default();
            one.row(index, &mut alone);
            other.row(index, &mut backwards);
            assert_eq!((&alone.columns, &alone.values), (&backwards.columns, &backwards.values), "{name}");
            assert_eq!(alone.target, backwards.target, "{name}");
        }
    }
}

#[test]
fn more_rows_begin_alike() {
    for (name, recipe) in recipes().into_iter().filter(|(name, _)| *name != "banded") {
        let kind = recipe.prepare().unwrap().kind();
        let longer = Recipe::new(kind, 90, 30).seed(7);
        let longer = match name {
            "low-rank" => longer,
            "gaussian" if recipe.prepare().unwrap().is_dense() => longer,
            _ => longer.per_row(6),
        };
        let (short, long) = (recipe.prepare().unwrap(), longer.prepare().unwrap());
        assert_eq!(short.planted(), long.planted(), "{name}");
        for index in 0..short.rows() {
            let mut rows = [Row::default(), Row::default()];
            short.row(index, &mut rows[0]);
            long.row(index, &mut rows[1]);
            assert_eq!((&rows[0].columns, &rows[0].values), (&rows[1].columns, &rows[1].values), "{name}");
            assert_eq!(rows[0].target, rows[1].target, "{name}");
        }
    }
}

#[test]
fn another_seed_is_another_design() {
    for (name, recipe) in recipes() {
        let (one, data) = made(recipe);
        let (other, others) = made(recipe.seed(8));
        assert_ne!(data.design, others.design, "{name}");
        assert_ne!(data.labels, others.labels, "{name}");
        assert_ne!(one.planted(), other.planted(), "{name}");
    }
}

/// The files that are streamed hold what there is in memory, and say so to whoever watches.
#[test]
fn files_hold_what_memory_does() {
    let folder = tempfile::tempdir().unwrap();
    let (design, targets) = (folder.path().join("d"), folder.path().join("y.npy"));
    for (name, recipe) in recipes() {
        for task in Task::ALL {
            let (synthetic, expected) = made(recipe.task(task));
            let design = design.with_extension(if synthetic.is_dense() { "npy" } else { "npz" });
            let mut told = Vec::new();
            let watch = |done, total| {
                told.push((done, total));
                ControlFlow::Continue(())
            };
            synthetic.write(File::create(&design).unwrap(), File::create(&targets).unwrap(), watch).unwrap();
            let times = if synthetic.is_dense() { 1 } else { 3 };
            assert_eq!(told.last(), Some(&(times * 40, times * 40)), "{name}");
            let found = read(&design, &ReadOptions::default()).unwrap();
            assert_eq!(found.design, expected.design, "{name}");
            assert_eq!(synthetic.entries(), expected.design.entries() as u64, "{name}");
            assert_eq!(Some(read_vector(&targets).unwrap()), expected.labels, "{name}");
        }
    }
}

/// Whoever watches is asked every few entries, and is obeyed.
#[test]
fn writing_ends_when_it_is_asked_to() {
    let synthetic = Recipe::new(Zipf, 100_000, 50).per_row(10).prepare().unwrap();
    let (mut design, mut calls) = (Cursor::new(Vec::new()), 0);
    let result = synthetic.write(&mut design, std::io::sink(), |_, _| {
        calls += 1;
        if calls == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(result, Err(WriteError::Interrupted)));
    assert_eq!(calls, 4);
    // Without it, 100,000 rows of 10 columns and values are more than 12 MB.
    assert!(design.get_ref().len() < 4_000_000, "{}", design.get_ref().len());
}

#[test]
fn popularity_falls_with_the_rank() {
    const N: usize = 200_000;
    const M: usize = 50;
    for kind in [Kind::from(Zipf), Binary.into()] {
        // With one entry a row none is drawn again.
        let (_, data) = made(Recipe::new(kind, N, M).per_row(1));
        let mut counts = counts(&data);
        assert!(!counts.is_sorted_by(|a, b| a >= b), "the columns are in the order of their ranks");
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let total: f64 = (0..M).map(|rank| 1.0 / (rank as f64 + 10.0)).sum();
        for (rank, &count) in counts.iter().enumerate() {
            let expected = N as f64 / (rank as f64 + 10.0) / total;
            // Six standard deviations: neighbours that change places move a count by less than one more.
            assert!((count as f64 - expected).abs() < 6.0 * expected.sqrt(), "{rank}: {count}, {expected}");
        }
    }
}

#[test]
fn rows_have_as_many_distinct_columns_as_they_should() {
    for (kind, columns, per_row) in [
        (Kind::from(Zipf), 40, 40),
        (Zipf.into(), 2000, 30),
        (Binary.into(), 25, 24),
        (Gaussian.into(), 300, 150),
        (Gaussian.into(), 300, 3),
        (Banded { width: Some(8) }.into(), 300, 7),
        (Banded { width: None }.into(), 1, 1),
    ] {
        let (_, data) = made(Recipe::new(kind, 60, columns).per_row(per_row));
        for pattern in patterns(&data) {
            assert!(pattern.len() == per_row && pattern.is_sorted_by(|a, b| a < b), "{kind}: {pattern:?}");
        }
    }
}

#[test]
fn binary_is_the_pattern_of_zipf_with_ones() {
    let recipe = |kind: Kind| Recipe::new(kind, 100, 30).per_row(5);
    let ((_, zipf), (_, binary)) = (made(recipe(Zipf.into())), made(recipe(Binary.into())));
    assert_eq!(patterns(&zipf), patterns(&binary));
    binary.design.for_each_entry(|_, _, value| assert_eq!(value, 1.0));
}

#[test]
fn bands_follow_the_diagonal() {
    for (rows, columns, per_row, width) in [(500, 100, 5, Some(9)), (30, 400, 20, None), (1, 10, 2, Some(3))] {
        let (_, data) = made(Recipe::new(Banded { width }, rows, columns).per_row(per_row));
        let width = width.unwrap_or(24);
        for (row, pattern) in patterns(&data).iter().enumerate() {
            let start = row * (columns - width) / (rows - 1).max(1);
            assert!(pattern[0] >= start && pattern[per_row - 1] < start + width, "{row}: {pattern:?}");
        }
        if rows > columns {
            assert!(counts(&data).iter().all(|&count| count > 0));
        }
    }
}

#[test]
fn ragged_rows_are_empty_short_and_long() {
    const N: usize = 20_000;
    let (_, data) = made(Recipe::new(Ragged, N, 5000).per_row(8));
    let lengths: Vec<_> = patterns(&data).iter().map(Vec::len).collect();
    // P(length < 1) = 1 - 1 / (1 + 1/8)² = 0.2099, P(length >= 80) = 1 / 11² = 0.00826.
    for (share, found) in [
        (0.2099, lengths.iter().filter(|&&len| len == 0).count()),
        (0.00826, lengths.iter().filter(|&&len| len >= 80).count()),
    ] {
        let expected = share * N as f64;
        assert!((found as f64 - expected).abs() < 5.0 * expected.sqrt(), "{share}: {found}");
    }
    // Half is lost to rounding down, and a little to the number of columns.
    let mean = lengths.iter().sum::<usize>() as f64 / N as f64;
    assert!((7.0..8.0).contains(&mean), "{mean}");
}

#[test]
fn low_rank_is_what_it_says() {
    let (_, data) = made(Recipe::new(LowRank { rank: 3 }, 12, 8));
    let mut rows = vec![vec![0.0; 8]; 12];
    data.design.for_each_entry(|row, column, value| rows[row][column] = value);
    // Gram and Schmidt: what is left of each row beside the ones before.
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut rest = row.clone();
        for direction in &basis {
            let share = dot(&rest, direction);
            rest.iter_mut().zip(direction).for_each(|(rest, entry)| *rest -= share * entry);
        }
        let (left, norm) = (dot(&rest, &rest).sqrt(), dot(&row, &row).sqrt());
        if index < 3 {
            assert!(left > 1e-3 * norm, "row {index} depends on the ones before");
            basis.push(rest.iter().map(|entry| entry / left).collect());
        } else {
            assert!(left < 1e-12 * norm, "row {index} is independent: {left}");
        }
    }
}

/// Sums over rows against what is expected of them given D and z, within five standard deviations.
#[test]
fn targets_come_from_the_planted_latent() {
    const N: usize = 20_000;
    let near = |found: f64, expected: f64, variance: f64, what: &str| {
        assert!((found - expected).abs() < 5.0 * variance.sqrt(), "{what}: {found}, expected {expected}");
    };
    for kind in [Kind::from(Zipf), Binary.into(), Ragged.into(), Banded::default().into()] {
        for (task, size) in [(Task::Regression, 1.0), (Task::Logistic, 2.0), (Task::Counts, 1.0)] {
            let (synthetic, data) = made(Recipe::new(kind, N, 1000).per_row(20).task(task).seed(5));
            let (u, y) = (apply(&data, synthetic.planted()), data.labels.unwrap());
            // z is one draw for all rows: the size of u is right to what 1000 columns give.
            let deviation = (u.iter().map(|u| u * u).sum::<f64>() / N as f64).sqrt();
            assert!((0.7 * size..1.3 * size).contains(&deviation), "{kind} {task}: {deviation}");
            let sum = |f: &dyn Fn(f64, f64) -> f64| u.iter().zip(&y).map(|(&u, &y)| f(u, y)).sum::<f64>();
            match task {
                Task::Regression => {
                    // Residuals are normal of deviation 0.1: their squares have variance 2 0.1^4.
                    near(sum(&|u, y| y - u), 0.0, 0.01 * N as f64, "residuals");
                    near(sum(&|u, y| (y - u).powi(2)), 0.01 * N as f64, 2e-4 * N as f64, "squares");
                }
                Task::Logistic => {
                    assert!(y.iter().all(|&y| y == 1.0 || y == -1.0));
                    // E[y] = tanh(u / 2).
                    let mean = |u: f64| (u / 2.0).tanh();
                    let variance = |u: f64| 1.0 - mean(u).powi(2);
                    near(sum(&|_, y| y), sum(&|u, _| mean(u)), sum(&|u, _| variance(u)), "labels");
                    let (found, expected) = (sum(&|u, y| u * y), sum(&|u, _| u * mean(u)));
                    near(found, expected, sum(&|u, _| u * u * variance(u)), "labels by u");
                }
                _ => {
                    assert!(y.iter().all(|&y| y >= 0.0 && y.fract() == 0.0));
                    // Mean and variance exp(u); the squared residual's variance is exp(u) + 2 exp(2 u).
                    near(sum(&|_, y| y), sum(&|u, _| u.exp()), sum(&|u, _| u.exp()), "counts");
                    let squares = sum(&|u, _| u.exp() + 2.0 * (2.0 * u).exp());
                    near(sum(&|u, y| (y - u.exp()).powi(2)), sum(&|u, _| u.exp()), squares, "their variance");
                }
            }
        }
    }
}

#[test]
fn noise_is_added_before_targets_are_drawn() {
    let recipe = Recipe::new(Gaussian, 5000, 20);
    let (synthetic, data) = made(recipe.task(Task::Regression).noise(0.0));
    let u = apply(&data, synthetic.planted());
    assert_eq!(data.labels.unwrap(), u);
    // Labels of mere noise are those of a coin.
    let (synthetic, data) = made(recipe.noise(1e9));
    let u = apply(&data, synthetic.planted());
    let agree = u.iter().zip(data.labels.unwrap()).filter(|(u, y)| **u * y > 0.0).count();
    assert!((agree as f64 - 2500.0).abs() < 5.0 * 1250f64.sqrt(), "{agree}");
    // Counts of an absurd mean are numbers all the same.
    let (_, data) = made(recipe.task(Task::Counts).noise(1e9));
    assert!(data.labels.unwrap().iter().all(|y| y.is_finite() && *y >= 0.0));
}

#[test]
fn densities_are_rounded_to_entries_of_a_row() {
    for (share, expected) in [(1e-9, 1), (0.1, 4), (0.11, 4), (0.12, 5), (1.0, 40)] {
        let synthetic = Recipe::new(Gaussian, 3, 40).density(share).prepare().unwrap();
        assert_eq!((synthetic.entries(), synthetic.is_dense()), (3 * expected, false), "{share}");
    }
}

#[test]
fn what_cannot_be_made_is_refused() {
    let zipf = |rows, columns| Recipe::new(Zipf, rows, columns);
    for (recipe, message) in [
        (zipf(0, 5).per_row(1), "expected at least one row, found none"),
        (zipf(5, 0).per_row(1), "expected at least one column, found none"),
        (zipf(5, 4), "zipf: expected the number of entries a row, or their density"),
        (zipf(5, 4).per_row(0), "0 entries a row, expected 1 to 4, the number of columns"),
        (zipf(5, 4).per_row(5), "5 entries a row, expected 1 to 4, the number of columns"),
        (zipf(5, 4).density(0.0), "a density of 0, expected a number above 0 and at most 1"),
        (zipf(5, 4).density(1.5), "a density of 1.5, expected a number above 0 and at most 1"),
        (zipf(5, 4).density(f64::NAN), "a density of NaN, expected a number above 0 and at most 1"),
        (zipf(5, 4).per_row(1).noise(f64::NAN), "a noise of NaN, expected a number at least 0 and at most 1e9"),
        (zipf(5, 4).per_row(1).noise(-1.0), "a noise of -1, expected a number at least 0 and at most 1e9"),
        (zipf(5, 4).per_row(1).noise(f64::INFINITY), "a noise of inf, expected a number at least 0 and at most 1e9"),
        (zipf(1, 2_000_000).per_row(1), "2000000 columns for 1 entries, expected at most 1001000"),
        (
            zipf(usize::MAX, 2).per_row(2),
            "18446744073709551615 rows of 2 entries, expected at most 1152921504606846976 entries",
        ),
        (
            Recipe::new(LowRank { rank: 2 }, 5, 4).per_row(2),
            "low-rank: every row is full, expected neither a number of entries a row nor a density",
        ),
        (Recipe::new(LowRank { rank: 5 }, 5, 4), "a rank of 5, expected 1 to 4"),
        (Recipe::new(LowRank { rank: 0 }, 5, 4), "a rank of 0, expected 1 to 4"),
        (Recipe::new(Banded { width: Some(2) }, 5, 4).per_row(3), "a band width of 2, expected 3 to 4"),
        (Recipe::new(Banded { width: Some(5) }, 5, 4).per_row(3), "a band width of 5, expected 3 to 4"),
    ] {
        assert_eq!(recipe.prepare().map(|_| ()).unwrap_err().to_string(), message);
    }
    let error = zipf(usize::MAX >> 8, 5).per_row(5).prepare().unwrap().dataset().unwrap_err();
    assert!(matches!(error, MakeError::OutOfMemory { .. }), "{error}");
}

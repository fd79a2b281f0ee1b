//! Synthetic rows of each kind, made into memory: 5000 rows of 50 entries in 20,000 columns, dense ones of 50 columns.
//!
//! `cargo bench -p danskin-bench --bench make`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use danskin_data::make::{Banded, Binary, Gaussian, Kind, LowRank, Ragged, Recipe, Row, Zipf};

const ROWS: usize = 5000;

fn rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("make");
    let sparse = [Kind::from(Zipf), Banded::default().into(), Ragged.into(), Binary.into(), Gaussian.into()];
    let sparse = sparse.map(|kind| Recipe::new(kind, ROWS, 20_000).per_row(50));
    let dense = [Kind::from(Gaussian), LowRank { rank: 10 }.into()].map(|kind| Recipe::new(kind, ROWS, 50));
    for recipe in sparse.into_iter().chain(dense) {
        let synthetic = recipe.prepare().expect("a recipe that can be made");
        group.throughput(Throughput::Elements(synthetic.entries()));
        let storage = if synthetic.is_dense() { "dense" } else { "sparse" };
        group.bench_function(format!("{}, {storage}", synthetic.kind()), |b| {
            let mut row = Row::default();
            b.iter(|| (0..ROWS).map(|index| (synthetic.row(index, &mut row), row.target).1).sum::<f64>());
        });
    }
    group.finish();
}

criterion_group!(benches, rows);
criterion_main!(benches);

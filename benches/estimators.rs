//! A gradient pass of logistic regression on the shipped text (6000 x 23,777, 398,951 entries) and on synthetic rows of
//! the same kind, larger than caches (100,000 x 20,000, 5,000,000 entries); g1, g2 and g3 on the text.
//!
//! `cargo bench -p danskin-bench`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use danskin::prelude::*;
use danskin_data::make::{Recipe, Zipf};
use danskin_data::{Dataset, Shipped};

const STEPS: usize = 100;

fn problem(data: Dataset) -> (Glm<Logistic>, Vec<f64>) {
    (Glm::new(data.design, Logistic, 0.4).expect("a penalty"), data.labels.expect("both have labels"))
}

fn text() -> (Glm<Logistic>, Vec<f64>) {
    problem(Shipped::find("debian_small").expect("it is shipped").load().expect("it is whole"))
}

fn synthetic() -> (Glm<Logistic>, Vec<f64>) {
    let synthetic = Recipe::new(Zipf, 100_000, 20_000).per_row(50).prepare().expect("a recipe that can be made");
    problem(synthetic.dataset().expect("60 MB"))
}

fn passes(c: &mut Criterion) {
    passes_over("pass", text(), c);
    passes_over("pass, zipf", synthetic(), c);
}

fn passes_over(name: &str, (problem, x): (Glm<Logistic>, Vec<f64>), c: &mut Criterion) {
    let ((m, n), mut ctx) = (problem.dims(), Ctx::new());
    let (z, v) = (vec![0.1; m], vec![1.0; m]);
    let (mut grad_z, mut memo, mut cross) = (vec![0.0; m], vec![0.0; n], vec![0.0; n]);
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(problem.design().entries() as u64));
    group.bench_function("D z", |b| b.iter(|| problem.design().matrix().apply(black_box(&z), &mut memo, &mut ctx)));
    group
        .bench_function("gradient", |b| b.iter(|| problem.grad_z(black_box(&z), &x, &mut grad_z, &mut memo, &mut ctx)));
    problem.grad_z(&z, &x, &mut grad_z, &mut memo, &mut ctx);
    let noted = Point { memo: &memo, ..Point::new(&z, &x) };
    for (name, at) in [("reverse step, D z_t kept", noted), ("reverse step, z_t kept", Point::new(&z, &x))] {
        let mut hess = vec![0.0; m];
        group.bench_function(name, |b| {
            b.iter(|| problem.hess_cross(black_box(at), &v, &mut hess, -0.01, &mut cross, &mut ctx));
        });
    }
    group.finish();
}

fn estimators(c: &mut Criterion) {
    let (problem, x) = text();
    let (solver, stop, mut ctx) = (GradientDescent::new(StepSize::Fixed(0.0256)), Stop::steps(STEPS), Ctx::new());
    let mut group = c.benchmark_group(format!("T = {STEPS}"));
    group.sample_size(20);
    group.bench_function("z_T", |b| {
        b.iter(|| Solve::new(&problem, &solver, black_box(&x)).stop(stop).run_in(&mut ctx).map(Solution::into_z));
    });
    group.bench_function("z_T, recorded", |b| {
        b.iter(|| {
            let solve = Solve::new(&problem, &solver, black_box(&x)).stop(stop).record(Tape::new());
            solve.run_in(&mut ctx).map(Solution::into_z)
        });
    });
    let solution =
        Solve::new(&problem, &solver, &x).stop(stop).record(Tape::new()).run_in(&mut ctx).expect("it solves");
    group.bench_function("g1", |b| b.iter(|| solution.gradient_in(&Envelope, &Analytic, &mut ctx)));
    group.bench_function("g2", |b| b.iter(|| solution.gradient_in(&Envelope, &Automatic, &mut ctx)));
    let implicit = Implicit::new(Cg::default());
    group.bench_function("g3, cg to 1e-12", |b| b.iter(|| solution.gradient_in(&Envelope, &implicit, &mut ctx)));
    group.finish();
}

criterion_group!(benches, passes, estimators);
criterion_main!(benches);

//! The passes of logistic regression beside plain ones of 4-byte indices and f64 values, and beside the speed at which memory is
//! read: nanoseconds an entry of D, on one thread and on all.
//!
//! `cargo bench -p danskin-bench --bench pass` takes the shipped text and synthetic rows of its kind, larger than caches;
//! `-- FILE ...` other designs. Samples are taken in turn; the least counts, as the machine only ever adds.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use danskin::prelude::*;
use danskin_bench::measure::{Machine, Probe};
use danskin_bench::table::aligned;
use danskin_data::make::{Recipe, Zipf};
use danskin_data::{ReadOptions, Shipped};
use rayon::prelude::*;

const SAMPLES: usize = 15;
fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let probe = Probe::beyond_caches(&Machine::this())?;
    if files.is_empty() {
        measure("debian_small", Shipped::find("debian_small").expect("it is shipped").load()?.design, &probe);
        let synthetic = Recipe::new(Zipf, 100_000, 20_000).per_row(50).prepare()?;
        measure("zipf", synthetic.dataset()?.design, &probe);
    }
    for file in files {
        measure(&file, danskin_data::read(Path::new(&file), &ReadOptions::default())?.design, &probe);
    }
    Ok(())
}

/// Compressed rows or columns of 4-byte indices and f64 values, and where a part for each thread begins.
struct Plain {
    pointers: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
}

impl Plain {
    fn new(len: usize, entries: &[(u32, u32, f64)]) -> Self {
        let mut pointers = vec![0; len + 1];
        entries.iter().for_each(|&(line, ..)| pointers[line as usize + 1] += 1);
        for line in 0..len {
            pointers[line + 1] += pointers[line];
        }
        let (indices, values) = entries.iter().map(|&(_, index, value)| (index, value)).unzip();
        Self { pointers, indices, values }
    }

    /// Lines that cut the entries into as many equal parts as there are threads.
    fn cuts(&self) -> Vec<usize> {
        let parts = rayon::current_num_threads();
        let cut = |part| self.pointers.partition_point(|&before| before < self.indices.len() * part / parts);
        let inner = (1..parts).map(|part| cut(part).min(self.pointers.len() - 1));
        [0].into_iter().chain(inner).chain([self.pointers.len() - 1]).collect()
    }

    fn line(&self, line: usize) -> impl Iterator<Item = (usize, f64)> {
        let entries = self.pointers[line]..self.pointers[line + 1];
        let indices = self.indices[entries.clone()].iter().map(|&index| index as usize);
        indices.zip(self.values[entries].iter().copied())
    }

    fn dot(&self, line: usize, v: &[f64]) -> f64 {
        self.line(line).map(|(index, value)| value * v[index]).sum()
    }

    /// `out_line = link(line, line . v)`, each thread a part of the lines.
    fn dots(&self, v: &[f64], out: &mut [f64], link: &(impl Fn(usize, f64) -> f64 + Sync)) {
        let (cuts, mut rest, mut parts) = (self.cuts(), out, Vec::new());
        for cut in cuts.windows(2) {
            let (part, others) = rest.split_at_mut(cut[1] - cut[0]);
            parts.push((cut[0], part));
            rest = others;
        }
        parts.into_par_iter().for_each(|(first, part)| {
            for (k, out) in part.iter_mut().enumerate() {
                *out = link(first + k, self.dot(first + k, v));
            }
        });
    }

    /// `out = sum over lines of link(line, line . v) line`, row by row, each thread into a vector of its own.
    fn fused(&self, v: &[f64], accumulators: &mut [Vec<f64>], link: &(impl Fn(usize, f64) -> f64 + Sync)) {
        let cuts = self.cuts();
        accumulators.par_iter_mut().enumerate().for_each(|(part, out)| {
            out.fill(0.0);
            for line in cuts[part]..cuts[part + 1] {
                let weight = link(line, self.dot(line, v));
                self.line(line).for_each(|(index, value)| out[index] += weight * value);
            }
        });
        let (out, others) = accumulators.split_first_mut().expect("a thread");
        for other in others {
            out.iter_mut().zip(other).for_each(|(total, part)| *total += *part);
        }
    }
}

fn measure(name: &str, design: Design, probe: &Probe) {
    let (n, m, entries) = (design.rows(), design.columns(), design.entries());
    let mut triplets = Vec::with_capacity(entries);
    design.for_each_entry(|row, column, value| triplets.push((row as u32, column as u32, value)));
    let rows = Plain::new(n, &triplets);
    triplets.iter_mut().for_each(|(row, column, _)| std::mem::swap(row, column));
    triplets.sort_by_key(|&(column, ..)| column);
    let columns = Plain::new(m, &triplets);
    drop(triplets);
    println!("{name}: {n} x {m}, {entries} entries, {:.1} a row, {:.1} a column", ratio(entries, n), ratio(entries, m));

    let x: Vec<f64> = (0..n).map(|row| if row * 7919 % 13 < 6 { 1.0 } else { -1.0 }).collect();
    let z: Vec<f64> = (0..m).map(|j| 0.01 * (0.37 * j as f64).sin()).collect();
    let problem = Glm::new(design, Logistic, 0.1).expect("a penalty");
    let link = |row: usize, u: f64| -x[row] / (1.0 + (x[row] * u).exp());
    let mut threads = vec![1, std::thread::available_parallelism().map_or(1, usize::from)];
    threads.dedup();
    for threads in threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let matrix = problem.design().matrix();
        let mut ctx = Ctx::new();
        let (mut grad, mut memo) = (vec![0.0; m], vec![0.0; n]);
        problem.grad_z(&z, &x, &mut grad, &mut memo, &mut ctx);
        let (noted, fresh) = (Point { memo: &memo, ..Point::new(&z, &x) }, Point::new(&z, &x));
        let (mut plain_u, mut u, mut weights, mut plain_grad) =
            (vec![0.0; n], vec![0.0; n], vec![0.0; n], vec![0.0; m]);
        let mut accumulators = vec![vec![0.0; m]; threads];
        let [mut of_d, mut of_grad, mut of_noted, mut of_fresh] = std::array::from_fn(|_| Ctx::new());
        let ([mut hess, mut hess_fresh], [mut cross, mut cross_fresh]) =
            (std::array::from_fn(|_| vec![0.0; m]), std::array::from_fn(|_| vec![0.0; n]));
        let v = grad.clone();
        let mut work = [
            Work::new("read of memory, 8 bytes", || probe.read()),
            Work::new("plain D z", || rows.dots(&z, &mut plain_u, &|_, dot| dot)),
            Work::new("D z", || matrix.apply(&z, &mut u, &mut of_d)),
            Work::new("plain fused gradient", || rows.fused(&z, &mut accumulators, &link)),
            Work::new("plain rows, then columns", || {
                rows.dots(&z, &mut weights, &link);
                columns.dots(&weights, &mut plain_grad, &|_, dot| dot);
            }),
            Work::new("gradient", || problem.grad_z(&z, &x, &mut grad, &mut [], &mut of_grad)),
            Work::new("reverse step, D z_t kept", || {
                problem.hess_cross(noted, &v, &mut hess, -0.01, &mut cross, &mut of_noted);
            }),
            Work::new("reverse step, z_t kept", || {
                problem.hess_cross(fresh, &v, &mut hess_fresh, -0.01, &mut cross_fresh, &mut of_fresh);
            }),
        ];
        pool.install(|| sample(&mut work));
        println!("{threads} thread{}, ns an entry", if threads == 1 { "" } else { "s" });
        report(&work, entries, probe.bytes() as usize / 8);
    }
}

/// Something to be measured.
struct Work<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + Send + 'a>,
    seconds: Vec<f64>,
}

impl<'a> Work<'a> {
    fn new(name: &'static str, run: impl FnMut() + Send + 'a) -> Self {
        Self { name, run: Box::new(run), seconds: Vec::new() }
    }
}

/// In turn. Each runs once before it is timed: in a solve it comes after one of its kind, which leaves the caches as it does.
fn sample(work: &mut [Work<'_>]) {
    for _ in 0..SAMPLES {
        for work in &mut *work {
            (work.run)();
            let start = Instant::now();
            (work.run)();
            work.seconds.push(start.elapsed().as_secs_f64());
        }
    }
    work.iter_mut().for_each(|work| work.seconds.sort_by(f64::total_cmp));
}

/// The probe first, whose entries are `probed` numbers of its own.
fn report(work: &[Work<'_>], entries: usize, probed: usize) {
    let least = |name: &str| work.iter().find(|work| work.name == name).map_or(f64::NAN, |work| work.seconds[0]);
    let plain = ["plain D z", "plain fused gradient", "plain rows, then columns"].map(least);
    let rows = work.iter().enumerate().map(|(k, work)| {
        let (least, median) = (work.seconds[0], work.seconds[SAMPLES / 2]);
        let nanoseconds = |seconds: f64| format!("{:.3}", 1e9 * seconds / if k == 0 { probed } else { entries } as f64);
        let ratios = plain.iter().map(|plain| if k == 0 { "-".to_owned() } else { format!("{:.2}", least / plain) });
        [work.name.to_owned(), nanoseconds(least), nanoseconds(median)].into_iter().chain(ratios).collect()
    });
    let header = ["", "least", "median", "of plain D z", "of plain fused", "of plain rows, columns"].map(str::to_owned);
    println!("{}", aligned(header.to_vec(), rows.collect(), &[0]));
}

fn ratio(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}

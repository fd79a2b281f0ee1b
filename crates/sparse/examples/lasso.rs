//! Seconds of a Lasso. `lasso NAME DIVISOR TOLERANCE [REPEATS]`
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use danskin_core::design::Design;
use danskin_sparse::{Columns, Each, Quadratic, WorkingSets, Workspace};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let repeats: usize = args.get(2).map_or(5, |a| a.parse().unwrap());
    let verbose = args.get(3).is_some();
    let dir = "/work/shared/data/classification";
    for name in args[1].split(',') {
        let (design, mut y) = match name {
            "gauss" => {
                let options = danskin_data::ReadOptions {
                    label_column: Some(danskin_data::LabelColumn::Last),
                    ..Default::default()
                };
                let data = danskin_data::read(Path::new("/tmp/h1bench/gauss.csv"), &options).unwrap();
                (data.design, data.labels.unwrap())
            }
            "debian" => {
                let data =
                    danskin_data::read(Path::new(&format!("{dir}/debian_descriptions.svm.xz")), &Default::default())
                        .unwrap();
                let path = format!("{dir}/debian_descriptions.log2size.txt.gz");
                let y = danskin_data::read_vector(Path::new(&path)).unwrap();
                let mean = y.iter().sum::<f64>() / y.len() as f64;
                (data.design, y.iter().map(|y| y - mean).collect())
            }
            name => {
                let data =
                    danskin_data::read(Path::new(&format!("{dir}/{name}.svm.bz2")), &Default::default()).unwrap();
                (data.design, data.labels.unwrap())
            }
        };
        let (n, m) = (design.rows(), design.columns());
        let design = if matches!(name, "leukemia" | "colon" | "madelon") {
            let mut values = vec![0.0; n * m];
            design.for_each_entry(|i, j, v| values[i * m + j] = v);
            Design::dense(n, m, values).unwrap()
        } else {
            design
        };
        y.truncate(n);
        let p0 = 0.5 * y.iter().map(|y| y * y).sum::<f64>();
        let columns = Columns::new(&design).unwrap();
        let mut c = vec![0.0; m];
        columns.correlations(&y, &mut c);
        let most = c.iter().fold(0.0_f64, |a, c| a.max(c.abs()));
        let divisors = std::env::var("DIVS")
            .map_or(vec![2.0, 10.0, 100.0], |d| d.split(',').map(|d| d.parse().unwrap()).collect());
        for divisor in divisors {
            let tolerances =
                std::env::var("TOLS").map_or(vec![1e-6, 1e-8], |d| d.split(',').map(|d| d.parse().unwrap()).collect());
            for tolerance in tolerances {
                let (mut build, mut solve) = (Vec::new(), Vec::new());
                let mut last = None;
                for _ in 0..repeats {
                    let start = Instant::now();
                    let columns = Columns::new(&design).unwrap();
                    build.push(start.elapsed().as_secs_f64());
                    let start = Instant::now();
                    let problem = Quadratic {
                        columns: &columns,
                        weights: &[],
                        targets: &y,
                        l1: Each::All(most / divisor),
                        l2: Each::All(0.0),
                        nonnegative: false,
                    };
                    let (mut z, mut r) = (vec![0.0; m], Vec::new());
                    let settings = WorkingSets { tolerance: tolerance * p0, ..Default::default() };
                    let mut gaps = Vec::new();
                    let found = settings.solve(&problem, &mut z, &mut r, &mut Workspace::new(), &mut |gap| {
                        gaps.push((gap / p0, start.elapsed().as_secs_f64()));
                        ControlFlow::Continue(())
                    });
                    solve.push(start.elapsed().as_secs_f64());
                    last = Some((found, gaps));
                }
                build.sort_by(f64::total_cmp);
                solve.sort_by(f64::total_cmp);
                let (found, gaps) = last.unwrap();
                println!(
                    "{name:9} /{divisor:<4} {tolerance:.0e} build {:.5} solve {:.5} gap {:.2e} {:?} rounds {} epochs {} newton {} support {}",
                    build[repeats / 2],
                    solve[repeats / 2],
                    found.gap / p0,
                    found.status,
                    found.rounds,
                    found.epochs,
                    found.newton,
                    found.support
                );
                if verbose {
                    for (gap, seconds) in gaps {
                        println!("    {gap:.2e} at {seconds:.5}");
                    }
                }
            }
        }
    }
}

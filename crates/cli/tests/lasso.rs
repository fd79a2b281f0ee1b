//! `danskin lasso`: the same minimum by every method, its conditions, its gradients, its files and what it refuses.

mod common;

use std::fs;

use common::{Workplace, apart, names};
use serde_json::Value;

const SCHEMA: &str = include_str!("../../../docs/schemas/lasso-report.json");

/// Eight rows, five columns.
const ROWS: [[f64; 5]; 8] = [
    [0.9, -0.4, 0.0, 1.2, 0.3],
    [-0.2, 1.1, 0.7, 0.0, -0.8],
    [0.5, 0.0, -1.3, 0.4, 0.6],
    [0.0, -0.9, 0.2, -0.7, 1.0],
    [1.4, 0.3, 0.0, 0.8, -0.1],
    [-0.6, 0.0, 0.9, -0.2, 0.4],
    [0.1, 0.8, -0.5, 0.0, 1.3],
    [-1.0, 0.2, 0.4, 0.6, 0.0],
];
const SIGNAL: [f64; 8] = [1.9, -1.4, 0.7, -0.3, 2.6, -1.2, 0.4, -1.1];

fn workplace() -> Workplace {
    let work = Workplace::new();
    let rows = |keep: &dyn Fn(usize) -> bool, labels: &dyn Fn(usize) -> f64| {
        let mut text = String::new();
        for i in (0..ROWS.len()).filter(|&i| keep(i)) {
            text.push_str(&labels(i).to_string());
            for (j, value) in ROWS[i].iter().enumerate().filter(|(_, value)| **value != 0.0) {
                text.push_str(&format!(" {}:{value}", j + 1));
            }
            text.push('\n');
        }
        text
    };
    work.write("d.svm", rows(&|_| true, &|i| SIGNAL[i]))
        .write("signs.svm", rows(&|_| true, &|i| SIGNAL[i].signum()))
        .write("held.svm", rows(&|i| i % 2 == 1, &|i| SIGNAL[i]))
        .write("narrow.svm", "1 1:1 2:1\n")
        .write("dense.csv", ROWS.map(|row| row.map(|v| v.to_string()).join(",")).join("\n"))
        .write("u.txt", SIGNAL.map(|u| u.to_string()).join(" "))
        .write("zeros.txt", "0 0 0 0 0 0 0 0")
        .write("columns.txt", "1 2 0 0.5 1")
        .write("negative.txt", "1 2 0 -0.5 1")
        .write("rows.txt", "1 2 1 0 1 3 1 0.5");
    work
}

/// The report of a run, as the schema has it.
fn lasso(work: &Workplace, arguments: &str, code: i32) -> Value {
    let _ = fs::remove_dir_all(work.path("out"));
    let ran = work.run(&format!("lasso {arguments} --output out"));
    assert_eq!(ran.code, code, "{arguments}: {}", ran.stderr);
    let report = work.report("out");
    let schema = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{arguments}: {errors:#?}\n{report:#}");
    report
}

fn number(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {report:#}"))
}

#[test]
fn every_method_finds_the_minimum_that_its_conditions_have() {
    let work = workplace();
    for data in ["--design d.svm", "--design dense.csv --label-column absent --target u.txt"] {
        let mut found = Vec::new();
        for method in ["cd", "ista", "fista"] {
            let report = lasso(&work, &format!("{data} --lambda 2 --method {method} --tolerance 1e-13"), 0);
            assert_eq!(
                (&report["status"], &report["rows"], &report["columns"]),
                (&"converged".into(), &8.into(), &5.into())
            );
            assert!(number(&report, "/relative_gap") <= 1e-13);
            let z = work.vector("out/z.npy");
            let residual: Vec<f64> =
                (0..8).map(|i| ROWS[i].iter().zip(&z).map(|(d, z)| d * z).sum::<f64>() - SIGNAL[i]).collect();
            let norm = z.iter().map(|z| z.abs()).sum::<f64>();
            let value = 0.5 * residual.iter().map(|r| r * r).sum::<f64>() + 2.0 * norm;
            assert!((value - number(&report, "/objective")).abs() <= 1e-14 * value, "{method}");
            for (j, z) in z.iter().enumerate() {
                let slope: f64 = (0..8).map(|i| ROWS[i][j] * residual[i]).sum();
                // Off by the root of the gap.
                let holds =
                    if *z == 0.0 { slope.abs() <= 2.0 + 1e-5 } else { (slope + 2.0 * z.signum()).abs() <= 1e-5 };
                assert!(holds, "{method}: column {j}: z = {z}, slope {slope}");
            }
            let used = z.iter().filter(|z| **z != 0.0).count();
            assert_eq!(number(&report, "/support"), used as f64);
            assert!(used > 0 && used < 5);
            found.push(z);
        }
        assert!(found.iter().all(|z| apart(z, &found[0]) <= 1e-6), "{found:?}");
    }
}

#[test]
fn lambda_max_is_where_z_is_0() {
    let work = workplace();
    for flags in
        ["", "--nonnegative", "--l1-ratio 0.5", "--penalty-weights columns.txt", "--intercept", "--weights rows.txt"]
    {
        let at = lasso(&work, &format!("--design d.svm --lambda-ratio 1.0000001 {flags}"), 0);
        let below = lasso(&work, &format!("--design d.svm --lambda-ratio 0.99 --tolerance 1e-12 {flags}"), 0);
        let free = if flags.contains("columns") { 1 } else { 0 };
        assert_eq!(at["support"], free, "{flags}");
        assert!(below["support"].as_u64().unwrap() > free, "{flags}");
        assert_eq!(at["lambda_max"], below["lambda_max"]);
        if flags.is_empty() {
            let largest = (0..5).map(|j| (0..8).map(|i| ROWS[i][j] * SIGNAL[i]).sum::<f64>().abs()).fold(0.0, f64::max);
            assert!((number(&at, "/lambda_max") - largest).abs() <= 1e-14 * largest);
        }
    }
}

#[test]
fn gradients_agree_with_one_another_and_with_differences() {
    let work = workplace();
    let problem = "--design d.svm --tolerance 1e-15 --estimator all";
    for method in ["cd", "ista", "fista"] {
        let flags = format!("{problem} --lambda 0.8 --method {method}");
        for wrt in ["targets", "weights", "regularisation", "design"] {
            let report = lasso(&work, &format!("{flags} --wrt {wrt}"), 0);
            let of = |name: &str| work.vector(&format!("out/{name}.npy"));
            let g3 = of("implicit");
            assert_eq!(number(&report, "/parameters"), g3.len() as f64);
            for name in ["analytic", "automatic"] {
                assert!(apart(&of(name), &g3) <= 1e-6, "{method}, {wrt}, {name}: {:e}", apart(&of(name), &g3));
            }
            if wrt != "design" {
                let bound = number(&report, "/estimators/implicit/certificate/bound");
                assert!(bound <= 1e-5, "{method}, {wrt}: {bound:e}");
            }
        }
        // Of the losses of other rows: differences in log lambda.
        let flags = format!(
            "--design d.svm --tolerance 1e-15 --method {method} --validation-design held.svm --estimator all --wrt regularisation"
        );
        let judge = |lambda: f64| {
            lasso(&work, &format!("{flags} --lambda {lambda}"), 0);
            let z = work.vector("out/z.npy");
            (0..8)
                .filter(|i| i % 2 == 1)
                .map(|i| {
                    let u: f64 = ROWS[i].iter().zip(&z).map(|(d, z)| d * z).sum();
                    0.5 * (u - SIGNAL[i]).powi(2)
                })
                .sum::<f64>()
        };
        let h = 1e-4_f64;
        let slope = (judge(0.8 * h.exp()) - judge(0.8 * (-h).exp())) / (2.0 * h);
        judge(0.8);
        assert_eq!(names(&work.path("out")), ["automatic.npy", "implicit.npy", "report.json", "z.npy"]);
        for name in ["automatic", "implicit"] {
            let found = work.vector(&format!("out/{name}.npy"))[0];
            assert!((found - slope).abs() <= 1e-5 * slope.abs().max(0.1), "{method}, {name}: {found} {slope}");
        }
    }
    // One log lambda is the sum of all.
    let whole = {
        lasso(&work, &format!("{problem} --lambda 0.8 --wrt regularisation"), 0);
        work.vector("out/implicit.npy")
    };
    let report = lasso(&work, &format!("{problem} --lambda 0.8 --wrt regularisation --per-feature"), 0);
    let parts = work.vector("out/implicit.npy");
    assert_eq!(report["parameters"], 5);
    assert!((parts.iter().sum::<f64>() - whole[0]).abs() <= 1e-6);
}

#[test]
fn every_kind_of_problem_has_its_report() {
    let work = workplace();
    for problem in ["ridge", "huber:0.5", "pseudo-huber:0.5", "pnorm:4"] {
        for flags in
            ["", "--l1-ratio 0.4", "--nonnegative", "--intercept", "--weights rows.txt --penalty-weights columns.txt"]
        {
            for wrt in ["targets", "regularisation"] {
                let flags = format!(
                    "--design d.svm --problem {problem} --lambda-ratio 0.3 {flags} --wrt {wrt} --estimator implicit"
                );
                let report = lasso(&work, &flags, 0);
                assert!(["converged", "stalled"].contains(&report["status"].as_str().unwrap()), "{flags}: {report:#}");
            }
        }
    }
    for problem in ["logistic", "squared-hinge"] {
        for method in ["cd", "fista"] {
            let flags =
                format!("--design signs.svm --problem {problem} --lambda-ratio 0.3 --method {method} --estimator all");
            let report = lasso(&work, &flags, 0);
            assert_eq!(report["status"], "converged", "{flags}");
            assert!(number(&report, "/relative_gap") <= 1e-8);
        }
    }
    // The column of ones is none of the design's entries.
    lasso(&work, "--design d.svm --lambda 1 --wrt design --intercept --estimator implicit", 0);
    let entries = ROWS.iter().flatten().filter(|value| **value != 0.0).count();
    assert_eq!(work.vector("out/implicit.npy").len(), entries);
    // Without a penalty the rows interpolate nothing: there are more of them than columns.
    assert_eq!(lasso(&work, "--design d.svm --lambda 0", 0)["support"], 5);
    let intercept = lasso(&work, "--design d.svm --lambda 1e6 --intercept", 0);
    let mean = SIGNAL.iter().sum::<f64>() / 8.0;
    assert!((number(&intercept, "/intercept") - mean).abs() <= 1e-14);
    assert_eq!(work.vector("out/z.npy"), [0.0; 5]);
}

/// z >= 0 in every column but that of ones, those without a penalty too: least squares on the columns in use, and slopes that hold the others at 0.
#[test]
fn an_intercept_has_no_bound() {
    let work = workplace();
    let negative: Vec<f64> = SIGNAL.iter().map(|u| u - 3.0).collect();
    work.write("low.txt", negative.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    let flags = "--design d.svm --target low.txt --lambda 0.3 --nonnegative --intercept --tolerance 1e-13";
    for (extra, free) in [("", None), ("--penalty-weights columns.txt", Some(2))] {
        let report = lasso(&work, &format!("{flags} {extra}"), 0);
        let (z, intercept) = (work.vector("out/z.npy"), number(&report, "/intercept"));
        assert!(intercept < -2.0 && z.iter().all(|z| *z >= 0.0), "{intercept} {z:?}");
        let residual = |i: usize| negative[i] - intercept - (0..5).map(|j| ROWS[i][j] * z[j]).sum::<f64>();
        assert!((0..8).map(residual).sum::<f64>().abs() < 1e-6);
        for j in 0..5 {
            let slope: f64 = (0..8).map(|i| ROWS[i][j] * residual(i)).sum();
            let lambda = if free == Some(j) {
                0.0
            } else if free.is_some() {
                0.3 * [1.0, 2.0, 0.0, 0.5, 1.0][j]
            } else {
                0.3
            };
            assert!(
                if z[j] > 0.0 { (slope - lambda).abs() < 1e-5 } else { slope < lambda + 1e-5 },
                "{extra} {j}: {slope} {z:?}"
            );
        }
    }
    for method in ["ista", "fista"] {
        let report = lasso(&work, &format!("{flags} --method {method} --iterations 100000"), 0);
        assert!(number(&report, "/intercept") < -2.0);
    }
}

#[test]
fn what_has_no_minimum_and_sweeps_that_fall_short_are_told() {
    let work = workplace();
    work.write("ones.svm", "1 1:0.3 2:-1\n1 1:0.5\n1 2:1\n");
    let ran =
        work.run("lasso --design ones.svm --problem logistic --intercept --lambda-ratio 0.5 --positive 1 --output out");
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("no minimum"), "{}", ran.stderr);
    let report = lasso(&work, "--design d.svm --lambda-ratio 0.01 --estimator automatic --iterations 3", 0);
    assert_eq!(report["sweeps"], serde_json::json!({ "count": 3, "converged": false }));
    let ran = work.run("lasso --design d.svm --lambda-ratio 0.01 --estimator automatic --iterations 3 --output out");
    assert!(ran.stderr.contains("3 sweeps of plain coordinate descent"), "{}", ran.stderr);
    let report = lasso(&work, "--design d.svm --lambda-ratio 0.3 --estimator automatic", 0);
    assert_eq!(report.pointer("/sweeps/converged"), Some(&Value::Bool(true)));
    // No gap is known with an intercept, and the path ends all the same.
    let report = lasso(&work, "--design signs.svm --problem logistic --intercept --lambda-ratio 0.1 --path 5", 0);
    let path = report["path"].as_array().unwrap();
    assert!(path.iter().all(|point| point["gap"].is_null() && point["converged"] == true), "{path:?}");
}

/// What each column's rounding says nothing of, columns that underflow, and files of an earlier run beside a solve that failed.
#[test]
fn no_gap_is_claimed_that_is_not_proved() {
    let work = workplace();
    work.write("near.csv", "1,-1\n0,1e-14\n").write("near.txt", "0 1").write("one.txt", "1");
    let flags = "--design near.csv --label-column absent --target near.txt --nonnegative --lambda 0";
    assert!(lasso(&work, flags, 0)["gap"].is_null());
    // Least squares over z >= 0 of such a condition are beyond these steps, and end all the same.
    work.write("hard.csv", "1,-1\n0,1e-8\n");
    let flags = "--design hard.csv --label-column absent --target near.txt --nonnegative --lambda 0";
    let report = lasso(&work, flags, 0);
    assert_eq!((&report["status"], &report["gap"]), (&Value::from("stalled"), &Value::Null));
    let flags = "--design near.csv --label-column absent --target near.txt --lambda 0 --tolerance 1e-6";
    let report = lasso(&work, flags, 0);
    assert!(number(&report, "/gap") <= 1e-6 && number(&report, "/objective") <= 1e-6, "{report:#}");
    work.write("least.svm", "1 1:1e-165\n1\n1 2:0\n");
    lasso(&work, "--design least.svm --lambda-ratio 0.5", 0);
    assert_eq!(work.run("lasso --design d.svm --lambda 1 --estimator all --output out").code, 0);
    work.write("apart.svm", "1 1:0.3 2:-1\n1 1:0.5\n-1 2:1\n");
    let ran = work.run("lasso --design apart.svm --problem logistic --positive 1 --lambda 0 --output out");
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("no minimum"), "{}", ran.stderr);
    assert_eq!(names(&work.path("out")), Vec::<String>::new());
    assert_eq!(work.run("lasso --design d.svm --lambda 1 --output u.txt").code, 1);
}

#[test]
fn a_path_is_written_and_drawn() {
    let work = workplace();
    let report = lasso(&work, "--design d.svm --lambda-ratio 0.01 --path 20 --tolerance 1e-10", 0);
    let path = report["path"].as_array().unwrap();
    assert_eq!(path.len(), 20);
    assert_eq!(path[0]["support"], 0);
    assert_eq!(path[19]["support"], report["support"]);
    assert!(path.windows(2).all(|pair| number(&pair[1], "/lambda") < number(&pair[0], "/lambda")));
    assert!(path.iter().all(|point| point["converged"] == true));
    let svg = fs::read_to_string(work.path("out/path.svg")).unwrap();
    assert!(svg.contains("lambda") && svg.contains("coefficient z_j") && svg.contains("#FFFFFF"));
    assert_eq!(fs::read_to_string(work.path("out/path.csv")).unwrap().lines().count(), 21);
    let last = fs::read_to_string(work.path("out/path-z.csv")).unwrap();
    let z = work.vector("out/z.npy");
    let mut from_path = [0.0; 5];
    for line in last.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        if cells[0] == number(&report, "/lambda") {
            from_path[cells[1] as usize] = cells[2];
        }
    }
    assert!(apart(&z, &from_path) <= 1e-4, "{z:?} {from_path:?}");
    // A run without a path or a gradient leaves none of an earlier one.
    assert_eq!(work.run("lasso --design d.svm --lambda 1 --estimator all --output out").code, 0);
    let ran = work.run("lasso --design d.svm --lambda 1 --output out");
    assert_eq!((ran.code, names(&work.path("out"))), (0, vec!["report.json".to_owned(), "z.npy".to_owned()]));
}

#[test]
fn a_kink_is_told() {
    let work = workplace();
    let report = lasso(&work, "--design d.svm --lambda-ratio 1 --estimator implicit", 0);
    assert_eq!(report.pointer("/kinks/met"), Some(&Value::Bool(true)));
    let ran = work.run("lasso --design d.svm --lambda-ratio 1 --estimator implicit --output out");
    assert!(ran.stderr.contains("kink"), "{}", ran.stderr);
    let away = lasso(&work, "--design d.svm --lambda 0.8 --tolerance 1e-12 --estimator implicit", 0);
    assert_eq!(away.pointer("/kinks/met"), Some(&Value::Bool(false)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let work = workplace();
    for (flags, expected) in [
        ("--design d.svm", "--lambda"),
        ("--design d.svm --lambda 1 --lambda-ratio 0.5", "cannot be used with"),
        ("--design d.svm --lambda -1", "at least 0"),
        ("--design d.svm --lambda-ratio 0", "above 0"),
        ("--design d.svm --lambda 1 --l1-ratio 0", "above 0 and at most 1"),
        ("--design d.svm --lambda 1 --problem multinomial", "not of several"),
        ("--design d.svm --lambda 1 --problem logistic", "--positive"),
        ("--design dense.csv --label-column absent --lambda 1", "no labels in it: give --target"),
        ("--design d.svm --lambda 1 --target columns.txt", "5 numbers, expected 8"),
        ("--design d.svm --lambda 1 --penalty-weights negative.txt", "entry 3 (from 0) is -0.5"),
        ("--design d.svm --lambda 1 --weights columns.txt", "5 numbers, expected 8"),
        ("--design d.svm --lambda 0 --wrt regularisation", "no logarithm"),
        (
            "--design d.svm --lambda 1 --nonnegative --penalty-weights columns.txt --wrt regularisation",
            "entry 2 (from 0) is 0 and has no logarithm",
        ),
        ("--design d.svm --lambda 1 --per-feature", "--wrt regularisation"),
        ("--design d.svm --lambda 0 --path 5", "above 0"),
        ("--design d.svm --lambda 1e-310 --path 5", "inf times"),
        ("--design d.svm --lambda 1e5 --path 5", "lambda_max"),
        ("--design d.svm --lambda 1 --path 99999999999", "1..=10000"),
        ("--design d.svm --target zeros.txt --lambda-ratio 0.5", "lambda_max is 0"),
        ("--design d.svm --lambda 1 --estimator auto", "danskin gradient"),
        ("--design d.svm --lambda 1 --validation-design held.svm --estimator analytic", "for L alone"),
        ("--design d.svm --lambda 1 --validation-design narrow.svm --estimator implicit", "2 columns, expected the 5"),
        ("--design missing.svm --lambda 1", "missing.svm"),
    ] {
        let ran = work.run(&format!("lasso {flags} --output out"));
        assert_eq!(ran.code, 2, "{flags}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(expected), "{flags}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{flags}: {}", ran.stderr);
        assert!(!work.path("out/z.npy").exists(), "{flags}");
    }
}

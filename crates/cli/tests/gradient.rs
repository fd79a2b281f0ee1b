//! `danskin gradient` as a program: files out, exit codes, and one line for whatever is wrong.

mod common;

use std::fs;

use common::{Workplace, apart, names};
use serde_json::Value;

const ALL: [&str; 5] = ["analytic.npy", "automatic.npy", "implicit.npy", "report.json", "z.npy"];

#[test]
fn everything_is_written_and_right() {
    let work = Workplace::new();
    let ran = work.run("gradient --problem ridge --design d.svm --lambda 1 --step 0.05 --iterations 300 --output out");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(names(&work.path("out")), ALL);
    // (D^T D + I) z = D^T x: [[3, 2], [2, 14]] z = [2, -1]; the gradient is x - D z.
    let z = [30.0 / 38.0, -7.0 / 38.0];
    let gradient = [1.0 - z[0] - 2.0 * z[1], -1.0 - 3.0 * z[1], 1.0 - z[0]];
    assert!(apart(&work.vector("out/z.npy"), &z) < 1e-14);
    for name in &ALL[..3] {
        assert!(apart(&work.vector(&format!("out/{name}")), &gradient) < 1e-14, "{name}");
    }
    let report = work.report("out");
    assert_eq!(
        (&report["schema"], &report["status"], &report["iterations"]),
        (&1.into(), &"steps-taken".into(), &300.into())
    );
    assert_eq!((&report["step"], &report["rows"], &report["lambda"]), (&0.05.into(), &3.into(), &1.0.into()));
    assert!((report["value"].as_f64().unwrap() - 0.5 * (gradient[0] - gradient[1] + gradient[2])).abs() < 1e-14);
    assert!(report["grad_z_norm"].as_f64().unwrap() < 1e-13);
    let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    for kind in ["analytic", "automatic", "implicit"] {
        let estimator = &report["estimators"][kind];
        assert_eq!(estimator["status"], "ok");
        assert!((estimator["norm"].as_f64().unwrap() - norm).abs() < 1e-14);
    }
    assert_eq!(report["estimators"]["automatic"]["cost"]["passes"], 300);
    assert_eq!(report["estimators"]["implicit"]["linear"]["method"], "dense");
    assert_eq!(report["cost"]["passes"], 301);
}

#[test]
fn the_effect_of_rounding_is_the_difference_of_the_gradients() {
    let work = Workplace::new();
    work.write("thirds.svm", "1 1:0.3333333333 2:0.7\n-1 2:-1.1\n1 1:0.9 2:0.2\n");
    let base = "gradient --problem logistic --design thirds.svm --lambda 0.1 --iterations 2000 --estimator implicit";
    for values in ["f64", "f32"] {
        assert_eq!(work.run(&format!("{base} --values {values} --output {values}")).code, 0);
    }
    let [exact, rounded] = ["f64", "f32"].map(|values| work.vector(&format!("{values}/implicit.npy")));
    assert_eq!(work.report("f64")["rounding"], Value::Null);
    let rounding = &work.report("f32")["rounding"];
    assert_eq!(rounding["changed_values"], 5);
    let difference = exact.iter().zip(&rounded).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let effect = rounding["effect"]["norm"].as_f64().unwrap();
    // The linear system of the effect is solved to 1e-3; the gradients differ by about 1e-8, known to 1e-15.
    assert!(difference > 0.0 && (effect / difference - 1.0).abs() < 2e-3, "{effect:e} {difference:e}");
}

#[test]
fn forward_mode_and_every_linear_solver_agree() {
    let work = Workplace::new();
    let base = "gradient --problem logistic --design d.svm --lambda 0.5 --iterations 7";
    assert_eq!(work.run(&format!("{base} --output reverse --linear-solver cg")).code, 0);
    assert_eq!(work.run(&format!("{base} --output forward --mode forward --linear-solver dense")).code, 0);
    for name in ["z.npy", "analytic.npy"] {
        assert_eq!(work.vector(&format!("reverse/{name}")), work.vector(&format!("forward/{name}")));
    }
    for name in ["automatic.npy", "implicit.npy"] {
        let (a, b) = (work.vector(&format!("reverse/{name}")), work.vector(&format!("forward/{name}")));
        assert!(apart(&a, &b) < 1e-14, "{name}: {a:?} {b:?}");
    }
    assert_eq!(work.report("reverse")["estimators"]["implicit"]["linear"]["method"], "cg");
}

#[test]
fn every_linear_solver_and_preconditioner_gives_the_same_implicit_gradient() {
    let work = Workplace::new();
    let base = "gradient --problem logistic --design d.svm --lambda 0.5 --estimator implicit";
    assert_eq!(work.run(&format!("{base} --iterations 7 --output expected --linear-solver dense")).code, 0);
    let expected = work.vector("expected/implicit.npy");
    let methods = ["--linear-solver sparse", "--linear-solver dual", "--linear-solver cg"].map(str::to_owned);
    let preconditioners = ["jacobi", "block-jacobi", "ic0", "nystrom"];
    for method in methods.into_iter().chain(preconditioners.map(|name| format!("--preconditioner {name}"))) {
        let ran = work.run(&format!("{base} --iterations 7 --output out {method}"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{method}");
        let found = work.vector("out/implicit.npy");
        assert!(apart(&found, &expected) < 1e-12, "{method}: {found:?} {expected:?}");
        let linear = &work.report("out")["estimators"]["implicit"]["linear"];
        let (name, preconditioned) = match method.split_once(' ') {
            Some(("--preconditioner", name)) => ("cg", Value::from(name)),
            Some((_, name)) => (name, Value::Null),
            None => unreachable!(),
        };
        assert_eq!((&linear["method"], &linear["preconditioner"]), (&name.into(), &preconditioned), "{method}");
        assert!(linear["relative_residual"].as_f64().unwrap() <= 1e-12, "{method}");
        assert!(linear["condition"].as_f64().unwrap() >= 0.99, "{method}");
        assert_eq!(
            linear["factor_entries"].is_null(),
            matches!(method.as_str(), "--linear-solver cg" | "--preconditioner jacobi")
        );
        // Newton's method solves its systems with the same.
        let ran =
            work.run(&format!("{base} --iterations 30 --tolerance 1e-13 --solver newton --output newton {method}"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{method}");
        assert_eq!(work.report("newton")["status"], "converged", "{method}");
    }
}

#[test]
fn a_linear_solver_that_does_not_suit_says_so() {
    let work = Workplace::new();
    let base = "gradient --problem ridge --design d.svm --iterations 3 --output out";
    let ran = work.run(&format!("{base} --lambda 0 --linear-solver dual"));
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("dual cannot be used: it needs a penalty above 0"), "{}", ran.stderr);
    let ran = work.run(
        "gradient --problem multinomial --design digits --iterations 3 --lambda 1 --linear-solver sparse --output out",
    );
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("sparse cannot be used: the pattern"), "{}", ran.stderr);
    let ran = work.run(&format!("{base} --lambda 1 --linear-solver dense --preconditioner jacobi"));
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--preconditioner does not go with --linear-solver dense"), "{}", ran.stderr);
}

#[test]
fn a_budget_of_memory_changes_no_bit_of_a_result() {
    let work = Workplace::new();
    let base = "gradient --problem logistic --design digits --positive 3 --condition 100 --iterations 90";
    for solver in ["gd", "nesterov", "heavy-ball", "backtracking"] {
        let base = format!("{base} --solver {solver} --estimator analytic,automatic");
        assert_eq!(work.run(&format!("{base} --output whole")).code, 0);
        let whole = work.report("whole");
        assert_eq!((&whole["memory"], &whole["last"]), (&Value::Null, &Value::Null));
        let cost = |report: &Value, what: &str| report["estimators"]["automatic"]["cost"][what].as_u64().unwrap();
        for (memory, bytes) in [("3000", 3000), ("4KiB", 4096), ("1MB", 1_000_000)] {
            for tolerance in ["", "--tolerance 0"] {
                let ran = work.run(&format!("{base} --memory {memory} {tolerance} --output within"));
                assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
                for name in ["z.npy", "analytic.npy", "automatic.npy"] {
                    let [a, b] = ["whole", "within"].map(|folder| fs::read(work.path(folder).join(name)).unwrap());
                    assert!(a == b, "{solver}, {memory}, {name}");
                }
                let within = work.report("within");
                assert_eq!((&within["memory"], &within["cost"]["passes"]), (&bytes.into(), &whole["cost"]["passes"]));
                // 90 records of 64 columns take 46,080 bytes.
                assert_eq!(cost(&within, "passes") > cost(&whole, "passes"), bytes < 46_080, "{solver}, {memory}");
                // The state to take steps again in: z, its gradient, u for 1797 rows, what a momentum carries.
                let state = 8 * (4 * 64 + 1797);
                let scratch = cost(&whole, "peak_bytes") - 90 * 8 * 64;
                assert!(cost(&within, "peak_bytes") <= bytes + state + scratch, "{within:#}");
            }
        }
    }
    let ran = work.run(&format!("{base} --memory 1000 --output refused"));
    assert_eq!((ran.code, ran.stderr.lines().count()), (2, 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("1000 bytes") && ran.stderr.contains("1024 at the least"), "{}", ran.stderr);
    assert!(!work.path("refused").exists());
}

#[test]
fn the_last_steps_alone_are_differentiated() {
    let work = Workplace::new();
    let base =
        "gradient --problem logistic --design d.svm --lambda 1 --step 0.05 --iterations 12 --estimator automatic";
    for last in [1, 5, 12, 100] {
        assert_eq!(work.run(&format!("{base} --last {last} --output last{last}")).code, 0);
        let report = work.report(&format!("last{last}"));
        assert_eq!(
            (&report["last"], &report["estimators"]["automatic"]["cost"]["passes"]),
            (&last.into(), &last.min(12).into())
        );
    }
    assert_eq!(work.run(&format!("{base} --output whole")).code, 0);
    let whole = work.vector("whole/automatic.npy");
    assert_eq!(work.vector("last12/automatic.npy"), whole);
    assert_eq!(work.vector("last100/automatic.npy"), whole);
    let apart = [1, 5].map(|last| apart(&work.vector(&format!("last{last}/automatic.npy")), &whole));
    assert!(apart[0] > apart[1] && apart[1] > 0.0, "{apart:?}");
}

#[test]
fn a_tolerance_and_a_cap() {
    let work = Workplace::new();
    let base = "gradient --problem ridge --design d.svm --lambda 1 --tolerance 1e-6";
    assert_eq!(work.run(&format!("{base} --iterations 10000 --output met")).code, 0);
    let met = work.report("met");
    assert_eq!(met["status"], "converged");
    let steps = met["iterations"].as_u64().unwrap();
    assert!(steps > 1 && steps < 1000);
    assert_eq!(work.run(&format!("{base} --iterations 2 --output cap")).code, 0);
    assert_eq!(
        (&work.report("cap")["status"], &work.report("cap")["iterations"]),
        (&"iteration-cap".into(), &2.into())
    );
}

#[test]
fn zero_steps_stay_at_the_start() {
    let work = Workplace::new();
    work.write("z0.txt", "0.5\n-0.25\n").write("x.txt", "1, 2.5, -3");
    let ran = work.run(
        "gradient --problem pnorm:2.5 --design d.svm --targets x.txt --initial z0.txt --lambda 0 --iterations 0 \
         --estimator analytic --output out",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(work.vector("out/z.npy"), [0.5, -0.25]);
    assert_eq!(names(&work.path("out")), ["analytic.npy", "report.json", "z.npy"]);
    // u = D z = (0, -0.75, 0.5); the gradient is -sign(u - x) |u - x|^1.5.
    let expected = [1.0, 3.25f64.powf(1.5), -(3.5f64.powf(1.5))];
    assert!(apart(&work.vector("out/analytic.npy"), &expected) < 1e-14);
}

#[test]
fn results_are_the_same_bits_at_every_thread_count() {
    let work = Workplace::new();
    let base = "gradient --problem logistic --design debian_small --condition 100 --iterations 20";
    for threads in [1, 2, 3] {
        assert_eq!(work.run(&format!("{base} --threads {threads} --output t{threads}")).code, 0);
    }
    for name in &ALL[..3] {
        let bits = |threads: usize| fs::read(work.path(&format!("t{threads}")).join(name)).unwrap();
        assert!(bits(1) == bits(2) && bits(1) == bits(3), "{name}");
    }
}

#[test]
fn labels_become_targets() {
    let work = Workplace::new();
    let base = "gradient --iterations 0 --lambda 1 --estimator analytic --output out --problem";
    work.write("three.svm", "3 1:1\n5 1:1\n3 2:1\n");
    // At z = 0 the gradient of ridge is x itself.
    assert_eq!(work.run(&format!("{base} ridge --design three.svm")).code, 0);
    assert_eq!(work.vector("out/analytic.npy"), [3.0, 5.0, 3.0]);
    let refused = work.run(&format!("{base} logistic --design three.svm"));
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("--positive") && refused.stderr.contains("row 0 (from 0) is 3"),
        "{}",
        refused.stderr
    );
    assert_eq!(work.run(&format!("{base} logistic --design three.svm --positive 5")).code, 0);
    assert_eq!(work.run(&format!("{base} logistic --design three.svm --positive 4")).code, 2);
    assert_eq!(work.run(&format!("{base} ridge --design three.svm --positive 5")).code, 2);
    let steps = "gradient --problem logistic --design three.svm --lambda 1 --iterations 5";
    work.write("signs.txt", "-1 1 -1");
    assert_eq!(work.run(&format!("{steps} --positive 5 --output a")).code, 0);
    assert_eq!(work.run(&format!("{steps} --targets signs.txt --output b")).code, 0);
    assert_eq!(work.vector("a/automatic.npy"), work.vector("b/automatic.npy"));
    // One class is enough to go on.
    work.write("one.svm", "1 1:1\n1 2:1\n");
    assert_eq!(work.run(&format!("{base} logistic --design one.svm")).code, 0);
    // Targets are taken as they are, zeros included.
    work.write("x.txt", "0 0.5 -7");
    assert_eq!(work.run(&format!("{base} logistic --design three.svm --targets x.txt")).code, 0);
}

#[test]
fn designs_of_every_shape() {
    let work = Workplace::new();
    for (name, text, flags) in [
        ("wide.svm", "1 5:1 9:2\n-1 1:3\n", ""),
        ("row.svm", "1 1:2 3:-1\n", ""),
        ("column.svm", "1 1:2\n-1 1:1\n1 1:0.5\n", ""),
        ("empty_row.svm", "1 2:2\n-1\n1 3:0.5\n", ""),
        ("empty_column.svm", "1 1:2\n-1 1:1\n", "--columns 4"),
        ("base0.svm", "1 0:2 1:1\n-1 1:1\n", "--index-base 0"),
        ("dense.csv", "1,0.5,1\n-1,2,-1\n0,0,1\n", "--label-column last"),
    ] {
        work.write(name, text);
        for problem in ["ridge", "logistic", "pnorm:4"] {
            let ran = work.run(&format!(
                "gradient --problem {problem} --design {name} {flags} --lambda 0.1 --tolerance 1e-11 \
                 --iterations 1000000 --output out"
            ));
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{name} {problem}");
            let kinds = ["analytic", "automatic", "implicit"];
            let [g1, g2, g3] = kinds.map(|kind| work.vector(&format!("out/{kind}.npy")));
            assert!(apart(&g1, &g3) < 1e-9 && apart(&g2, &g3) < 1e-12, "{name} {problem}: {g1:?} {g2:?} {g3:?}");
        }
    }
}

#[test]
fn a_singular_hessian_is_said_and_the_others_are_written() {
    let work = Workplace::new();
    work.write("wide.svm", "1 1:1 2:1\n-1 3:3\n");
    let base = "gradient --problem ridge --design wide.svm --iterations 5 --output out";
    assert_eq!(work.run(&format!("{base} --lambda 1")).code, 0);
    for method in ["cg", "dense", "auto"] {
        assert_eq!(work.run(&format!("{base} --lambda 0 --linear-solver {method}")).code, 3, "{method}");
    }
    let ran = work.run(&format!("{base} --lambda 0"));
    assert_eq!(ran.code, 3);
    assert_eq!(ran.stderr.lines().count(), 1);
    assert!(ran.stderr.contains("implicit") && ran.stderr.contains("singular"), "{}", ran.stderr);
    // The file of the run before is gone: it would pass for a result of this one.
    assert_eq!(names(&work.path("out")), ["analytic.npy", "automatic.npy", "report.json", "z.npy"]);
    let estimators = &work.report("out")["estimators"];
    assert_eq!(
        (&estimators["implicit"]["status"], &estimators["analytic"]["status"]),
        (&"singular".into(), &"ok".into())
    );
}

#[test]
fn divergence_is_said_and_leaves_no_numbers() {
    let work = Workplace::new();
    let base = "gradient --problem pnorm:4 --design d.svm --lambda 0 --iterations 50 --output out";
    assert_eq!(work.run(&format!("{base} --estimator analytic")).code, 0);
    let ran = work.run(&format!("{base} --step 1000"));
    assert_eq!(ran.code, 3);
    assert_eq!(work.report("out")["status"], "diverged");
    assert_eq!(names(&work.path("out")), ["report.json"]);
}

#[test]
fn a_solve_that_fails_leaves_its_reason_and_no_old_results() {
    let work = Workplace::new();
    work.write("minus.txt", "1 -2 3").write("gap.txt", "1 1").write("below.txt", "0 -1").write("half.txt", "0 0.5");
    work.write("huge.svm", "1 1:1e200\n-2 2:1e160\n");
    let base = "gradient --problem ridge --lambda 1 --iterations 5 --output out";
    assert_eq!(work.run(&format!("{base} --design d.svm")).code, 0);
    let ran = work.run(&format!("{base} --design huge.svm"));
    assert_eq!((ran.code, ran.stderr.lines().count()), (3, 1), "{}", ran.stderr);
    assert_eq!(names(&work.path("out")), ["report.json"]);
    let report = work.report("out");
    assert_eq!(report["status"], "infinite-smoothness");
    assert_eq!(report["estimators"]["automatic"]["status"], "infinite-smoothness");
}

#[test]
fn an_objective_without_a_minimum_is_said() {
    let work = Workplace::new();
    // Separable by the sign of the first column; and with each row under both labels.
    work.write("apart.svm", "1 1:1 2:1\n1 1:2 2:-1\n-1 1:-1 2:2\n-1 1:-2 2:-1\n");
    work.write("mixed.svm", "1 1:1 2:1\n-1 1:1 2:1\n1 1:2 2:-1\n-1 1:2 2:-1\n1 1:1 2:1\n");
    let flags = "--problem logistic --lambda 0 --iterations 50 --output out";
    let ran = work.run(&format!("gradient --design apart.svm {flags}"));
    assert_eq!((ran.code, ran.stderr.lines().count()), (3, 1), "{}", ran.stderr);
    let estimators = &work.report("out")["estimators"];
    assert_eq!(
        (&estimators["implicit"]["status"], &estimators["automatic"]["status"]),
        (&"unbounded".into(), &"ok".into())
    );
    assert!(work.path("out/automatic.npy").exists() && !work.path("out/implicit.npy").exists());
    assert_eq!(work.run(&format!("gradient --design mixed.svm {flags}")).code, 0);
    let compared = work.run("compare --problem logistic --lambda 0 --iterations 5,10 --output c --design apart.svm");
    assert_eq!((compared.code, compared.stderr.lines().count()), (3, 1), "{}", compared.stderr);
}

#[test]
fn a_hessian_that_may_be_singular_is_said() {
    let work = Workplace::new();
    // Two equal columns, more rows than columns, no penalty.
    work.write("twice.svm", "1 1:1 2:1\n2 1:2 2:2\n3 1:1 2:1 3:1\n4 3:2\n");
    let base = "gradient --problem ridge --design twice.svm --lambda 0 --iterations 5 --output out";
    let ran = work.run(&format!("{base} --linear-solver cg"));
    assert_eq!((ran.code, ran.stderr.lines().count()), (0, 1), "{}", ran.stderr);
    assert_eq!(work.report("out")["estimators"]["implicit"]["status"], "unverified");
    for method in ["dense", "auto"] {
        assert_eq!(work.run(&format!("{base} --linear-solver {method}")).code, 3, "{method}");
        assert_eq!(work.report("out")["estimators"]["implicit"]["status"], "singular");
    }
}

#[test]
fn only_g2_pays_for_its_tangents() {
    let work = Workplace::new();
    let base = "gradient --problem ridge --design d.svm --lambda 1 --step 0.05 --iterations 10";
    assert_eq!(work.run(&format!("{base} --mode forward --output out")).code, 0);
    let report = work.report("out");
    assert_eq!(
        (&report["cost"]["passes"], &report["estimators"]["automatic"]["cost"]["passes"]),
        (&11.into(), &30.into())
    );
}

#[test]
fn an_inexact_linear_solve_is_said() {
    let work = Workplace::new();
    let ran =
        work.run("gradient --problem ridge --design d.svm --lambda 1 --iterations 5 --linear-tolerance 0 --output out");
    assert_eq!(ran.code, 0);
    let implicit = &work.report("out")["estimators"]["implicit"];
    let residual = implicit["linear"]["relative_residual"].as_f64().unwrap();
    assert_eq!(implicit["status"] == "inexact", residual > 0.0, "{implicit}");
    assert!(residual < 1e-15);
}

#[test]
fn an_output_that_cannot_be_written_is_exit_code_1() {
    let work = Workplace::new();
    work.write("file", "");
    let ran = work.run("gradient --problem ridge --design d.svm --lambda 1 --iterations 3 --output file");
    assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1), "{}", ran.stderr);
    let ran = work.run("gradient --problem ridge --design d.svm --lambda 1 --iterations 3 --output file/below");
    assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1), "{}", ran.stderr);
}

#[test]
fn quiet_prints_nothing() {
    let work = Workplace::new();
    let ran = work.run("gradient --problem ridge --design d.svm --lambda 1 --iterations 3 --output out --quiet");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
}

/// An interrupt ends the run, takes back the folder it made, and leaves no half-written file.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_cleanly() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let work = Workplace::new();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("danskin"))
        .current_dir(work.dir.path())
        .args("gradient --problem logistic --design d.svm --lambda 1 --iterations 1000000000".split(' '))
        .args("--estimator analytic --output out".split(' '))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !work.path("out").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(50));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(!work.path("out").exists());
}

/// While a file is read nothing watches: an interrupt ends the program at once.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_reading() {
    use std::process::Command;

    let work = Workplace::new();
    assert!(Command::new("mkfifo").arg(work.path("pipe.svm")).status().unwrap().success());
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("danskin"))
        .current_dir(work.dir.path())
        .args("gradient --problem ridge --design pipe.svm --lambda 1 --iterations 1 --output out".split(' '))
        .spawn()
        .unwrap();
    // Opening the pipe for writing waits for its reader.
    let pipe = fs::OpenOptions::new().write(true).open(work.path("pipe.svm")).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(pipe);
    assert!(!work.path("out").exists());
}

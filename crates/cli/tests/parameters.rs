//! Every problem, parameter and solver of the command line: at a converged z the estimators agree, and with what the library says.

mod common;

use common::Workplace;
use danskin::prelude::{LossName, Targets};
use serde_json::Value;

const ROWS: &str = "1 1:0.5 2:1 4:-0.3\n2 2:0.7 3:-1\n1 1:1 3:0.2\n3 4:1 2:-0.4\n2 1:-0.6 4:0.8\n1 3:1.5\n";

fn workplace() -> Workplace {
    let work = Workplace::new();
    work.write("d.svm", ROWS).write("w.txt", "1 2 0.5 1 0 3").write("g.txt", "0 1 0 2");
    work
}

/// Exit code, report and stderr.
fn run(work: &Workplace, arguments: &str) -> (i32, Value, String) {
    let ran = work.run(arguments);
    let report = std::fs::read(work.path("out/report.json")).unwrap_or_default();
    (ran.code, serde_json::from_slice(&report).unwrap_or_default(), ran.stderr)
}

fn gradient(work: &Workplace, estimator: &str) -> Vec<f64> {
    work.vector(&format!("out/{estimator}.npy"))
}

fn agree(a: &[f64], b: &[f64], tolerance: f64, what: &str) {
    let (error, scale) = (danskin::vector::distance(a, b), danskin::vector::norm(b));
    assert!(error <= tolerance * scale, "{what}: {error:e} of {scale:e}");
}

#[test]
fn estimators_agree_at_a_converged_z() {
    let work = workplace();
    for loss in LossName::all() {
        let (positive, width) = match loss.targets() {
            Targets::Signed => ("--positive 1", 1),
            Targets::Classes => ("", 3),
            _ => ("", 1),
        };
        let problem = format!("{loss} {positive}");
        for (wrt, parameters) in [("targets", 6 * width), ("weights", 6), ("regularisation", 1), ("design", 12)] {
            for extra in ["", "--weights w.txt", "--groups g.txt --penalty elastic:0.5,0.1"] {
                let flags = format!("--problem {problem} --wrt {wrt} {extra} --design d.svm --lambda 0.2 --output out");
                let what = format!("{problem}, {wrt} {extra}");
                let (code, report, stderr) =
                    run(&work, &format!("gradient {flags} --iterations 20000 --tolerance 1e-10"));
                assert_eq!(code, 0, "{what}: {stderr}");
                assert_eq!(report["status"], "converged", "{what}");
                let parameters = if wrt == "regularisation" && extra.contains("groups") { 3 } else { parameters };
                assert_eq!(report["parameters"], parameters, "{what}");
                let exact = gradient(&work, "implicit");
                assert_eq!(exact.len(), parameters, "{what}");
                agree(&gradient(&work, "analytic"), &exact, 1e-7, &what);
                agree(&gradient(&work, "automatic"), &exact, 1e-10, &what);
            }
        }
    }
}

#[test]
fn every_solver_reaches_the_same_gradient() {
    let work = workplace();
    let flags = "--problem multinomial --wrt design --design d.svm --lambda 0.2 --output out";
    run(&work, &format!("gradient {flags} --iterations 5000 --tolerance 1e-12"));
    let exact = gradient(&work, "implicit");
    for (solver, unrolled) in [
        ("gd --step 0.1", true),
        ("nesterov", true),
        ("nesterov --restart --momentum 0.9", true),
        ("heavy-ball", true),
        ("heavy-ball --momentum 0.3 --step 0.2", true),
        ("backtracking", true),
        ("backtracking --step 100", true),
        ("lbfgs", false),
        ("newton", false),
    ] {
        let estimators = if unrolled { "all" } else { "analytic,implicit" };
        let command = format!("gradient {flags} --iterations 5000 --tolerance 1e-9 --solver {solver}");
        let (code, report, stderr) = run(&work, &format!("{command} --estimator {estimators}"));
        assert_eq!((code, &report["status"]), (0, &"converged".into()), "{solver}: {stderr}");
        assert_eq!(report["step"].is_null(), !unrolled, "{solver}");
        agree(&gradient(&work, "analytic"), &exact, 1e-7, solver);
        agree(&gradient(&work, "implicit"), &exact, 1e-10, solver);
        if unrolled {
            agree(&gradient(&work, "automatic"), &exact, 1e-10, solver);
            let reverse = gradient(&work, "automatic");
            run(&work, &format!("{command} --estimator automatic --mode forward"));
            agree(&gradient(&work, "automatic"), &reverse, 1e-11, solver);
        }
    }
}

#[test]
fn classes_are_the_sorted_labels() {
    let work = workplace();
    let flags = "--problem multinomial --design d.svm --lambda 0.2 --iterations 3 --output out";
    let (code, report, _) = run(&work, &format!("gradient {flags}"));
    assert_eq!((code, report["classes"].to_string()), (0, "[1.0,2.0,3.0]".to_owned()));
    let by_labels = gradient(&work, "automatic");
    assert_eq!(work.vector("out/z.npy").len(), 4 * 3);
    work.write("y.txt", "1 0 0  0 1 0  1 0 0  0 0 1  0 1 0  1 0 0");
    assert_eq!(run(&work, &format!("gradient {flags} --targets y.txt")).0, 0);
    assert_eq!(gradient(&work, "automatic"), by_labels);
    work.write("y.txt", "1 0 0 0 1 0 1");
    let (code, _, stderr) = run(&work, &format!("gradient {flags} --targets y.txt"));
    assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
}

#[test]
fn each_group_has_its_own_lambda() {
    let work = workplace();
    work.write("l.txt", "0.2 3 0.7");
    let flags = "--problem logistic --positive 1 --design d.svm --wrt regularisation --groups g.txt --iterations 20000";
    let solved = |lambdas: &str| {
        work.write("l.txt", lambdas);
        let flags = format!("{flags} --tolerance 1e-12 --lambdas l.txt --output out");
        let (code, report, stderr) = run(&work, &format!("gradient {flags}"));
        assert_eq!((code, &report["lambda"], &report["lambdas"]), (0, &Value::Null, &"l.txt".into()), "{stderr}");
        report["value"].as_f64().unwrap()
    };
    let value = solved("0.2 3 0.7");
    let gradient = gradient(&work, "implicit");
    // l moves with log lambda of the second group by its part of the gradient.
    let h = 1e-4_f64;
    let moved =
        (solved(&format!("0.2 {} 0.7", 3.0 * h.exp())) - solved(&format!("0.2 {} 0.7", 3.0 * (-h).exp()))) / (2.0 * h);
    assert_eq!(gradient.len(), 3);
    assert!((moved - gradient[1]).abs() < 1e-7 * value, "{moved} {gradient:?}");
    let flags = "compare --design d.svm --positive 1 --groups g.txt --lambdas l.txt --iterations 5,10,20 --output out";
    let ran = work.run(flags);
    assert!(ran.code == 0 && ran.stdout.contains("lambda of each group from l.txt"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn other_parameters_are_compared_too() {
    let work = workplace();
    for flags in
        ["--wrt regularisation --groups g.txt --solver nesterov", "--wrt design", "--wrt weights --problem huber:0.5"]
    {
        let command =
            format!("compare --design d.svm --positive 1 --lambda 0.2 --iterations 5,10,20,40 --output out {flags}");
        let command = if flags.contains("huber") { command.replace("--positive 1 ", "") } else { command };
        let (code, _, stderr) = run(&work, &command);
        assert_eq!(code, 0, "{flags}: {stderr}");
    }
    let (code, _, stderr) = run(&work, "compare --design d.svm --positive 1 --lambda 0.2 --solver lbfgs --output out");
    assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
}

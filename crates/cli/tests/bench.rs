//! `danskin bench` as a program: what is in its report, and that nothing of it is left when it is interrupted.

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{Workplace, names};
use serde_json::{Value, json};

fn estimators(report: &Value) -> &Vec<Value> {
    report["designs"][0]["estimators"].as_array().unwrap()
}

/// Every combination has a row; the bits of its error depend neither on threads nor on budgets nor on being measured, and are those
/// of `danskin compare` on the same design.
#[test]
fn rows_for_every_combination_with_the_errors_of_a_comparison() {
    let work = Workplace::new();
    let ran = work.run(
        "bench --entries 2000 --iterations 8,3,8 --over-threads 2,1 --samples 2 --memory none,1/2,2kB --output out",
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    let made = "data make zipf --rows 40 --columns 50 --per-row 50 --output d.npz";
    assert_eq!(work.run(made).code, 0);
    let compared = work.run("compare --design d.npz --targets d.targets.npy --iterations 3,8 --output compared");
    assert_eq!(compared.code, 0, "{}", compared.stderr);
    let (report, compared) = (work.report("out"), work.report("compared"));
    let design = &report["designs"][0];
    assert_eq!(design["design"], "zipf --rows 40 --columns 50 --per-row 50");
    for field in ["rows", "columns", "entries", "lambda", "parameters"] {
        assert_eq!(design[field], compared[field], "{field}");
    }
    for field in ["estimator", "status", "newton_steps", "relative_residual", "gradient_norm"] {
        assert_eq!(design["reference"][field], compared["reference"][field], "{field}");
    }

    let mut rows = BTreeMap::new();
    for row in estimators(&report) {
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        let key = (row["threads"].as_u64().unwrap(), row["iterations"].as_u64().unwrap());
        assert!(rows.insert((key, text("estimator"), text("budget")), row).is_none());
        let t = compared["trajectory"].as_array().unwrap().iter().find(|t| t["iterations"] == row["iterations"]);
        let theirs = &t.unwrap()["estimators"][text("estimator")];
        assert_eq!((&row["status"], &row["error"]), (&theirs["status"], &theirs["error"]));
        let relative = theirs["error"].as_f64().unwrap() / design["reference"]["gradient_norm"].as_f64().unwrap();
        assert_eq!(row["relative_error"], relative);
        assert_eq!(row["steps"], row["iterations"]);
        let seconds = |part: &str| row["seconds"][part]["min"].as_f64().unwrap();
        assert!(seconds("together") >= seconds("z") + seconds("gradient"));
    }
    assert_eq!(rows.len(), 2 * 2 * (2 + 3));
    // 40 numbers a record, 50 a checkpoint: half of three records is less than z_0 and one.
    for (threads, iterations, budget, memory) in
        [(1, 3, "1/2", Some(720)), (2, 8, "1/2", Some(1280)), (1, 8, "2000", Some(2000)), (1, 8, "none", None)]
    {
        let row = rows[&((threads, iterations), "automatic".to_owned(), budget.to_owned())];
        assert_eq!(row["memory"], json!(memory), "T = {iterations}, {budget}");
    }
    let passes = |budget: &str| rows[&((1, 8), "automatic".to_owned(), budget.to_owned())]["passes"].as_u64();
    assert!(passes("1/2") > passes("none"));

    assert_eq!(
        names(&work.path("out")),
        ["error-seconds.svg", "memory-iterations.svg", "report.csv", "report.json", "seconds-threads.svg"]
    );
    for name in ["error-seconds.svg", "memory-iterations.svg", "seconds-threads.svg"] {
        let svg = fs::read_to_string(work.path("out").join(name)).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("automatic, memory 1/2") && svg.contains("implicit"), "{name}");
    }
    let csv = fs::read_to_string(work.path("out/report.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + rows.len());
    let passes: Vec<_> =
        design["passes"].as_array().unwrap().iter().map(|on| (&on["threads"], &on["status"])).collect();
    assert_eq!(passes, [(&json!(1), &json!("ok")), (&json!(2), &json!("ok"))]);
    assert_eq!(report["machine"]["bandwidth"].as_array().unwrap().len(), 2);
    // 8 bytes a value, 1 an index; 41 places where a row begins.
    let of = |pass: usize| design["passes"][0]["passes"][pass]["bytes_per_entry"].as_f64().unwrap();
    assert_eq!((of(0), of(1)), (9.0 + 8.0 * 41.0 / 2000.0, 9.0 + 8.0 * 41.0 / 2000.0));
    assert!(ran.stdout.lines().all(|line| line.trim_end() == line), "{}", ran.stdout);
    for word in ["zipf --rows 40", "Hessian product", "automatic, memory 2000", "written to out"] {
        assert!(ran.stdout.contains(word), "{word} in {}", ran.stdout);
    }
}

#[test]
fn a_file_with_labels_on_the_threads_of_the_program() {
    let work = Workplace::new();
    let ran = work.run(
        "bench --threads 1 --problem logistic --design d.svm --iterations 4 --samples 1 --memory none --quiet \
         --estimator automatic,analytic --solver nesterov --tolerance 0.5",
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(!ran.stdout.contains("written"));
    let report = work.report("danskin-bench");
    let found: Vec<_> = estimators(&report).iter().map(|row| (&row["estimator"], &row["threads"])).collect();
    assert_eq!(found, [(&json!("analytic"), &json!(1)), (&json!("automatic"), &json!(1))]);
    assert!(estimators(&report).iter().all(|row| row["steps"].as_u64() < Some(4)));
    assert_eq!(report["designs"][0]["design"], "d.svm");
}

/// What there is not is in the report and said on stderr once, and everything else is measured.
#[test]
fn an_estimator_that_does_not_exist_is_listed() {
    let work = Workplace::new();
    let ran = work.run(
        "bench --problem ridge --design d.svm --iterations 1 --samples 1 --over-threads 1,2 --solver lbfgs --output out",
    );
    assert_eq!((ran.code, ran.stderr.lines().count()), (3, 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("automatic at t = 1 on d.svm: ") && ran.stdout.contains("not-unrolled"));
    let report = work.report("out");
    for row in estimators(&report) {
        let is_there = row["estimator"] != "automatic";
        assert_eq!((row["status"] != "not-unrolled", row.get("seconds").is_some()), (is_there, is_there), "{row}");
    }
    assert!(!ran.stdout.contains("* see the message"), "{}", ran.stdout);
}

#[test]
fn a_doubtful_gradient_has_a_note() {
    let work = Workplace::new();
    let ran = work.run(
        "bench --problem ridge --design d.svm --iterations 5 --samples 1 --threads 1 --estimator implicit \
         --linear-solver cg --linear-tolerance 1e-300",
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.contains("* see the message"), "{}", ran.stdout);
}

/// A process that cannot say what it found says why.
#[test]
fn a_failed_process_has_a_reason() {
    let work = Workplace::new();
    let task = r#"{"made":null,"threads":1,"work":{"Gradient":{"estimator":"analytic","iterations":2,"memory":null}},"reference":"no.npy"}"#;
    let ran = work.run(&format!("bench --design d.svm --task {task}"));
    // No input that stays open: the process may end before it finds out.
    assert!(ran.code == 130 || (ran.code == 2 && ran.stderr.contains("no.npy")), "{} {}", ran.code, ran.stderr);
}

#[cfg(target_os = "linux")]
mod interrupts {
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// The processes in `folder`.
    fn processes(folder: &Path) -> usize {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes.filter(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder)).count()
    }

    fn wait_until(what: &str, happens: impl Fn() -> bool) {
        let start = Instant::now();
        while !happens() {
            assert!(start.elapsed() < LONG, "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A measurement that never ends, and the one that waits for it.
    fn start(work: &Workplace, folder: &Path) -> Child {
        fs::create_dir(folder.join("tmp")).unwrap();
        let child = Command::new(assert_cmd::cargo::cargo_bin("danskin"))
            .current_dir(folder)
            .env("TMPDIR", work.path("tmp"))
            .args("bench --problem logistic --design d.svm --lambda 1 --iterations 1000000000".split(' '))
            .args("--estimator analytic --over-threads 1 --output out".split(' '))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until("a process for a measurement", || processes(folder) == 2);
        child
    }

    #[test]
    fn an_interrupt_leaves_neither_files_nor_processes() {
        let work = Workplace::new();
        let folder = work.dir.path().canonicalize().unwrap();
        let mut child = start(&work, &folder);
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(processes(&folder), 0);
        assert_eq!(names(&folder), ["d.svm", "tmp"]);
        assert!(names(&work.path("tmp")).is_empty());
    }

    #[test]
    fn a_process_ends_with_the_one_that_started_it() {
        let work = Workplace::new();
        let folder = work.dir.path().canonicalize().unwrap();
        let mut child = start(&work, &folder);
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until("the process is left", || processes(&folder) == 0);
    }
}

//! `danskin compare`, bare `danskin` and `danskin data` as programs.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

fn run(folder: &Path, arguments: &str) -> (i32, String, String) {
    let mut command = Command::cargo_bin("danskin").unwrap();
    // The cache of whoever runs the tests is none of theirs.
    command.current_dir(folder).env("DANSKIN_CACHE", folder.join("cache"));
    let output = command.args(arguments.split_whitespace()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
}

/// The main job: on the shipped text the log-slopes of g2 / t and of g3 over t in [200, 400] are twice that of g1, within
/// 5 %.
#[test]
fn the_main_job_shows_the_rates_of_theory() {
    let folder = TempDir::new().unwrap();
    let (code, stdout, stderr) = run(folder.path(), "");
    assert_eq!((code, stderr.as_str()), (0, ""));
    for word in ["--help", "shipped", "debian_small", "analytic", "automatic", "implicit", "effective kappa"] {
        assert!(stdout.contains(word), "{word} in {stdout}");
    }
    assert!(stdout.lines().all(|line| line.trim_end() == line), "{stdout}");

    let out = folder.path().join("danskin-compare");
    let report = report(&out);
    assert_eq!((&report["trajectory"][13]["iterations"], &report["fit_from"]), (&400.into(), &200.into()));
    for kind in ["automatic", "implicit"] {
        let ratio = report["rates"][kind]["ratio_to_analytic"].as_f64().unwrap();
        assert!((ratio / 2.0 - 1.0).abs() < 0.05, "{kind}: {ratio}");
    }
    assert_eq!(report["rates"]["automatic"]["fitted"], "ln(error / t)");
    let (effective, nominal) = (report["effective_kappa"].as_f64().unwrap(), report["nominal_kappa"].as_f64().unwrap());
    assert!((nominal - 0.99).abs() < 1e-6 && effective < nominal, "{effective} {nominal}");

    let csv = fs::read_to_string(out.join("report.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 14 * 3);
    assert!(csv.starts_with("iterations,estimator,status,error,seconds,passes,peak_bytes\n"));
    for name in ["iterations", "seconds", "passes"] {
        let svg = fs::read_to_string(out.join(format!("error-{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("implicit"));
    }
}

#[test]
fn ridge_has_no_factor_t_and_an_exact_g3() {
    let folder = TempDir::new().unwrap();
    let arguments =
        "compare --problem ridge --design digits --condition 50 --iterations 100,120,140,160,180,200 --output out";
    let (code, stdout, stderr) = run(folder.path(), arguments);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let report = report(&folder.path().join("out"));
    assert_eq!(report["rates"]["automatic"]["fitted"], "ln(error)");
    // g3 is at the floor everywhere: there is nothing to fit.
    assert_eq!(report["rates"]["implicit"], Value::Null);
    let error = report["trajectory"][0]["estimators"]["implicit"]["error"].as_f64().unwrap();
    let norm = report["reference"]["gradient_norm"].as_f64().unwrap();
    assert!(error < 1e-11 * norm, "{error:e} {norm:e}");
}

#[test]
fn a_failed_estimator_is_said_and_the_others_are_shown() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("wide.svm"), "1 1:1 2:1\n-1 3:3\n").unwrap();
    let (code, stdout, stderr) =
        run(folder.path(), "compare --problem ridge --design wide.svm --lambda 0 --iterations 2,4");
    assert_eq!((code, stderr.lines().count()), (3, 1), "{stderr}");
    assert!(stderr.contains("implicit at t = 2") && stdout.contains("singular"), "{stderr} {stdout}");
    let out = folder.path().join("danskin-compare");
    let report = report(&out);
    // n, and not the entries of the trajectory under the same name.
    assert_eq!(report["rows"], 2);
    let last = &report["trajectory"][1];
    assert_eq!(
        (&last["status"], &last["iterations"], &last["step"]),
        (&"steps-taken".into(), &4.into(), &report["step"])
    );
    let (automatic, implicit) = (&last["estimators"]["automatic"], &last["estimators"]["implicit"]);
    assert_eq!((&automatic["status"], automatic.get("message")), (&"ok".into(), None));
    // What was spent in vain is no cost of a gradient.
    assert_eq!((&implicit["status"], &implicit["cost"]), (&"singular".into(), &Value::Null));
    assert!(implicit["message"].as_str().unwrap().contains("rank"), "{implicit}");
    let csv = fs::read_to_string(out.join("report.csv")).unwrap();
    assert_eq!(csv.lines().last(), Some("4,implicit,singular,,,,"));
}

#[test]
fn a_failed_comparison_leaves_no_files_of_an_earlier_one() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("fine.svm"), "1 1:1 2:1\n-1 3:3\n").unwrap();
    fs::write(folder.path().join("huge.svm"), "1 1:1e200\n-2 2:1e160\n").unwrap();
    let compare = |design: &str| {
        run(
            folder.path(),
            &format!("compare --problem ridge --design {design} --lambda 1 --iterations 2,4,8 --output out"),
        )
    };
    assert_eq!(compare("fine.svm").0, 0);
    let out = folder.path().join("out");
    assert!(fs::read_dir(&out).unwrap().count() >= 3);
    fs::write(out.join("notes.txt"), "mine").unwrap();
    let (code, _, stderr) = compare("huge.svm");
    assert_eq!((code, stderr.lines().count()), (3, 1), "{stderr}");
    let left: Vec<_> = fs::read_dir(&out).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"]);
}

#[test]
fn a_choice_of_estimators_is_kept() {
    let folder = TempDir::new().unwrap();
    let arguments = "compare --problem logistic --design digits --positive 3 --condition 10 --iterations 5,1 \
                     --estimator implicit,analytic --output out --quiet";
    let (code, stdout, stderr) = run(folder.path(), arguments);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("implicit") && !stdout.contains("automatic"), "{stdout}");
    let rows = report(&folder.path().join("out"))["trajectory"].clone();
    assert_eq!(
        (&rows[0]["iterations"], &rows[1]["iterations"], rows.as_array().unwrap().len()),
        (&1.into(), &5.into(), 2)
    );
}

#[test]
fn a_budget_of_memory_and_the_last_steps() {
    let folder = TempDir::new().unwrap();
    let base = "compare --problem logistic --design digits --positive 3 --condition 10 --iterations 4,8,16,32 --quiet";
    let report = |flags: &str| {
        let (code, _, stderr) = run(folder.path(), &format!("{base} {flags} --output out"));
        assert_eq!((code, stderr.as_str()), (0, ""), "{flags}");
        report(&folder.path().join("out"))
    };
    let (whole, within, last) = (report(""), report("--memory 3KiB"), report("--last 2"));
    assert_eq!((&within["memory"], &last["last"]), (&3072.into(), &2.into()));
    assert_eq!(
        (&whole["rates"]["automatic"], &last["rates"]["automatic"]["theory"]),
        (&within["rates"]["automatic"], &Value::Null)
    );
    let measure = |report: &Value, k: usize, what: &str| {
        report["trajectory"][k]["estimators"]["automatic"].pointer(what).unwrap().clone()
    };
    for k in 0..4 {
        assert_eq!(measure(&whole, k, "/error"), measure(&within, k, "/error"));
        let passes = [&whole, &within, &last].map(|report| measure(report, k, "/cost/passes").as_u64().unwrap());
        assert!(passes[2] < passes[0] && passes[0] <= passes[1] && (k == 0 || passes[0] < passes[1]), "{passes:?}");
    }
    let (code, stdout, stderr) = run(folder.path(), &format!("{base} --memory 1023 --output refused"));
    assert_eq!((code, stdout.as_str(), stderr.lines().count()), (2, "", 1), "{stderr}");
    assert!(stderr.contains("1024 at the least") && !folder.path().join("refused").exists(), "{stderr}");
}

#[test]
fn bad_input_is_one_line_and_exit_code_2() {
    let folder = TempDir::new().unwrap();
    for (arguments, word) in [
        ("compare --iterations ten", "ten"),
        ("compare --iterations 1,,2", "--iterations"),
        ("compare --condition 1", "above 1"),
        ("compare --condition 10 --lambda 1", "--lambda"),
        ("compare --design digits", "--positive"),
        ("compare --design nowhere.svm", "nowhere.svm"),
    ] {
        let (code, stdout, stderr) = run(folder.path(), arguments);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (2, "", 1), "{arguments}: {stderr}");
        assert!(stderr.contains(word), "{arguments}: {stderr}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn data_sets_are_listed_and_described() {
    let folder = TempDir::new().unwrap();
    let (code, stdout, _) = run(folder.path(), "data list");
    assert_eq!(code, 0);
    for word in ["debian_small", "digits", "23777", "398951"] {
        assert!(stdout.contains(word), "{word} in {stdout}");
    }
    assert!(stdout.lines().all(|line| line.chars().count() <= 140), "{stdout}");
    assert!(run(folder.path(), "data show digits").1.contains("CC BY 4.0"));
    let (code, stdout, _) = run(folder.path(), "data show debian_small");
    assert_eq!(code, 0);
    for word in ["6000", "23777", "398951", "-1: 4887 rows", "1: 1113 rows"] {
        assert!(stdout.contains(word), "{word} in {stdout}");
    }
    fs::write(folder.path().join("d.svm"), "2 1:1 4:0\n3\n2 2:-5.5\n").unwrap();
    let (code, stdout, _) = run(folder.path(), "data show d.svm");
    assert_eq!(code, 0);
    for word in ["3 (1 empty)", "4 (2 empty)", "3 (sparse", "-5.5 to 1", "2: 2 rows", "3: 1 rows"] {
        assert!(stdout.contains(word), "{word} in {stdout}");
    }
    let (code, _, stderr) = run(folder.path(), "data show missing.svm");
    assert_eq!((code, stderr.lines().count()), (2, 1));
}

#[test]
fn help_and_version() {
    let folder = TempDir::new().unwrap();
    for arguments in ["--help", "gradient --help", "compare --help", "bench --help", "data --help", "--version"] {
        let (code, stdout, stderr) = run(folder.path(), arguments);
        assert_eq!((code, stderr.as_str()), (0, ""), "{arguments}");
        assert!(stdout.contains("danskin"), "{arguments}: {stdout}");
    }
}

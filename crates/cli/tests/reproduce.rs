//! `danskin reproduce`: its lines, its files, and what it refuses.

mod common;

use std::fs;

use common::{Workplace, names};
use danskin_reproduce::{ALL, Outcome, Report, Rule, Size, Verdict};
use serde_json::Value;

const SCHEMA: &str = include_str!("../../../docs/schemas/reproduce-report.json");

#[test]
fn every_file_is_there_and_is_what_it_should_be() {
    let work = Workplace::new();
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let ran = work.run("reproduce all --output out");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let mut known: Vec<_> = ALL.iter().map(|experiment| experiment.name().to_owned()).collect();
    known.sort();
    assert_eq!(names(&work.path("out")), known);
    let enumerated: Vec<_> = ALL.iter().map(|experiment| Value::from(experiment.name())).collect();
    assert_eq!(schema.pointer("/properties/experiment/enum").unwrap().as_array().unwrap(), &enumerated);
    let guide = include_str!("../../../docs/command-line.md");
    for experiment in ALL {
        let (name, folder) = (experiment.name(), format!("out/{}", experiment.name()));
        assert!(guide.contains(&format!("| `{name}` | {} |", experiment.about())), "{name}");
        let report = work.report(&folder);
        let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        let verdicts = report["verdicts"].as_array().unwrap();
        let lines = ran.stdout.lines().filter(|line| line.starts_with(&format!("{name}: pass: ")));
        assert_eq!(lines.count(), verdicts.len(), "{}", ran.stdout);
        let of = |key: &str| report[key].as_array().unwrap().iter().map(|file| file.as_str().unwrap().to_owned());
        let mut files: Vec<_> = of("tables")
            .chain(of("drawings"))
            .chain(of("pictures"))
            .chain(of("documents"))
            .chain(["report.json".to_owned()])
            .collect();
        files.sort();
        assert_eq!(names(&work.path(&folder)), files);
        for table in of("tables") {
            let text = fs::read_to_string(work.path(&folder).join(table)).unwrap();
            let width = text.lines().next().unwrap().split(',').count();
            assert!(text.lines().count() > 5 && text.lines().all(|line| line.split(',').count() == width), "{name}");
        }
        for drawing in of("drawings") {
            let text = fs::read_to_string(work.path(&folder).join(drawing)).unwrap();
            // Painted, so that it reads the same on light and dark pages; with its axes named and theory beside.
            assert!(text.contains("fill=\"#FFFFFF\"") && text.contains("iterations t"), "{name}");
            assert!(text.contains("theory"), "{name}");
        }
    }
}

/// Numbers that JSON has not are null, and the schema says so.
#[test]
fn verdicts_without_numbers_are_reported_as_failed() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for number in [f64::NAN, f64::INFINITY] {
        let verdicts = vec![
            Verdict::new("a slope", number, Rule::Within(0.1), -1.0),
            Verdict::new("an error", 1.0, Rule::AtMost, number),
        ];
        let outcome = Outcome { verdicts, ..Outcome::default() };
        let report = serde_json::to_value(Report::new(ALL[0], Size::Short, &outcome, 1.0)).unwrap();
        let errors = validator.iter_errors(&report);
        // There are no files here.
        let of_verdicts: Vec<_> = errors
            .filter(|error| error.instance_path().to_string().starts_with("/verdicts"))
            .map(|error| error.to_string())
            .collect();
        assert!(of_verdicts.is_empty(), "{of_verdicts:#?}");
        for (verdict, key) in [(0, "predicted"), (1, "found")] {
            let verdict = &report["verdicts"][verdict];
            assert!(verdict[key].is_null() && verdict["passed"] == false, "{verdict}");
        }
    }
}

#[test]
fn what_is_not_there_is_refused() {
    let work = Workplace::new();
    let list = work.run("reproduce --list");
    assert_eq!((list.code, list.stdout.lines().count()), (0, ALL.len()));
    for (arguments, said) in [
        ("reproduce", "no experiment named: give a name or `all`"),
        ("reproduce --list nothing", "no experiment nothing: expected all, ridge"),
        (
            "reproduce pnorm nothing",
            "no experiment nothing: expected all, ridge, logistic, jacobian, pnorm, burn-in, support, sgd, sinkhorn, outer, alternate, barycentre, game, guidelines",
        ),
    ] {
        let ran = work.run(arguments);
        assert_eq!((ran.code, ran.stderr.lines().count()), (2, 1), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        assert!(!work.path("danskin-reproduce").exists());
    }
    work.write("file", "");
    assert_eq!(work.run("reproduce pnorm --output file").code, 1);
}

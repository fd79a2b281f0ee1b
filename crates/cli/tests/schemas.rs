//! Every `report.json` is what `docs/schemas` says, field by field, and nothing else would do.

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::Workplace;
use danskin::prelude::{LossName, Targets, Wrt};
use danskin_bench::choice::{EstimatorKind, SolverKind};
use danskin_bench::measure::PassKind;
use jsonschema::Validator;
use serde_json::{Value, json};

const GRADIENT: &str = include_str!("../../../docs/schemas/gradient-report.json");
const COMPARE: &str = include_str!("../../../docs/schemas/compare-report.json");
const BENCH: &str = include_str!("../../../docs/schemas/bench-report.json");
const REPRODUCE: &str = include_str!("../../../docs/schemas/reproduce-report.json");

fn schema(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::meta::validate(schema).unwrap();
    jsonschema::draft202012::new(schema).unwrap()
}

fn workplace() -> Workplace {
    let work = Workplace::new();
    work.write("three.svm", "1 1:0.5 2:1 4:-0.3\n2 2:0.7 3:-1\n1 1:1 3:0.2\n3 4:1 2:-0.4\n2 1:-0.6 4:0.8\n1 3:1.5\n")
        .write("wide.svm", "1 1:1 2:1\n-1 3:3\n")
        .write("twice.svm", "1 1:1 2:1\n2 1:2 2:2\n3 1:1 2:1 3:1\n4 3:2\n")
        .write("apart.svm", "1 1:1 2:1\n1 1:2 2:-1\n-1 1:-1 2:2\n-1 1:-2 2:-1\n")
        .write("huge.svm", "1 1:1e200\n-2 2:1e160\n")
        .write("tiny.svm", "1 1:1e-200\n2 1:1e-170\n")
        .write("small.svm", "1 1:1e-2\n-2 2:1e-2\n")
        .write("weights.txt", "1 2 0.5 1 0 3")
        .write("groups.txt", "0 1 0 2")
        .write("zero_one.txt", "0 1")
        .write("classes.txt", "1 0 0 1 1 0")
        .write("far.txt", "1e160 -1e160 1e160")
        .write("farther.txt", "1.7e308 -1.7e308")
        .write("near.txt", "1e-322 -1e-322 1e-322");
    work
}

/// The report of a run, after it was found to be what `validator` accepts.
fn report(work: &Workplace, validator: &Validator, arguments: &str, code: i32) -> Value {
    let _ = fs::remove_dir_all(work.path("out"));
    let ran = work.run(&format!("{arguments} --output out"));
    assert_eq!(ran.code, code, "{arguments}: {}", ran.stderr);
    let text = fs::read_to_string(work.path("out/report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    // A field that is there twice is kept once.
    let lines = serde_json::to_string_pretty(&report).unwrap().lines().count();
    assert_eq!(text.lines().count(), lines, "{arguments}: {text}");
    let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{arguments}: {errors:#?}\n{text}");
    report
}

/// Arguments, exit code, and a place in the report that shows what the case is there for.
type Case = (&'static str, i32, &'static str, Value);

fn check(command: &str, schema: &Value, cases: &[Case]) {
    let (work, validator) = (workplace(), validator(schema));
    for (arguments, code, pointer, expected) in cases {
        let report = report(&work, &validator, &format!("{command} {arguments}"), *code);
        assert_eq!(report.pointer(pointer), Some(expected), "{arguments}: {pointer}");
    }
}

#[test]
fn every_problem_parameter_and_solver() {
    let (work, gradient, compare) = (workplace(), validator(&schema(GRADIENT)), validator(&schema(COMPARE)));
    let flags = "--design three.svm --lambda 0.2";
    for loss in LossName::all() {
        let positive = if loss.targets() == Targets::Signed { "--positive 1" } else { "" };
        for wrt in Wrt::ALL.map(Wrt::name) {
            let flags = format!("--problem {loss} {positive} --wrt {wrt} {flags}");
            report(&work, &gradient, &format!("gradient {flags} --iterations 3"), 0);
            report(&work, &compare, &format!("compare {flags} --iterations 1,2,4,8"), 0);
        }
    }
    for &solver in SolverKind::ALL {
        let estimators = if solver.is_unrolled() { "all" } else { "analytic,implicit" };
        let flags = format!("--problem ridge {flags} --solver {solver} --estimator {estimators}");
        for iterations in [0, 5, 500] {
            report(&work, &gradient, &format!("gradient {flags} --iterations {iterations}"), 0);
        }
        report(&work, &compare, &format!("compare {flags} --iterations 0,2,4,8,500"), 0);
    }
}

#[test]
fn every_end_of_auto() {
    let shipped = "--design digits --problem logistic --positive 3 --condition 1000 --estimator auto";
    let (work, gradient) = (workplace(), validator(&schema(GRADIENT)));
    for (flags, code, status) in [
        ("--relative-gradient-tolerance 1e-3", 0, "met"),
        ("--gradient-tolerance 1e-5 --solver nesterov --memory 1MiB", 0, "met"),
        ("--relative-gradient-tolerance 1e-15", 3, "floor-reached"),
        ("--relative-gradient-tolerance 1e-3 --iterations 3", 3, "not-localised"),
        ("--relative-gradient-tolerance 1e-9 --iterations 12", 3, "budget-exhausted"),
    ] {
        let report = report(&work, &gradient, &format!("gradient {shipped} {flags}"), code);
        assert_eq!(report["status"], status, "{flags}: {report:#}");
    }
    for &solver in SolverKind::ALL {
        let flags =
            "--problem ridge --design three.svm --lambda 0.2 --estimator auto --relative-gradient-tolerance 1e-6";
        let report = report(&work, &gradient, &format!("gradient {flags} --solver {solver}"), 0);
        assert_eq!((&report["solver"], &report["status"]), (&json!(solver.name()), &json!("met")));
    }
    // No strong convexity: nothing is proved, and one Newton step lowers the gradient too little to estimate by.
    let flags =
        "--problem poisson --design three.svm --lambda 0 --estimator auto --gradient-tolerance 1e-9 --iterations 0";
    let none = report(&work, &gradient, &format!("gradient {flags}"), 3);
    assert_eq!(none.pointer("/estimators/auto/certificate/basis"), Some(&json!("none")), "{none:#}");
    // A solve that cannot begin.
    let flags = "--problem ridge --design huge.svm --lambda 1 --estimator auto --gradient-tolerance 1 --solver gd";
    let failed = report(&work, &gradient, &format!("gradient {flags}"), 3);
    assert_eq!(failed["status"], "infinite-smoothness");
}

#[test]
fn whatever_auto_tries_is_said() {
    let (work, gradient) = (workplace(), validator(&schema(GRADIENT)));
    let made = work.run("data make zipf --rows 3000 --columns 1500 --per-row 15 --task logistic --output d.npz");
    assert_eq!(made.code, 0, "{}", made.stderr);
    for (data, method, preconditioner, tried) in [
        ("--design digits --problem multinomial", "dense", Value::Null, json!("cg over jacobi")),
        ("--design d.npz --targets d.targets.npy --problem logistic", "cg", json!("jacobi"), json!("cg")),
        ("--design debian_small --problem logistic", "cg", Value::Null, json!("cg over jacobi")),
    ] {
        let flags = "--condition 10000 --iterations 3 --estimator implicit --linear-tolerance 1e-10";
        let report = report(&work, &gradient, &format!("gradient {data} {flags}"), 0);
        let linear = report.pointer("/estimators/implicit/linear").unwrap();
        let of = |pointer: &str| linear.pointer(pointer).cloned().unwrap_or(Value::Null);
        let found = (of("/method"), of("/preconditioner"), of("/tried/0/method"));
        assert_eq!(found, (json!(method), preconditioner, tried), "{data}");
    }
}

#[test]
fn every_end_of_a_gradient() {
    check(
        "gradient --problem ridge --lambda 1",
        &schema(GRADIENT),
        &[
            ("--design d.svm --iterations 5", 0, "/status", json!("steps-taken")),
            ("--design d.svm --iterations 5000 --tolerance 1e-6", 0, "/status", json!("converged")),
            ("--design d.svm --iterations 2 --tolerance 1e-6", 0, "/status", json!("iteration-cap")),
            ("--design d.svm --iterations 5000 --solver backtracking", 0, "/status", json!("stalled")),
            ("--design d.svm --iterations 0 --solver backtracking", 0, "/step", Value::Null),
            ("--design d.svm --iterations 5 --mode forward", 0, "/estimators/automatic/status", json!("ok")),
            ("--design d.svm --iterations 5 --memory 64MiB", 0, "/memory", json!(64 << 20)),
            ("--design d.svm --iterations 5 --last 3", 0, "/last", json!(3)),
            ("--design d.svm --iterations 5 --values f32", 0, "/rounding/effect/norm", json!(0.0)),
            ("--design three.svm --iterations 5 --values f32", 0, "/rounding/changed_values", json!(6)),
            (
                "--design d.svm --iterations 5 --estimator implicit",
                0,
                "/estimators/implicit/linear/method",
                json!("dense"),
            ),
            ("--design d.svm --iterations 5 --targets far.txt", 0, "/value", Value::Null),
            ("--design small.svm --iterations 5 --targets farther.txt", 0, "/estimators/analytic/norm", Value::Null),
            ("--design huge.svm --iterations 5", 3, "/status", json!("infinite-smoothness")),
            (
                "--design huge.svm --iterations 5 --estimator analytic",
                3,
                "/estimators",
                json!({ "analytic": { "status": "infinite-smoothness", "norm": null, "cost": null } }),
            ),
            (
                "--design d.svm --iterations 5 --linear-solver cg --linear-tolerance 1e-300",
                0,
                "/estimators/implicit/status",
                json!("inexact"),
            ),
        ],
    );
    check(
        "gradient",
        &schema(GRADIENT),
        &[
            (
                "--problem ridge --lambda 0 --design wide.svm --iterations 5",
                3,
                "/estimators/implicit/status",
                json!("singular"),
            ),
            (
                "--problem ridge --lambda 0 --design twice.svm --iterations 5 --linear-solver cg",
                0,
                "/estimators/implicit/status",
                json!("unverified"),
            ),
            (
                "--problem logistic --lambda 0 --design apart.svm --iterations 50",
                3,
                "/estimators/implicit/status",
                json!("unbounded"),
            ),
            (
                "--problem ridge --lambda 0 --design tiny.svm --iterations 5 --solver newton --estimator implicit",
                3,
                "/estimators/implicit/status",
                json!("singular"),
            ),
            (
                "--problem ridge --lambda 1 --design huge.svm --iterations 5 --solver lbfgs --estimator implicit",
                3,
                "/estimators/implicit/status",
                json!("not-finite"),
            ),
            (
                "--problem pnorm:4 --lambda 0 --design d.svm --iterations 50 --step 1000",
                3,
                "/estimators/implicit/status",
                json!("diverged"),
            ),
            (
                "--problem pnorm:4 --lambda 0 --design d.svm --iterations 50 --step 1000 --values f32",
                3,
                "/rounding/effect",
                Value::Null,
            ),
            (
                "--problem ridge --lambda 0 --design wide.svm --iterations 5 --estimator analytic --values f32",
                0,
                "/rounding/effect/status",
                json!("singular"),
            ),
            (
                "--problem logistic --condition 10 --design digits --positive 3 --iterations 2 --penalty elastic:0.5,0.1",
                0,
                "/rows",
                json!(1797),
            ),
            (
                "--problem multinomial --lambda 1 --design three.svm --iterations 2 --weights weights.txt --groups groups.txt",
                0,
                "/classes",
                json!([1.0, 2.0, 3.0]),
            ),
            (
                "--problem ridge --design d.svm --iterations 2 --groups zero_one.txt --lambdas zero_one.txt",
                0,
                "/lambdas",
                json!("zero_one.txt"),
            ),
        ],
    );
}

#[test]
fn every_end_of_a_comparison() {
    check(
        "compare --problem ridge --lambda 1",
        &schema(COMPARE),
        &[
            ("--design d.svm --iterations 4,8,12,16", 0, "/rates/automatic/fitted", json!("ln(error)")),
            ("--design d.svm --iterations 5 --solver nesterov --restart", 0, "/nominal_kappa", Value::Null),
            ("--design d.svm --iterations 5 --solver backtracking", 0, "/step", Value::Null),
            ("--design d.svm --iterations 5 --estimator analytic", 0, "/rates", json!({})),
            ("--design d.svm --iterations 2,4,8,16 --memory 64", 0, "/memory", json!(64)),
            ("--design d.svm --iterations 4,8,12,16 --last 1", 0, "/rates/automatic/theory", Value::Null),
            ("--design d.svm --iterations 5,5000 --tolerance 1e-6", 0, "/trajectory/1/status", json!("converged")),
            (
                "--design d.svm --iterations 5 --linear-solver cg --linear-tolerance 1e-300",
                0,
                "/trajectory/0/estimators/implicit/status",
                json!("inexact"),
            ),
        ],
    );
    check(
        "compare",
        &schema(COMPARE),
        &[
            // Errors of a few units of the smallest number: over t they vanish, and they do not decay.
            (
                "--problem ridge --penalty elastic:0,1 --lambda 1 --design d.svm --iterations 2,3,4,5,6,7,8 --targets near.txt",
                0,
                "/rates/automatic/slope",
                Value::Null,
            ),
            (
                "--problem huber:0.8 --lambda 1 --design d.svm --iterations 20,22,24,26,28,30 --targets near.txt",
                0,
                "/rates/analytic/ratio_to_analytic",
                Value::Null,
            ),
            (
                "--problem multinomial --wrt weights --lambda 1 --design d.svm --iterations 1,2 --targets classes.txt",
                0,
                "/trajectory/1/status",
                json!("steps-taken"),
            ),
            (
                "--problem ridge --lambda 0 --design wide.svm --iterations 2,4",
                3,
                "/trajectory/1/estimators/implicit/cost",
                Value::Null,
            ),
            (
                "--problem ridge --lambda 0 --design wide.svm --iterations 2,4",
                3,
                "/reference/estimator",
                json!("analytic"),
            ),
            (
                "--problem pnorm:4 --lambda 0.1 --design d.svm --iterations 1,50 --step 1000",
                3,
                "/trajectory/1/grad_z_norm",
                Value::Null,
            ),
        ],
    );
}

#[test]
fn every_end_of_a_measurement() {
    check(
        "bench --samples 1 --over-threads 1",
        &schema(BENCH),
        &[
            (
                "--entries 100 --iterations 0,3",
                0,
                "/designs/0/design",
                json!("zipf --rows 2 --columns 50 --per-row 50"),
            ),
            (
                "--problem poisson --entries 100 --iterations 1",
                0,
                "/designs/0/design",
                json!("zipf --rows 2 --columns 50 --per-row 50 --task counts"),
            ),
            // A tape that holds nothing has a share of nothing.
            ("--problem ridge --design d.svm --iterations 5", 0, "/designs/0/estimators/2/memory", json!(0)),
            (
                "--problem multinomial --design three.svm --iterations 2 --memory 1MiB --wrt design",
                0,
                "/designs/0/storage/value_bytes",
                json!(8),
            ),
            (
                "--problem ridge --design d.svm --iterations 5 --linear-solver cg --linear-tolerance 1e-300",
                0,
                "/designs/0/estimators/3/status",
                json!("inexact"),
            ),
            (
                "--problem ridge --design wide.svm --lambda 0 --iterations 2",
                3,
                "/designs/0/reference/estimator",
                json!("analytic"),
            ),
            (
                "--problem pnorm:4 --lambda 0.1 --design d.svm --iterations 50 --step 1000 --memory none",
                3,
                "/designs/0/estimators/1/status",
                json!("diverged"),
            ),
            (
                "--problem ridge --design d.svm --iterations 5 --solver lbfgs",
                3,
                "/designs/0/estimators/1/status",
                json!("not-unrolled"),
            ),
        ],
    );
}

#[test]
fn bad_input_leaves_no_report() {
    let work = workplace();
    for command in ["gradient --iterations 5", "compare --iterations 5"] {
        for lambda in ["-1", "nan", "inf", "1e999"] {
            let ran = work.run(&format!("{command} --problem ridge --design d.svm --lambda {lambda} --output out"));
            assert_eq!((ran.code, ran.stderr.lines().count()), (2, 1), "{lambda}: {}", ran.stderr);
            assert!(!work.path("out").exists());
        }
    }
}

/// The pointers of all that `value` holds.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (format!("{at}/{name}"), field)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(k, item)| (format!("{at}/{k}"), item)).collect(),
        _ => Vec::new(),
    };
    for (place, child) in children {
        places(child, &place, found);
        found.push(place);
    }
}

#[test]
fn a_field_removed_misspelt_or_of_another_type_is_refused() {
    let (work, gradient, compare) = (workplace(), validator(&schema(GRADIENT)), validator(&schema(COMPARE)));
    let bench = validator(&schema(BENCH));
    for (validator, arguments, code) in [
        (
            &bench,
            "bench --problem ridge --lambda 0 --design wide.svm --iterations 2 --samples 1 --over-threads 1 --memory none",
            3,
        ),
        (
            &bench,
            "bench --problem multinomial --design three.svm --iterations 2 --samples 1 --over-threads 1 --memory 1MiB",
            0,
        ),
        (&gradient, "gradient --problem multinomial --lambda 1 --design three.svm --iterations 2", 0),
        (&gradient, "gradient --problem ridge --lambda 0 --design wide.svm --iterations 2", 3),
        (&gradient, "gradient --problem ridge --lambda 0 --design twice.svm --iterations 5 --linear-solver cg", 0),
        (&gradient, "gradient --problem ridge --lambda 1 --design huge.svm --iterations 2", 3),
        (&compare, "compare --problem logistic --lambda 1 --design d.svm --iterations 2,4,8,16", 0),
        (&compare, "compare --problem ridge --lambda 0 --design wide.svm --iterations 2,4", 3),
    ] {
        let right = report(&work, validator, arguments, code);
        let refused = |change: &str, place: &str, wrong: &Value| {
            assert!(!validator.is_valid(wrong), "{arguments}: {place} {change} passes");
        };
        let mut found = Vec::new();
        places(&right, "", &mut found);
        for place in found {
            let mut wrong = right.clone();
            *wrong.pointer_mut(&place).unwrap() = json!([true]);
            refused("of another type", &place, &wrong);
            let old = right.pointer(&place).unwrap();
            if old.is_u64() || place.ends_with("status") {
                *wrong.pointer_mut(&place).unwrap() = if old.is_u64() { json!(0.5) } else { json!("okay") };
                refused("of another value", &place, &wrong);
            }
            let (above, name) = place.rsplit_once('/').unwrap();
            let mut wrong = right.clone();
            let Some(fields) = wrong.pointer_mut(above).unwrap().as_object_mut() else { continue };
            let field = fields.remove(name).unwrap();
            // Classes are of one problem; estimators and rates those that were asked for, or could be had.
            if name != "classes" && !above.ends_with("estimators") && !above.ends_with("rates") {
                refused("removed", &place, &wrong);
            }
            let fields = wrong.pointer_mut(above).unwrap().as_object_mut().unwrap();
            fields.insert(format!("{name}s"), field);
            refused("misspelt", &place, &wrong);
        }
    }
}

#[test]
fn numbers_and_statuses_go_together() {
    let (work, gradient) = (workplace(), validator(&schema(GRADIENT)));
    let right = report(&work, &gradient, "gradient --problem ridge --lambda 1 --design d.svm --iterations 2", 0);
    for (place, value) in [
        ("/status", json!("diverged")),
        ("/grad_z_norm", Value::Null),
        ("/schema", json!(2)),
        ("/step", json!(0)),
        ("/memory", json!(0)),
        ("/last", json!(0)),
        ("/problem", json!("pnorm:")),
        ("/estimators/implicit/status", json!("inexact")),
        ("/estimators/analytic/status", json!("singular")),
        ("/estimators/automatic/linear", json!(right["estimators"]["implicit"]["linear"])),
        ("/classes", json!([1.0, 2.0])),
    ] {
        let mut wrong = right.clone();
        let (above, name) = place.rsplit_once('/').unwrap();
        wrong.pointer_mut(above).unwrap()[name] = value;
        assert!(!gradient.is_valid(&wrong), "{place}: {wrong:#}");
    }
}

/// The strings in the function `name` of a source file: errors cannot be enumerated, their names can be read.
fn names_in(source: &str) -> BTreeSet<&str> {
    let body = source.split("pub fn name(").nth(1).and_then(|rest| rest.split("\n    }\n").next()).unwrap();
    body.split('"').skip(1).step_by(2).collect()
}

fn enumerated<'a>(schema: &'a Value, pointer: &str) -> BTreeSet<&'a str> {
    schema.pointer(pointer).unwrap().as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn every_name_is_in_its_enum_and_no_other() {
    let (gradient, compare, bench) = (schema(GRADIENT), schema(COMPARE), schema(BENCH));
    // An interrupted run leaves no report, bad input has exit code 2 and none either.
    for (source, unreported, pointer) in [
        (include_str!("../../core/src/solve/stop.rs"), &["interrupted"][..], "/$defs/status/enum"),
        (include_str!("../../core/src/estimator/mod.rs"), &["interrupted"], "/$defs/missing_status/enum"),
        (include_str!("../../core/src/linear.rs"), &["interrupted"], "/$defs/linear/properties/status/enum"),
        (
            include_str!("../../core/src/solver/error.rs"),
            &["invalid-vector", "invalid-setting", "too-many-rows"],
            "/$defs/failure_status/enum",
        ),
    ] {
        let mut names = names_in(source);
        for name in unreported {
            assert!(names.remove(name), "{name} for {pointer}");
        }
        assert_eq!(enumerated(&gradient, pointer), names, "{pointer}");
    }
    let passes = PassKind::ALL.iter().map(|pass| pass.name()).collect();
    assert_eq!(enumerated(&bench, "/$defs/pass/properties/pass/enum"), passes);
    let solvers = SolverKind::ALL.iter().map(|solver| solver.name()).collect();
    assert_eq!(enumerated(&gradient, "/$defs/solver/enum"), solvers);
    for place in ["adaptive", "failure"] {
        let mut named = enumerated(&gradient, &format!("/$defs/{place}/properties/solver/enum"));
        assert!(named.remove("auto") && named == solvers, "{place}");
    }
    assert_eq!(enumerated(&gradient, "/$defs/wrt/enum"), Wrt::ALL.map(Wrt::name).into());
    let estimators: BTreeSet<_> = EstimatorKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(enumerated(&bench, "/$defs/estimator/properties/estimator/enum"), estimators);
    for (schema, pointer) in [
        (&gradient, "/$defs/run/properties/estimators/properties"),
        (&gradient, "/$defs/failure/properties/estimators/properties"),
        (&compare, "/$defs/stop/properties/estimators/properties"),
        (&compare, "/properties/rates/properties"),
    ] {
        let fields = schema.pointer(pointer).unwrap().as_object().unwrap();
        // What auto chooses is a run of its own, that may fail as others do.
        let names = fields.keys().map(String::as_str).filter(|name| *name != "auto");
        assert_eq!(names.collect::<BTreeSet<_>>(), estimators, "{pointer}");
    }
}

#[test]
fn what_several_reports_hold_means_the_same() {
    let (gradient, compare, bench) = (schema(GRADIENT), schema(COMPARE), schema(BENCH));
    for (one, another) in [(&compare, &gradient), (&bench, &gradient), (&bench, &compare)] {
        for (name, definition) in one["$defs"].as_object().unwrap() {
            // An estimate has a norm in one, an error in the other.
            let differs = name.starts_with("found") || name == "missing";
            if let Some(other) = another["$defs"].get(name).filter(|_| !differs) {
                assert_eq!(definition, other, "{name}");
            }
        }
    }
    assert_eq!(bench["$defs"]["reference"], compare["properties"]["reference"]);
}

#[test]
fn every_field_is_described() {
    for (schema, least) in [(schema(GRADIENT), 41), (schema(COMPARE), 41), (schema(BENCH), 41), (schema(REPRODUCE), 15)]
    {
        let mut found = Vec::new();
        places(&schema, "", &mut found);
        let fields = found.iter().filter(|place| {
            place.rsplit_once('/').is_some_and(|(above, _)| above.ends_with("/properties") && !above.contains("/then/"))
        });
        let mut count = 0;
        for place in fields.filter(|place| !place.contains("/if/") && !place.contains("/else/")) {
            let mut definition = schema.pointer(place).unwrap();
            if let (None, Some(target)) = (definition.get("description"), definition["$ref"].as_str()) {
                definition = schema.pointer(target.trim_start_matches('#')).unwrap();
            }
            let constant = definition.get("const").is_some() || definition["type"] == "null";
            assert!(constant || definition["description"].is_string(), "{place}");
            count += 1;
        }
        assert!(count >= least, "{count}");
    }
}

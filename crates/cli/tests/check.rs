//! `danskin check`: every product, rule and estimator on shipped data, and what it says where there is nothing to compare.

mod common;

use common::Workplace;

#[test]
fn shipped_data_pass() {
    let work = Workplace::new();
    for flags in [
        "ridge --design digits",
        "huber:1 --design digits --wrt weights",
        "multinomial --design digits --wrt regularisation",
        "poisson --design digits --penalty elastic:0.5,0.1 --lambda 1e5",
        "logistic --design debian_small --wrt design",
        "squared-hinge --design debian_small",
    ] {
        let ran = work.run(&format!("check --problem {flags}"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{flags}: {}", ran.stdout);
        for line in ["products", "rule of gd", "rule of nesterov", "rule of heavy-ball", "estimators"] {
            assert!(ran.stdout.lines().any(|l| l.starts_with(line) && l.ends_with("ok")), "{flags}: {}", ran.stdout);
        }
    }
}

#[test]
fn what_fails_is_named() {
    let work = Workplace::new();
    // Finite differences are not exact.
    let ran = work.run("check --problem logistic --design d.svm --lambda 1 --allowed 0");
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("products: grad_z: finite difference of value"), "{}", ran.stderr);
    assert!(ran.stdout.contains("products            FAILED"), "{}", ran.stdout);
    // Separable labels without a penalty.
    let ran = work.run("check --problem logistic --design d.svm --lambda 0");
    assert_eq!((ran.code, ran.stderr.lines().count()), (3, 1), "{}", ran.stderr);
    assert!(ran.stderr.contains("estimators: L falls for ever"), "{}", ran.stderr);
    assert_eq!(work.run("check --problem logistic --design missing.svm").code, 2);
}

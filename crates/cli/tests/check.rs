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
        // At z = 0 every row is on a kink.
        "huber:1 --design debian_small",
        // A penalty that bends within a width far below the size of z.
        "ridge --design digits --penalty elastic:1,1e-3 --lambda 1e3",
        // log lambda is 1e-6, and its size says nothing.
        "logistic --design debian_small --wrt regularisation --lambda 1.000001",
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
    assert_eq!(work.run("check --problem logistic --design missing.svm").code, 2);
}

#[test]
fn what_cannot_be_compared_is_skipped() {
    let work = Workplace::new();
    for (flags, reason) in [
        // Separable labels without a penalty.
        ("logistic --design d.svm --lambda 0", "L falls for ever"),
        // Second derivatives times gradients overflow.
        ("ridge --design digits --lambda 1e200", "of the gradient is NaN"),
        ("pnorm:2.5 --design digits --lambda 1e-200", "L_zz has a condition number"),
    ] {
        let ran = work.run(&format!("check --problem {flags}"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{flags}: {}", ran.stdout);
        let line = ran.stdout.lines().find(|line| line.starts_with("estimators"));
        let skipped = line.is_some_and(|line| line.contains("skipped: ") && line.contains(reason));
        assert!(skipped, "{flags}: {}", ran.stdout);
    }
}

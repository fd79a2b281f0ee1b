//! `danskin data make` as a program: files that the other commands read, targets that lead back to the planted z, and
//! nothing left where it did not end well.

mod common;

use std::fs;

use common::{Workplace, apart, names};
use danskin_data::{ReadOptions, read};

#[test]
fn files_are_made_and_the_command_that_is_shown_uses_them() {
    let work = Workplace::new();
    for (kind, file, task) in [
        ("zipf --per-row 5", "d.npz", "logistic"),
        ("banded:7 --per-row 5", "d.e.npz", "regression"),
        ("ragged --per-row 5", "d-1.NPZ", "counts"),
        ("binary --density 0.1", "b.npz", "logistic"),
        ("gaussian", "g.npy", "counts"),
        ("gaussian --per-row 2", "g.npz", "regression"),
        ("low-rank:3", "l.npy", "regression"),
    ] {
        let ran = work.run(&format!("data make {kind} --rows 60 --columns 20 --task {task} --output {file}"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{kind}");
        let stem = &file[..file.len() - 4];
        let lines: Vec<_> = ran.stdout.lines().collect();
        let [design, targets, planted, command] = lines[..] else { panic!("{lines:?}") };
        assert!(design.starts_with(&format!("{file}: 60 x 20, ")), "{design}");
        assert!(targets.starts_with(&format!("{stem}.targets.npy: ")), "{targets}");
        assert_eq!(planted, format!("{stem}.z.npy: the planted z"));
        assert_eq!(work.vector(&format!("{stem}.targets.npy")).len(), 60);
        assert_eq!(work.vector(&format!("{stem}.z.npy")).len(), 20);
        let ran = work.run(&command.replacen("danskin ", "", 1));
        assert_eq!(ran.code, 0, "{command}: {}", ran.stderr);
        assert_eq!(work.report("out")["rows"], 60, "{command}");
    }
}

/// 2000 rows determine 20 numbers: D^T D is about 100 I, so noise of 0.01 moves a number by about 0.001.
#[test]
fn the_planted_latent_is_found_again() {
    let work = Workplace::new();
    for (kind, file) in [("gaussian", "d.npy"), ("zipf --per-row 10", "d.npz"), ("binary --per-row 10", "b.npz")] {
        let make = format!("data make {kind} --rows 2000 --columns 20 --task regression --noise 0.01 --seed 3");
        assert_eq!(work.run(&format!("{make} --output {file}")).code, 0);
        let stem = &file[..1];
        let solve = "gradient --problem ridge --lambda 1e-9 --iterations 100 --solver newton --estimator analytic";
        let ran = work.run(&format!("{solve} --design {file} --targets {stem}.targets.npy --output out"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{kind}");
        let (z, planted) = (work.vector("out/z.npy"), work.vector(&format!("{stem}.z.npy")));
        // Six standard deviations.
        assert!(apart(&z, &planted) < 0.006, "{kind}: {}", apart(&z, &planted));
    }
}

#[test]
fn a_seed_stands_for_bytes() {
    let work = Workplace::new();
    let make = "data make zipf --rows 300 --columns 50 --per-row 4 --quiet";
    for (file, flags) in [("a.npz", ""), ("b.npz", "--threads 1"), ("c.npz", "--seed 1"), ("e.npz", "--task counts")] {
        assert_eq!(work.run(&format!("{make} {flags} --output {file}")).code, 0);
    }
    let bytes = |name: &str| fs::read(work.path(name)).unwrap();
    for ending in ["npz", "targets.npy", "z.npy"] {
        assert!(bytes(&format!("a.{ending}")) == bytes(&format!("b.{ending}")), "{ending}");
        assert!(bytes(&format!("a.{ending}")) != bytes(&format!("c.{ending}")), "{ending}");
    }
    // Another task has other targets on the same design; files of these names are replaced.
    assert!(bytes("a.npz") == bytes("e.npz") && bytes("a.targets.npy") != bytes("e.targets.npy"));
    assert_eq!(work.run(&format!("{make} --seed 1 --output a.npz")).code, 0);
    assert!(bytes("a.npz") == bytes("c.npz"));
    let design = read(&work.path("a.npz"), &ReadOptions::default()).unwrap().design;
    assert_eq!((design.rows(), design.columns(), design.entries()), (300, 50, 1200));
}

/// What cannot be written is said before any work, and takes nothing along.
#[test]
fn outputs_that_cannot_be_written() {
    let work = Workplace::new();
    let ran = work.run("data make gaussian --rows 5 --columns 2 --output missing/d.npy");
    assert_eq!((ran.code, ran.stderr.lines().count(), ran.stdout.as_str()), (1, 1, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("missing/d.npy"), "{}", ran.stderr);
    assert_eq!(names(work.dir.path()), ["d.svm"]);
}

/// An interrupt ends at the next few rows, and leaves neither the files nor their beginnings; those of a run before
/// stay.
#[cfg(unix)]
#[test]
fn an_interrupt_leaves_nothing() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let work = Workplace::new();
    work.write("d.z.npy", "as it was");
    let before = names(work.dir.path());
    for signal in ["-INT", "-TERM"] {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("danskin"))
            .current_dir(work.dir.path())
            .args("data make zipf --rows 1000000000 --columns 100 --per-row 5 --output d.npz".split(' '))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while names(work.dir.path()).len() < before.len() + 3 {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(50));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(names(work.dir.path()), before);
        assert_eq!(fs::read(work.path("d.z.npy")).unwrap(), b"as it was");
    }
}

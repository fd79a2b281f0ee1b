//! `danskin data fetch`, and what finds a fetched file by its name.

mod common;
#[path = "../../data/tests/common/server.rs"]
mod server;

use std::fs;

use assert_cmd::Command;
use common::{SVM, Workplace, names};
use danskin_data::Checksum;
use server::{Reply, Server};

const GRADIENT: &str = "gradient --problem ridge --lambda 1 --iterations 3 --output out --design";

#[test]
fn a_fetched_file_is_found_by_its_name() {
    let work = Workplace::new();
    let server = Server::new(vec![Reply::good(SVM.as_bytes()), Reply::good(b"5 6 7")]);
    let missing = work.run(&format!("{GRADIENT} set.svm"));
    assert_eq!((missing.code, missing.stderr.lines().count()), (2, 1));
    let sha256 = Checksum::of_bytes(SVM.as_bytes());
    let fetch = format!("data fetch {} --sha256 {sha256}", server.url("set.svm"));
    let ran = work.run(&fetch);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let path = work.path("cache/set.svm");
    assert_eq!(ran.stdout, format!("{}: {} bytes\nsha256 {sha256}\n", path.display(), SVM.len()));
    assert!(work.run(&fetch).stdout.contains("there already"));
    assert_eq!(work.run(&format!("data fetch {}", server.url("x.txt"))).code, 0);
    assert_eq!(server.ranges().len(), 2);
    assert_eq!(names(&work.path("cache")), ["set.svm", "x.txt"]);

    let ran = work.run(&format!("{GRADIENT} set.svm --targets x.txt"));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(work.report("out")["rows"], 3);
    assert_eq!(work.run("data show set.svm").code, 0);
    // A file here comes first.
    work.write("set.svm", "1 1:1\n");
    assert_eq!(work.run(&format!("{GRADIENT} set.svm")).code, 0);
    assert_eq!(work.report("out")["rows"], 1);
}

#[test]
fn a_registered_set_is_fetched_and_found_by_its_own_name() {
    let work = Workplace::new();
    let csv = b"1,2,1\n0,3,-1\n1,0,1\n";
    let server = Server::new(vec![Reply::good(csv)]);
    let (url, sha256) = (server.url("v2/table.csv"), Checksum::of_bytes(csv));
    fs::create_dir(work.path("cache")).unwrap();
    let registry = format!(r#"[{{"name": "three", "url": "{url}", "sha256": "{sha256}", "label_column": "last"}}]"#);
    work.write("cache/registry.json", &registry);
    assert!(work.run("data list").stdout.contains("(not fetched)"));
    let early = work.run(&format!("{GRADIENT} three"));
    assert_eq!((early.code, early.stderr.lines().count()), (2, 1));
    assert!(
        early.stderr.contains("three is registered, but not there yet: danskin data fetch three"),
        "{}",
        early.stderr
    );

    let ran = work.run("data fetch three");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(work.run("data list").stdout.contains("(fetched)"));
    assert_eq!(work.run(&format!("{GRADIENT} three")).code, 0);
    let report = work.report("out");
    assert_eq!((&report["design"], &report["rows"], &report["columns"]), (&"three".into(), &3.into(), &2.into()));
    for (arguments, word) in [
        (format!("{GRADIENT} three --columns 2"), "three is registered: --index-base"),
        (format!("{GRADIENT} four"), "four: "),
        (format!("data fetch three --sha256 {sha256}"), "--sha256 is for a URL"),
        ("data fetch four".to_owned(), "expected a URL or the name of a set in"),
    ] {
        let ran = work.run(&arguments);
        assert_eq!((ran.code, ran.stderr.lines().count()), (2, 1), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{arguments}: {}", ran.stderr);
    }
    // A broken registry is said where it matters, and only there.
    work.write("cache/registry.json", registry.replace("three", "../three"));
    for (arguments, code) in [
        ("data fetch three", 2),
        ("data list", 2),
        ("data show three", 2),
        ("data show d.svm", 0),
        ("data show digits", 0),
    ] {
        let ran = work.run(arguments);
        assert_eq!((ran.code, ran.stderr.lines().count()), (code, (code / 2) as usize), "{arguments}: {}", ran.stderr);
    }
}

#[test]
fn what_a_server_does_wrong_is_mended_or_said_in_one_line() {
    let good = Reply::good(SVM.as_bytes());
    let sha256 = Checksum::of_bytes(SVM.as_bytes());
    let dropped = Reply { sends: 9, ..good.clone() };
    let stalled = Reply { stalls: true, ..dropped.clone() };
    let altered = Reply::good(SVM.replace("-1", "+1").as_bytes());
    for (replies, code, word) in [
        (vec![dropped.clone(), stalled.clone(), good.clone()], 0, ""),
        (vec![Reply::status(503), Reply { ranges: false, ..good }], 0, ""),
        (vec![Reply::status(404)], 2, "expected status 200 or 206, the server answered 404"),
        (vec![altered], 2, "expected sha256"),
        (vec![dropped, Reply::status(500)], 2, "given up at 9 bytes after 3 attempt(s)"),
        (vec![stalled.clone(), Reply { sends: 0, ..stalled }], 2, "given up at 9 bytes"),
    ] {
        let work = Workplace::new();
        let server = Server::new(replies);
        let url = server.url("set.svm");
        let ran = work.run(&format!("data fetch {url} --sha256 {sha256} --to sets --timeout 0.7 --attempts 3"));
        assert_eq!((ran.code, ran.stderr.lines().count()), (code, usize::from(code > 0)), "{word}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
        assert_eq!(work.path("sets/set.svm").exists(), code == 0, "{word}");
        let is_unfinished = word.starts_with("given up");
        assert_eq!(work.path("sets").exists(), code == 0 || is_unfinished, "{word}");
        assert_eq!(work.path("sets/set.svm.part").exists(), is_unfinished, "{word}");
        assert!(!work.path("cache").exists());
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_exit_code_1() {
    let work = Workplace::new();
    let server = Server::new(vec![Reply::good(SVM.as_bytes())]);
    let ran = work.run(&format!("data fetch {} --to d.svm", server.url("set.svm")));
    assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1), "{}", ran.stderr);
}

#[test]
fn the_environment_says_where() {
    let work = Workplace::new();
    let server = Server::new(vec![Reply::good(SVM.as_bytes())]);
    let home = work.path("home");
    for (variables, expected) in [
        (vec![("DANSKIN_CACHE", "a"), ("XDG_CACHE_HOME", "b")], "a/set.svm"),
        (vec![("DANSKIN_CACHE", ""), ("XDG_CACHE_HOME", "b")], "b/danskin/set.svm"),
        (vec![], "home/.cache/danskin/set.svm"),
    ] {
        let mut command = Command::cargo_bin("danskin").unwrap();
        command.env_remove("DANSKIN_CACHE").env_remove("XDG_CACHE_HOME").env("HOME", &home);
        for (name, value) in variables {
            command.env(name, if value.is_empty() { "".into() } else { work.path(value) });
        }
        let output = command.args(["data", "fetch", &server.url("set.svm")]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(work.path(expected).exists(), "{expected}");
    }
}

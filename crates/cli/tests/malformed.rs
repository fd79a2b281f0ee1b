//! Malformed, odd and hostile inputs through the program: the right result, or exit code 2 with one line on stderr that says
//! what is wrong and where, and nothing left behind.

mod common;
#[path = "../../data/tests/common/mod.rs"]
mod files;

use std::fs;

use common::{Workplace, apart, names};
use files::{bomb, bz2, f8, gz, npy, npy_i8, npz, sparse_npz, xz};

/// An array of MNIST's format: unsigned bytes with these sizes.
fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    files::idx(0x08, sizes, bytes)
}

/// That `danskin ARGUMENTS` is refused for a reason that has `word` in it, and changes no file.
fn check_refused(work: &Workplace, arguments: &str, word: &str) {
    let before = names(work.dir.path());
    let ran = work.run(arguments);
    assert_eq!(ran.code, 2, "{arguments}: {}", ran.stderr);
    assert_eq!((ran.stderr.lines().count(), ran.stdout.as_str()), (1, ""), "{arguments}: {}", ran.stderr);
    assert!(ran.stderr.starts_with("danskin: ") && !ran.stderr.contains("panicked"), "{arguments}: {}", ran.stderr);
    assert!(ran.stderr.contains(word), "{arguments}: {}", ran.stderr);
    assert_eq!(names(work.dir.path()), before, "{arguments}");
}

fn mtx(words: &str, lines: &str) -> Vec<u8> {
    format!("%%MatrixMarket matrix {words}\n{lines}").into_bytes()
}

#[test]
fn flags_out_of_range_and_files_that_do_not_fit() {
    let work = Workplace::new();
    work.write("short.txt", "1 2").write("nan.txt", "1 nan 3").write("zero.svm", "1 1:0\n");
    work.write("minus.txt", "1 -2 3").write("gap.txt", "1 1").write("below.txt", "0 -1").write("half.txt", "0 0.5");
    work.write("groups.txt", "0 1").write("zeros.txt", "1 0 2");
    work.write("beyond.svm", "1 2:0.5\n1 1:-1e39\n-1 2:1\n");
    work.write("d.npy", npy("'<f8'", "(3, 2)", &f8(&[1.0; 6])));
    fs::create_dir(work.path("folder.svm")).unwrap();
    let good = "--problem ridge --design d.svm --lambda 1 --iterations 3 --output out";
    let with = |flag: &str| format!("{good} {flag}");
    let without = |flag: &str| {
        let words: Vec<_> = good.split(' ').collect();
        let at = words.iter().position(|word| *word == flag).unwrap();
        [&words[..at], &words[at + 2..]].concat().join(" ")
    };
    let replaced = |flag: &str, value: &str| format!("{} {flag} {value}", without(flag));
    for (arguments, word) in [
        (without("--problem"), "--problem"),
        (without("--design"), "--design"),
        (without("--lambda"), "--lambda"),
        (without("--iterations"), "--iterations"),
        (without("--output"), "--output"),
        (replaced("--problem", "hinge"), "squared-hinge, poisson, gamma"),
        (replaced("--problem", "huber:0"), "above 0"),
        (replaced("--problem", "huber"), "huber:DELTA"),
        (replaced("--problem", "poisson"), "at least 0"),
        (replaced("--problem", "gamma"), "above 0"),
        (with("--wrt z"), "targets, weights, regularisation or design"),
        (replaced("--lambda", "0 --wrt regularisation"), "logarithm"),
        (with("--penalty lasso"), "elastic:A,W"),
        (with("--penalty elastic:2,1"), "share 2"),
        (with("--penalty elastic:0.5,nan"), "NaN"),
        (with("--weights short.txt"), "2 numbers, expected 3"),
        (with("--weights minus.txt"), "row 1 (from 0) is -2"),
        (with("--groups minus.txt"), "3 numbers, expected 2"),
        (with("--groups below.txt"), "an integer from 0"),
        (with("--groups half.txt"), "an integer from 0"),
        (with("--groups gap.txt"), "no column is in group 0"),
        (format!("{} --lambdas groups.txt", without("--lambda")), "--groups"),
        (with("--groups groups.txt --lambdas groups.txt"), "--lambda"),
        (format!("{} --groups groups.txt --lambdas minus.txt", without("--lambda")), "3 numbers, expected 2"),
        (format!("{} --groups groups.txt --lambdas below.txt", without("--lambda")), "below.txt: lambda is -1"),
        (replaced("--problem", "poisson --targets minus.txt"), "minus.txt: the target of row 1 (from 0) is -2"),
        (replaced("--problem", "gamma --targets zeros.txt"), "zeros.txt: the target of row 1 (from 0) is 0"),
        (replaced("--lambda", "1e-400"), "at least 0"),
        (with("--mode forward --estimator analytic"), "--mode is for the automatic estimator"),
        (with("--solver lbfgs"), "automatic"),
        (with("--solver newton --estimator automatic"), "automatic"),
        (with("--solver lbfgs --estimator analytic --step 1"), "--step"),
        (with("--momentum 0.5"), "nesterov and heavy-ball"),
        (with("--memory 0"), "64MiB"),
        (with("--memory -1"), "64MiB"),
        (with("--memory 1.5GiB"), "64MiB"),
        (with("--memory 64mb"), "64MiB"),
        (with("--memory lots"), "64MiB"),
        (with("--memory 99999999TiB"), "64MiB"),
        (replaced("--problem", "pnorm:3 --memory 31"), "32 at the least"),
        (with("--memory 1GiB --last 3"), "--last"),
        (with("--values f16"), "f64, f32"),
        (with("--values f32 --wrt design"), "--wrt design"),
        (replaced("--design", "beyond.svm --values f32"), "row 1, column 0 (indices from 0) is -1e39"),
        (with("--memory 1GiB --mode forward"), "--mode forward"),
        (with("--memory 1GiB --solver lbfgs"), "automatic"),
        (with("--memory 1GiB --solver newton --estimator analytic"), "--memory"),
        (with("--memory 1GiB --estimator implicit"), "--memory"),
        (with("--last 0"), "--last"),
        (with("--last -3"), "--last"),
        (with("--last 2.5"), "--last"),
        (with("--last 3 --mode forward"), "--mode forward"),
        (with("--last 3 --estimator analytic"), "--last"),
        (with("--solver nesterov --momentum 1"), "below 1"),
        (with("--solver heavy-ball --restart"), "nesterov"),
        (replaced("--problem", "pnorm:1.5"), "1.5"),
        (replaced("--problem", "pnorm:x"), "x"),
        (replaced("--problem", "pnorm:NaN"), "NaN"),
        (replaced("--lambda", "-1"), "at least 0"),
        (replaced("--lambda", "nan"), "at least 0"),
        (replaced("--lambda", "inf"), "at least 0"),
        (replaced("--iterations", "-3"), "--iterations"),
        (replaced("--iterations", "1e3"), "1e3"),
        (with("--condition 10"), "--condition"),
        (with("--step 0"), "above 0"),
        (with("--step -1"), "above 0"),
        (with("--step nan"), "above 0"),
        (with("--tolerance -1"), "at least 0"),
        (with("--tolerance nan"), "at least 0"),
        (with("--linear-tolerance nan"), "at least 0"),
        (with("--threads 0"), "--threads"),
        (with("--threads 1025"), "1024"),
        (with("--estimator magic"), "analytic, automatic or implicit"),
        (with("--estimator analytic,"), "analytic, automatic or implicit"),
        (with("--estimator analytic,auto"), "all, auto, or some of"),
        (without("--iterations"), "--iterations T is missing"),
        (format!("{} --estimator auto", without("--iterations")), "--gradient-tolerance"),
        (with("--mode sideways"), "reverse or forward"),
        (with("--linear-solver lu"), "auto, dense, sparse, dual or cg"),
        (with("--preconditioner ilu"), "none, jacobi, block-jacobi, ic0 or nystrom"),
        (with("--solver sgd"), "sgd"),
        (with("--index-base 2"), "0, 1"),
        (with("--index-base 0 --columns 2"), "2"),
        (with("--columns 1"), "1 columns"),
        (with("--label-column first"), "CSV alone"),
        (replaced("--design", "d.npy --index-base 0"), "svmlight text alone"),
        (with("--frobnicate"), "--frobnicate"),
        (with("--positive 1"), "labels -1 and +1, the problem is ridge"),
        (with("--targets short.txt"), "2 numbers, expected 3"),
        (with("--targets nan.txt"), "nan.txt:1"),
        (with("--targets missing.npy"), "missing.npy"),
        (with("--initial short.npy"), "short.npy"),
        (with("--initial nan.txt"), "nan.txt"),
        (replaced("--design", "missing.svm"), "missing.svm"),
        (replaced("--design", "folder.svm"), "directory"),
        (replaced("--design", "unknown_set"), "unknown_set"),
        (format!("{} --columns 7", replaced("--design", "digits")), "files"),
        (format!("{} --condition 10", without("--lambda").replace("d.svm", "zero.svm")), "--condition"),
        (replaced("--problem", "pnorm:inf"), "inf"),
        (without("--lambda") + " --lambda=-inf", "at least 0"),
        (with("--step inf"), "above 0"),
        (with("--tolerance inf"), "at least 0"),
        (with("--linear-tolerance=-1e-9"), "at least 0"),
        (without("--lambda") + " --condition 1", "above 1"),
        (without("--lambda") + " --condition nan", "above 1"),
        (with("--threads -1"), "--threads"),
        (with("--threads NaN"), "--threads"),
        (replaced("--problem", "logistic --positive nan"), "NaN"),
        (with("--columns -2"), "--columns"),
        (with("--columns 18446744073709551616"), "--columns"),
        (with("--columns 4294967296"), "at most 4294967295"),
        (with("--max-bytes 10"), "d.svm:2: expected at most 10 bytes"),
        (with("--max-bytes -1"), "--max-bytes"),
        (with("--targets folder.svm"), "expected a file, found a directory"),
        (with("--lambda 2"), "--lambda"),
    ] {
        check_refused(&work, &format!("gradient {arguments}"), word);
    }
    for (arguments, word) in [
        ("frobnicate", "frobnicate"),
        ("data", "subcommand"),
        ("data show missing.svm", "missing.svm"),
        ("data show", "NAME|FILE"),
        ("data fetch", "NAME|URL"),
        ("data fetch d.svm", "expected a URL or the name of a set"),
        ("data fetch digits", "shipped"),
        ("data fetch ftp://example.org/d.svm", "expected http"),
        ("data fetch http://127.0.0.1/", "expected http"),
        ("data fetch http://127.0.0.1/a.svm --sha256 12", "64 hexadecimal digits"),
        ("data fetch http://127.0.0.1/a.svm --attempts 0", "--attempts"),
        ("data fetch http://127.0.0.1/a.svm --timeout 0", "--timeout"),
        ("data fetch http://127.0.0.1/a.svm --timeout nan", "--timeout"),
    ] {
        check_refused(&work, arguments, word);
    }
}

#[test]
fn measurements_that_cannot_be_made() {
    let work = Workplace::new();
    work.write("w.txt", "1 2 3");
    let good = "bench --problem pnorm:3 --design d.svm --iterations 2 --output out";
    for (arguments, word) in [
        (format!("{good} --entries 100"), "--entries"),
        (format!("{good} --iterations two"), "--iterations"),
        (format!("{good} --memory 0"), "a share as 1/10, or none"),
        (format!("{good} --memory none,"), "a share as 1/10, or none"),
        (format!("{good} --memory 2/1"), "a share above 0 and at most 1"),
        (format!("{good} --memory 0/3"), "a share above 0 and at most 1"),
        (format!("{good} --memory=-1/3"), "a share above 0 and at most 1"),
        (format!("{good} --memory 1/10,31"), "32 at the least"),
        (format!("{good} --memory 1/10 --mode forward"), "--memory does not go with --mode forward"),
        (format!("{good} --memory 1/10 --estimator analytic"), "--memory does not go with these estimators"),
        (format!("{good} --memory 1/10 --solver newton"), "automatic"),
        (format!("{good} --over-threads 0"), "--over-threads"),
        (format!("{good} --over-threads 1,,2"), "--over-threads"),
        (format!("{good} --over-threads 1025"), "1024"),
        (format!("{good} --over-threads 1 --threads 2"), "--threads does not go with --over-threads"),
        (format!("{good} --samples 0"), "--samples"),
        (format!("{good} --samples -1"), "--samples"),
        (format!("{good} --last 2"), "--last"),
        (format!("{good} --restart"), "nesterov"),
        (format!("{good} --condition 1"), "above 1"),
        (format!("{good} --task x"), "--task"),
        (good.replace("d.svm", "missing.svm"), "missing.svm"),
        (good.replace("pnorm:3", "poisson"), "at least 0"),
        ("bench --entries 0".to_owned(), "--entries"),
        ("bench --entries 1e5".to_owned(), "--entries"),
        ("bench --entries 18446744073709551615".to_owned(), "--entries 18446744073709551615"),
        ("bench --problem gamma".to_owned(), "no synthetic targets for gamma: give --design"),
        ("bench --problem multinomial".to_owned(), "no synthetic targets for multinomial"),
        ("bench --targets w.txt".to_owned(), "--targets is for a design of yours: give --design"),
        ("bench --weights w.txt".to_owned(), "--weights is for a design of yours"),
        ("bench --positive 1".to_owned(), "--positive is for a design of yours"),
        ("bench --columns 7".to_owned(), "--columns and --label-column is for a design of yours"),
    ] {
        check_refused(&work, &arguments, word);
    }
}

#[test]
fn synthetic_data_that_cannot_be_made() {
    let work = Workplace::new();
    for folder in ["folder.npz", "t.targets.npy", "z.z.npy"] {
        fs::create_dir(work.path(folder)).unwrap();
    }
    let good = "zipf --rows 9 --columns 5 --per-row 2 --output new.npz";
    for (arguments, word) in [
        (String::new(), "--rows"),
        (good.replace("--rows 9", ""), "--rows"),
        (good.replace("--columns 5", ""), "--columns"),
        (good.replace("--output new.npz", ""), "--output"),
        (good.replace("zipf", ""), "<KIND>"),
        (good.replace("zipf", "zipff"), "expected zipf, banded[:WIDTH], ragged, binary, gaussian or low-rank:RANK"),
        (good.replace("zipf", "zipf:3"), "low-rank:RANK"),
        (good.replace("zipf", "banded:1"), "a band width of 1, expected 2 to 5"),
        (good.replace("zipf", "banded:6"), "a band width of 6, expected 2 to 5"),
        (good.replace("zipf", "banded:-1"), "banded[:WIDTH]"),
        (good.replace("zipf", "low-rank:2"), "every row is full"),
        ("low-rank:6 --rows 9 --columns 5 --output new.npy".to_owned(), "a rank of 6, expected 1 to 5"),
        ("low-rank --rows 9 --columns 5 --output new.npy".to_owned(), "low-rank:RANK"),
        (good.replace("--rows 9", "--rows 0"), "at least one row"),
        (good.replace("--rows 9", "--rows -1"), "--rows"),
        (good.replace("--rows 9", "--rows 1e3"), "--rows"),
        (good.replace("--rows 9", "--rows 18446744073709551615"), "1152921504606846976 entries"),
        (good.replace("--columns 5", "--columns 0"), "at least one column"),
        (good.replace("--columns 5", "--columns 4294967296"), "4294967296 columns"),
        (good.replace("--columns 5", "--columns 4000000000"), "expected at most 1018000"),
        (good.replace("--per-row 2", ""), "expected the number of entries a row, or their density"),
        (good.replace("--per-row 2", "--per-row 0"), "0 entries a row, expected 1 to 5"),
        (good.replace("--per-row 2", "--per-row 6"), "6 entries a row, expected 1 to 5"),
        (good.replace("--per-row 2", "--per-row 2 --density 0.5"), "--density"),
        (good.replace("--per-row 2", "--density 0"), "a density of 0"),
        (good.replace("--per-row 2", "--density -0.5"), "a density of -0.5"),
        (good.replace("--per-row 2", "--density nan"), "a density of NaN"),
        (good.replace("--per-row 2", "--density 1.1"), "a density of 1.1"),
        (format!("{good} --noise nan"), "a noise of NaN"),
        (format!("{good} --noise inf"), "a noise of inf"),
        (format!("{good} --noise -1"), "a noise of -1"),
        (format!("{good} --noise x"), "--noise"),
        (format!("{good} --task ridge"), "regression, logistic or counts"),
        (format!("{good} --seed -1"), "--seed"),
        (format!("{good} --seed 18446744073709551616"), "--seed"),
        (good.replace("new.npz", "new.svm"), "expected a name that ends in .npz: this design is sparse"),
        (good.replace("new.npz", "new.npy"), "expected a name that ends in .npz"),
        (good.replace("new.npz", "new.npz.gz"), "expected a name that ends in .npz"),
        (good.replace("new.npz", ".npz"), "expected a name that ends in .npz"),
        (good.replace("zipf", "gaussian").replace("--per-row 2", ""), "expected a name that ends in .npy"),
        (good.replace("new.npz", "folder.npz"), "folder.npz: expected a file, found a directory"),
        (good.replace("new.npz", "t.npz"), "t.targets.npy: expected a file, found a directory"),
        (good.replace("new.npz", "z.npz"), "z.z.npy: expected a file, found a directory"),
    ] {
        check_refused(&work, &format!("data make {arguments}"), word);
    }
    assert_eq!(work.run(&format!("data make {good}")).code, 0);
}

#[test]
fn files_that_are_wrong() {
    let work = Workplace::new();
    let two = f8(&[1.0, 2.0]);
    let cut = gz(b"1 1:1\n1 1:2\n");
    let mut altered = xz(b"1 1:1\n1 1:2\n");
    // In the checksum of the index, after all of the text.
    let position = altered.len() - 14;
    altered[position] ^= 0x55;
    for (name, bytes, flags, word) in [
        // Names.
        ("d.txt", b"1 1:1\n".to_vec(), "", ".svm .svmlight .libsvm .mtx .npz .npy .csv .idx -ubyte"),
        ("d", b"1 1:1\n".to_vec(), "", "expected a name that ends in"),
        ("d.svm.zip", b"1 1:1\n".to_vec(), "", "expected a name that ends in"),
        ("d.svm.gz.bz2", b"1 1:1\n".to_vec(), "", "expected a name that ends in"),
        // svmlight.
        ("w.svm", b"".to_vec(), "", "w.svm: expected at least one row, found none"),
        ("w.svm", b"# nothing\n\n".to_vec(), "", "expected at least one row"),
        ("w.svm", b"1 1:1\n2 1:x\n".to_vec(), "", "w.svm:2: expected INDEX:VALUE with a finite value, found \"1:x\""),
        ("w.svm", b"1 1:1\nNaN 1:1\n".to_vec(), "", "w.svm:2: expected a finite number as label"),
        ("w.svm", b"1 1:inf\n".to_vec(), "", "finite value"),
        ("w.svm", b"1 1:1e400\n".to_vec(), "", "finite value"),
        ("w.svm", b"1 2:1 1:1 2:0\n".to_vec(), "", "w.svm:1: expected each index once in a row, found 2 twice"),
        (
            "w.svm",
            b"1 0:1\n".to_vec(),
            "",
            "w.svm:1: expected an index into 4294967295 columns counted from 1, found 0",
        ),
        ("w.svm", b"1 -1:1\n".to_vec(), "--index-base 0", "expected an integer before the colon"),
        ("w.svm", b"1 3:1\n".to_vec(), "--columns 2", "expected an index into 2 columns counted from 1, found 3"),
        ("w.svm", b"1 4294967295:1\n".to_vec(), "", "if so many are meant, set columns (--columns)"),
        ("w.svm", b"1 99999999999999999999:1\n".to_vec(), "", "found 99999999999999999999"),
        ("w.svm", vec![0; 100], "", "found \"\\0"),
        ("w.svm", vec![0xff; 100], "", "\\xff"),
        ("w.svm", vec![b'7'; 1 << 20], "", "…"),
        ("w.svm", b"1 1:1\r2 1:1\r".to_vec(), "", "w.svm:1:"),
        ("w.svm", gz(b"1 1:1\n"), "", "w.svm:1:"),
        // Matrix Market; more of it in the tests of its crate.
        ("w.mtx", b"".to_vec(), "", "w.mtx:1: expected %%MatrixMarket matrix"),
        ("w.mtx", b"1 1 1\n1 1 1\n".to_vec(), "", "w.mtx:1: expected %%MatrixMarket matrix"),
        (
            "w.mtx",
            mtx("coordinate complex general", "1 1 1\n1 1 1 0\n"),
            "",
            "expected real, integer or pattern, found \"complex\"",
        ),
        (
            "w.mtx",
            mtx("coordinate real hermitian", "1 1 1\n1 1 1\n"),
            "",
            "expected general, symmetric or skew-symmetric",
        ),
        (
            "w.mtx",
            mtx("coordinate real general", "2 2 18446744073709551615\n1 1 1\n"),
            "",
            "18446744073709551615 element(s)",
        ),
        ("w.mtx", mtx("coordinate real general", "9999999999 2 1\n1 1 1\n"), "", "expected at most 1001000 rows"),
        ("w.mtx", mtx("coordinate real general", "1 4294967295 1\n1 1 1\n"), "", "expected at most 1001000 columns"),
        (
            "w.mtx",
            mtx("coordinate real general", "3 2 2\n1 1 1\n"),
            "",
            "expected 2 element(s) as its header says, found 1",
        ),
        ("w.mtx", mtx("coordinate real general", "3 2 1\n1 1 1\n2 1 1\n"), "", "w.mtx:4: expected the end after 1"),
        ("w.mtx", mtx("coordinate real general", "3 2 2\n1 1 1\n1 1 1\n"), "", "w.mtx:4: expected each entry once"),
        ("w.mtx", mtx("coordinate real general", "3 2 1\n1 3 1\n"), "", "w.mtx:3: expected an index into 2 columns"),
        (
            "w.mtx",
            mtx("coordinate real general", "3 2 1\n0 1 1\n"),
            "",
            "w.mtx:3: expected an index into 3 rows counted from 1",
        ),
        ("w.mtx", mtx("coordinate real general", "3 2 1\n1 1 nan\n"), "", "w.mtx:3: expected a finite number"),
        ("w.mtx", mtx("coordinate real symmetric", "2 2 1\n1 2 1\n"), "", "on or below the diagonal"),
        ("w.mtx", mtx("coordinate real skew-symmetric", "2 2 1\n2 2 1\n"), "", "below the diagonal"),
        ("w.mtx", mtx("array real general", "99999999999 99999999999\n1\n"), "", "expected less than 2^64 entries"),
        ("w.mtx", mtx("array real general", "99999999 99999999\n1\n"), "", "expected 9999999800000001 element(s)"),
        ("w.mtx", mtx("coordinate real general", "0 2 0\n"), "", "expected at least one row"),
        ("w.mtx", mtx("coordinate real general", "3 2 0\n"), "", "no labels in it: give --targets"),
        ("w.mtx", mtx("coordinate real general", "3 2 0\n"), "--columns 3", "expected 3 columns, found 2"),
        // NumPy and SciPy.
        ("w.npy", b"".to_vec(), "", "expected a NumPy array"),
        ("w.npy", npy("'<f8'", "(2,)", &two), "", "expected two dimensions"),
        ("w.npy", npy("'<f8'", "(3, 2)", &two), "", "expected 6 element(s) as its header says, found 2"),
        ("w.npy", npy("'<f8'", "(1, 1)", &two), "", "expected the end after 1 element(s)"),
        ("w.npy", npy("'<f8'", "(999999999999, 999999)", &two), "", "element(s) as its header says"),
        ("w.npy", npy("'<f8'", "(999999999999, 0)", &[]), "", "expected at most 1000000 rows"),
        ("w.npy", npy("'<f8'", "(0, 2)", &[]), "", "expected at least one row"),
        ("w.npy", npy("'<f8'", "(-1, 2)", &two), "", "expected a shape"),
        ("w.npy", npy("'<c16'", "(1, 1)", &two), "", "expected real numbers"),
        ("w.npy", npy("'|O'", "(1, 2)", &two), "", "expected real numbers"),
        ("w.npy", npy("'<f8'", "(1, 2)", &f8(&[1.0, f64::NEG_INFINITY])), "", "column 1 (indices from 0) is -inf"),
        ("w.npz", b"PK\x03\x04 truncated".to_vec(), "", "w.npz"),
        ("w.npz", npz(&[("x", npy_i8(&[1]))]), "", "array format: expected this array"),
        ("w.npz", sparse_npz("bsr", &[]), "", "expected sparse format csr, csc or coo, found \"bsr\""),
        ("w.npz", sparse_npz("csr", &[("shape", npy_i8(&[1 << 50, 2]))]), "", "row pointers"),
        ("w.npz", sparse_npz("csr", &[("shape", npy_i8(&[3, 4_000_000_000]))]), "", "expected at most 1002000 columns"),
        ("w.npz", sparse_npz("csr", &[("indices", npy_i8(&[0, -1]))]), "", "counted from 0, found -1"),
        ("w.npz", sparse_npz("coo", &[("row", npy_i8(&[0, 0])), ("col", npy_i8(&[1, 1]))]), "", "two entries at row 0"),
        // CSV.
        ("w.csv", b"1,2\n".to_vec(), "", "label column"),
        ("w.csv", b"a,b\n".to_vec(), "--label-column last", "expected at least one row"),
        ("w.csv", b"1,2\n3\n".to_vec(), "--label-column last", "w.csv:2: expected 2 fields"),
        ("w.csv", b"1,2\n3,NaN\n".to_vec(), "--label-column last", "w.csv:2: field 2: expected a finite number"),
        ("w.csv", b"1;2\n".to_vec(), "--label-column last", "field 1: expected a finite number"),
        // idx.
        ("w.idx", b"".to_vec(), "", "expected an idx header"),
        ("w.idx", idx(&[2], &[1, 2]), "", "expected two dimensions or more"),
        ("w.idx", idx(&[2, 2], &[1, 2]), "", "expected 4 element(s) as its header says, found 2"),
        ("w.idx", idx(&[u32::MAX; 5], &[1, 2]), "", "expected sizes whose product is below 2^64"),
        ("w.idx", idx(&[u32::MAX, 0], &[]), "", "expected at most 1000000 rows"),
        ("images-idx3-ubyte", idx(&[1, 1, 1], &[1, 2]), "", "expected the end after 1 element(s)"),
        // Compression.
        ("w.svm.gz", b"1 1:1\n1 1:1\n1 1:1\n".to_vec(), "", "cannot decompress gzip data"),
        ("w.svm.gz", cut[..cut.len() - 9].to_vec(), "", "cannot decompress gzip data"),
        ("w.svm.bz2", gz(b"1 1:1\n"), "", "cannot decompress bzip2 data"),
        ("w.svm.xz", altered, "", "cannot decompress xz data"),
        ("w.svm.xz", b"".to_vec(), "", "cannot decompress xz data"),
        ("w.csv.gz", bomb("0,0,0,0\n", gz), "--label-column last", "compressed ones, found more"),
        (
            "w.svm.gz",
            bomb("1 1:1\n", gz),
            "",
            "compressed ones, found more: if so many are meant, set max_bytes (--max-bytes)",
        ),
        ("w.svm.gz", gz(b"1 1:1\n1 1:1\n"), "--max-bytes 11", "w.svm.gz:2: expected at most 11 bytes, found more"),
    ] {
        work.write(name, bytes);
        let arguments =
            format!("gradient --problem ridge --design {name} {flags} --lambda 1 --iterations 3 --output out");
        check_refused(&work, &arguments, word);
        fs::remove_file(work.path(name)).unwrap();
    }
}

#[test]
fn vectors_that_are_wrong() {
    let work = Workplace::new();
    for (flag, name, bytes, word) in [
        ("--targets", "x.txt", b"".to_vec(), "expected at least one number"),
        ("--targets", "x.txt", b"1 2".to_vec(), "x.txt: 2 numbers, expected 3, one for each of the design's rows"),
        ("--initial", "x.txt", b"1 2 3".to_vec(), "x.txt: 3 numbers, expected 2, one for each of the design's columns"),
        ("--targets", "x.txt", b"1\n2\ninf\n".to_vec(), "x.txt:3: expected a finite number"),
        ("--initial", "x.txt", b"1,,2\n".to_vec(), "x.txt:1: expected a finite number before each comma"),
        ("--targets", "x.txt", vec![0xfe; 10], "x.txt:1"),
        ("--initial", "x.npy", npy_i8(&[1, 2, 3, 4]), "4 numbers, expected 2"),
        ("--targets", "x.npy", npy("'<f8'", "(3,)", &f8(&[1.0, f64::NAN, 0.0])), "number 1 (from 0) is NaN"),
        ("--initial", "x.npy", npy("'<f8'", "(999999999999,)", &f8(&[1.0])), "expected 999999999999 element(s)"),
        ("--targets", "x-ubyte", idx(&[2, 2], &[1, 2, 3, 4]), "expected one dimension, row or column"),
        ("--initial", "x-ubyte.gz", gz(&idx(&[4], &[1, 2, 3])), "expected 4 element(s) as its header says, found 3"),
        ("--targets", "x.gz", bomb("1\n", gz), "compressed ones, found more"),
    ] {
        work.write(name, bytes);
        let arguments =
            format!("gradient --problem ridge --design d.svm {flag} {name} --lambda 1 --iterations 3 --output out");
        check_refused(&work, &arguments, word);
        fs::remove_file(work.path(name)).unwrap();
    }
}

/// Every odd spelling of one design gives the result of the plain one.
#[test]
fn files_that_are_odd() {
    let work = Workplace::new();
    work.write("x.txt", "# x\r\n1, -1\n\n+1e0,").write("x-ubyte", idx(&[3], &[1, 255, 1]));
    let base = "gradient --problem ridge --lambda 1 --iterations 20 --step 0.05 --design";
    assert_eq!(work.run(&format!("{base} d.svm --output plain")).code, 0);
    let (z, g) = (work.vector("plain/z.npy"), work.vector("plain/automatic.npy"));
    let dense = [1.0, 2.0, 0.0, 3.0, 1.0, 0.0];
    let target = "--targets x.txt";
    for (name, bytes, flags) in [
        ("o.svm", b"\xef\xbb\xbf# head\r\n+1 2:2 1:1 # tail\r\n\r\n-1 qid:3 2:3.0 1:0\r\n1e0\t1:+1".to_vec(), ""),
        ("o.SVM.Gz", [gz(b"1 1:1 2:2\n"), gz(b"-1 2:3\n1 1:1")].concat(), ""),
        ("o.libsvm", b"1 0:1 1:2\n-1 1:3\n1 0:1".to_vec(), "--index-base 0"),
        ("o.svmlight.bz2", bz2(b"1 1:1 2:2\n-1 2:3\n1 1:1\n"), "--columns 2"),
        ("o.svm.xz", xz(b"1 1:1 2:2\n-1 2:3\n1 1:1\n"), "--max-bytes 100"),
        (
            "o.mtx",
            b"%%matrixmarket MATRIX coordinate Real general\r\n% c\r\n\r\n3 2 5\r\n3 1 1\r\n1 2 2\r\n%\r\n1 1 1\r\n2 1 0\r\n2 2 3".to_vec(),
            target,
        ),
        ("o.mtx", mtx("array integer general", "3 2\n1\n0\n1\n2\n3\n0\n"), target),
        ("o.mtx.gz", gz(&mtx("coordinate integer general", "3 2 4\n1 1 1\n1 2 2\n2 2 3\n3 1 1\n")), target),
        ("o.npy", npy("'<f8'", "(3, 2)", &f8(&dense)), target),
        ("o.npy", npy("'>i2'", "(3, 2)", &[0, 1, 0, 2, 0, 0, 0, 3, 0, 1, 0, 0]), target),
        (
            "o.npz",
            sparse_npz(
                "csr",
                &[("data", npy_i8(&[2, 1, 3, 1])), ("indices", npy_i8(&[1, 0, 1, 0])), ("indptr", npy_i8(&[0, 2, 3, 4]))],
            ),
            target,
        ),
        (
            "o.npz",
            sparse_npz("coo", &[("data", npy_i8(&[3, 1, 2, 1])), ("row", npy_i8(&[1, 2, 0, 0])), ("col", npy_i8(&[1, 0, 1, 0]))]),
            target,
        ),
        ("o.csv", b"a,b,y\r\n1, 2 ,1\r\n\r\n\"0\",3,-1\n1,0,1".to_vec(), "--label-column last"),
        ("o.csv.xz", xz(b"1,1,2\n-1,0,3\n1,1,0\n"), "--label-column first"),
        ("o.idx", idx(&[3, 2], &[1, 2, 0, 3, 1, 0]), target),
        ("o-ubyte.gz", gz(&idx(&[3, 1, 2], &[1, 2, 0, 3, 1, 0])), target),
    ] {
        work.write(name, bytes);
        let ran = work.run(&format!("{base} {name} {flags} --output out"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{name}");
        assert!(apart(&work.vector("out/z.npy"), &z) < 1e-15, "{name}");
        assert!(apart(&work.vector("out/automatic.npy"), &g) < 1e-14, "{name}");
        assert_eq!((&work.report("out")["rows"], &work.report("out")["columns"]), (&3.into(), &2.into()), "{name}");
    }
    // Labels of MNIST's kind are targets.
    let ran =
        work.run("gradient --problem ridge --lambda 1 --iterations 0 --design d.svm --targets x-ubyte --output out");
    assert_eq!((ran.code, work.vector("out/analytic.npy")), (0, vec![1.0, 255.0, 1.0]));
    // Rows and columns without entries count, and so do explicit zeros.
    for (name, text, shape) in [
        ("e.svm", "1\n-1 2:0\n1\n", [3, 2, 1]),
        ("e.mtx", "%%MatrixMarket matrix coordinate real general\n3 4 1\n2 2 0\n", [3, 4, 1]),
        ("s.mtx", "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n1 1\n3 1\n", [3, 3, 3]),
        ("k.mtx", "%%MatrixMarket matrix coordinate real skew-symmetric\n3 3 1\n3 1 -0.5\n", [3, 3, 2]),
    ] {
        work.write(name, text);
        let ran = work.run(&format!("{base} {name} {target} --output out"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{name}");
        let report = work.report("out");
        assert_eq!(["rows", "columns", "entries"].map(|field| report[field].as_u64().unwrap()), shape, "{name}");
    }
}

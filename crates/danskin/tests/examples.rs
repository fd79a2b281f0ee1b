//! The examples run, and so do the checks inside them.

use std::process::Command;

#[test]
fn every_example_runs() {
    // `cargo test` builds the examples beside the tests; asking cargo again would build for other features.
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
    let examples = [
        ("my_loss", "‖g2 - g3‖"),
        #[cfg(feature = "dual")]
        ("my_loss_by_value", "‖g2 - g3‖"),
        ("my_problem", "g2 ["),
        ("my_solver", "‖g2 - g3‖"),
        ("hypergradient", "g2  "),
        #[cfg(feature = "data")]
        ("lasso", "step 11: lambda"),
    ];
    for (name, said) in examples {
        let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        assert!(
            program.exists(),
            "{name} is not built: `cargo test` without `--test`, or `cargo build --examples`, does"
        );
        let output = Command::new(program).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(stdout.contains(said), "{name}: {stdout}");
    }
}

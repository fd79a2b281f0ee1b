//! The examples run, and so do the checks inside them.

use std::process::Command;

#[test]
fn every_example_runs() {
    for (name, said) in
        [("my_loss", "‖g2 - g3‖"), ("my_problem", "g2 ["), ("my_solver", "‖g2 - g3‖"), ("hypergradient", "<g2, dx>")]
    {
        let mut cargo = Command::new(env!("CARGO"));
        let output = cargo.args(["run", "--quiet", "--package", "danskin", "--example", name]).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(stdout.contains(said), "{name}: {stdout}");
    }
}

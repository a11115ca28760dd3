//! Files for other programs, read by those programs where they are installed.
use std::path::Path;
use std::process::Command;

fn couplet(folder: &Path, args: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_couplet")).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{args:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Set `COUPLET_PYTHON` to the interpreter that has ArviZ; `python3` otherwise.
#[test]
fn arviz_loads_draws_densities_data_and_predictive_draws() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("x.csv"), "x1,x2\n-0.2,0.3\n0.1,0.0\n").unwrap();
    std::fs::write(at.join("one.csv"), "x1,x2\n-0.2,0.3\n").unwrap();
    couplet(at, &["train", "two-moons", "--steps", "20", "--device", "cpu", "-q", "-o", "run"]);
    for (data, file) in [("x.csv", "draws.zarr"), ("x.csv", "draws.npz"), ("one.csv", "draws.stan.csv")] {
        couplet(at, &["sample", "run", "--data", data, "-n", "500", "-o", file, "--device", "cpu"]);
    }
    assert!(at.join("draws.zarr/posterior/theta_1/.zarray").is_file());
    let python = std::env::var("COUPLET_PYTHON").unwrap_or("python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/load_in_arviz.py");
    let files = ["draws.zarr", "draws.npz", "draws.stan.csv"];
    match Command::new(&python).arg(script).args(files).current_dir(at).output() {
        Err(error) => println!("skipped: `{python}` does not start ({error})"),
        Ok(output) if output.status.code() == Some(77) => {
            println!("{}", String::from_utf8_lossy(&output.stdout).trim());
        }
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(String::from_utf8_lossy(&output.stdout).contains("loaded"));
        }
    }
}

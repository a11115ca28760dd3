//! Runs the program as its users do.
use std::path::Path;
use std::process::Command;

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn couplet(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_couplet"));
    // Without it, Vulkan drivers of Mesa complain on our stderr.
    command.args(args).current_dir(folder).env("XDG_RUNTIME_DIR", folder);
    let output = command.output().unwrap();
    let ran = Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(!ran.err.contains("panicked"), "{args:?}\n{}", ran.err);
    ran
}

/// Runs and expects exit code 0; what was printed.
pub fn done(folder: &Path, args: &[&str]) -> String {
    let ran = couplet(folder, args);
    assert_eq!(ran.code, 0, "{args:?}\n{}{}", ran.out, ran.err);
    ran.out
}

/// Runs and expects exit code 2 with one paragraph on stderr that has all `parts`.
pub fn refused(folder: &Path, args: &[&str], parts: &[&str]) {
    let Ran { code, out, err } = couplet(folder, args);
    assert_eq!(code, 2, "{args:?}\n{out}{err}");
    assert!(err.starts_with("error: ") && err.trim_end().lines().count() == 1, "{args:?}\n{err}");
    for part in parts {
        assert!(err.contains(part), "{args:?}\n{err}lacks: {part}");
    }
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

//! The `couplet` binary: parse, run, exit code.
fn main() -> std::process::ExitCode {
    couplet::cli::run(std::env::args_os())
}

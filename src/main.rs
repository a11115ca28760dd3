//! The `couplet` binary: parse, run, exit code.
fn main() -> std::process::ExitCode {
    // Without a desktop session, Mesa's Vulkan drivers print an error that is none about this variable.
    #[cfg(target_os = "linux")]
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: the first thing the process does; there is no other thread that could read the environment.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
    couplet::cli::run(std::env::args_os())
}

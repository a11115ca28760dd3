//! Parses, runs, and turns the outcome into an exit code.
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use super::args::{Args, Command};

/// How a command that ran has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Exit code 0.
    Done,
    /// It ran and the answer is no: exit code 1.
    No,
    /// Somebody ended it with an interrupt, and it ended in order: exit code 130, as of what an interrupt kills.
    Interrupted,
}

/// What a command returns; an error is exit code 2.
pub(super) type Result<T = Outcome> = anyhow::Result<T>;

/// Runs the command line `args`, program name first.
pub fn run<A: Into<OsString> + Clone>(args: impl IntoIterator<Item = A>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(usage) => {
            // A reader that has gone away is no reason to complain.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let mut out = io::stdout().lock();
    let result = command(args.command, &mut out).and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    });
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) if broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", paragraph(&error));
            ExitCode::from(2)
        }
    }
}

fn command(command: Command, out: &mut dyn Write) -> Result {
    match command {
        Command::Models(args) => super::models::run(&args, out),
        Command::Train(args) => super::train::run(&args, out),
        Command::Sample(args) => super::sample::run(&args, out),
        Command::Check(args) => super::check::run(&args, out),
        Command::Bench(args) => super::bench::run(&args, out),
        Command::Plan(args) => super::plan::run(&args, out),
        Command::Devices(args) => super::devices::run(&args, out),
        Command::Selftest(args) => super::selftest::run(&args, out),
        Command::Tune(args) => super::tune::run(&args, out),
        Command::Simulate(args) => super::simulate::run(&args, out),
        Command::New(args) => super::new::run(&args, out),
    }
}

/// `couplet ... | head` closes our output early, which is not an error. Only errors of writing to it count, not those
/// of a file or of a device, which carry a path or a name.
fn broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// One line, ending in a full stop.
fn paragraph(error: &anyhow::Error) -> String {
    // Our own errors already quote their source.
    let text = match error.downcast_ref::<crate::error::Error>() {
        Some(own) => own.to_string(),
        None => format!("{error:#}"),
    };
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !line.ends_with(['.', '?', '!']) {
        line.push('.');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn an_error_is_one_paragraph_that_says_each_thing_once() {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let error = anyhow::Error::from(crate::error::Error::io("read", "a/b.csv", gone()));
        let text = paragraph(&error);
        assert_eq!(text.matches("not found").count(), 1, "{text}");
        assert!(
            text.starts_with("cannot read `a/b.csv`: ") && text.ends_with('.') && !text.contains('\n'),
            "{text}"
        );
        assert_eq!(paragraph(&anyhow::anyhow!("a\n  b")), "a b.");
    }

    #[test]
    fn only_our_own_output_may_break() {
        let pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(broken_pipe(&pipe().into()));
        assert!(!broken_pipe(&crate::error::Error::io("write", "draws.csv", pipe()).into()));
        assert!(!broken_pipe(&io::Error::from(io::ErrorKind::StorageFull).into()));
    }
}

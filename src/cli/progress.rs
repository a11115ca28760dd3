//! Progress on stderr: a bar in a terminal, a line every few seconds elsewhere.
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::number::{duration, grouped};
use crate::train::Progress;

/// Time between lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// Shows progress.
pub(super) struct Display {
    bar: Option<ProgressBar>,
    quiet: bool,
    /// When the last line was printed, and its step.
    shown: Option<(Instant, u64)>,
}

impl Display {
    /// A bar if stderr is a terminal, else lines; nothing if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            // A template that does not parse leaves the default style.
            if let Ok(style) = style {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar
        });
        Self { bar, quiet, shown: None }
    }

    /// Takes a report of the trainer.
    pub fn update(&mut self, p: &Progress<'_>) {
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => {
                if let Some(message) = p.message {
                    bar.println(message);
                }
                bar.set_length(p.steps);
                bar.set_position(p.step);
                bar.set_message(text(p));
            }
            None => {
                if let Some(message) = p.message {
                    line(message);
                }
                let due = self.shown.is_none_or(|(at, _)| at.elapsed() >= EVERY)
                    || (p.step == p.steps && p.steps > 0);
                let new = p.pool.is_some() || p.step > 0 && self.shown.is_none_or(|(_, step)| step != p.step);
                if due && new {
                    self.shown = Some((Instant::now(), p.step));
                    line(&format!("step {}/{}  {}", p.step, p.steps, text(p)));
                }
            }
        }
    }

    /// Removes the bar.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn text(p: &Progress<'_>) -> String {
    if let Some((done, wanted)) = p.pool {
        return format!("simulating the pool: {} of {} data sets", grouped(done), grouped(wanted));
    }
    let mut text = format!("loss {:.3}", p.loss);
    if let Some(validation) = p.validation {
        text.push_str(&format!("  validation {validation:.3}"));
    }
    // Before the first step there is no speed to tell.
    if p.steps_per_second > 0.0 {
        text.push_str(&format!("  {:.0} steps/s  ETA {}", p.steps_per_second, duration(p.eta_seconds)));
    }
    if p.masked > 0 {
        text.push_str(&format!("  {} simulations masked", p.masked));
    }
    if p.skipped > 0 {
        text.push_str(&format!("  {} steps skipped", p.skipped));
    }
    text
}

/// A closed stderr is no reason to stop training.
fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

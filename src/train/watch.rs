//! What the session does between steps: logs, roll-backs, validation, saving, reports.
use crate::error::{Error, Result};
use crate::runtime::exec::Weights;
use crate::runtime::plan::meta;
use crate::runtime::state::RunArgs;
use crate::train::checkpoint::Counters;
use crate::train::run::{Metric, Progress, Summary};
use crate::train::session::{CHUNK_ROWS, Session, check_bad};
use std::ops::ControlFlow;
use std::time::Instant;

/// Drops of the learning rate on a validation loss that stands still, and the factor of each.
const DROPS: u32 = 2;
const DROP: f32 = 0.2;
/// Non-finite steps in a row that cause a roll-back, and roll-backs that end training.
const BAD_STEPS: u64 = 10;
const ROLLBACKS: u32 = 3;

impl Session<'_> {
    /// Reads the logs of the last `n` steps; true when they were bad enough for a roll-back.
    pub(super) fn take_logs(&mut self, n: usize) -> Result<bool> {
        let batch = self.batch() as u64;
        for log in self.exec.logs()? {
            let c = &mut self.counters;
            c.masked += log.masked as u64;
            if log.skipped > 0.0 {
                c.skipped += 1;
                self.bad_in_a_row += 1;
            } else {
                self.bad_in_a_row = 0;
                c.loss_sum += f64::from(log.loss);
                c.norm_sum += f64::from(log.norm);
                c.loss_steps += 1;
            }
        }
        let rows = (self.step + n as u64) * batch;
        if rows >= 10_000 {
            check_bad(self.counters.masked, rows, self.settings().max_bad)?;
        }
        Ok(self.bad_in_a_row >= BAD_STEPS)
    }

    pub(super) fn roll_back(&mut self) -> Result<()> {
        self.counters.rollbacks += 1;
        self.bad_in_a_row = 0;
        if self.counters.rollbacks > ROLLBACKS {
            let lr = self.settings().peak_rate() * f64::from(self.counters.lr_factor);
            return Err(Error::Training {
                step: self.step,
                problem: format!(
                    "{BAD_STEPS} gradients in a row were not finite, also after {ROLLBACKS} roll-backs (learning rate {lr:.1e})"
                ),
                hint: "Lower `train.lr`, or look at the simulator's output for extreme values".into(),
            });
        }
        self.counters.lr_factor *= 0.5;
        self.exec.restore(&self.good)?;
        self.step = u64::from(self.good.state.step);
        // what the callback answers is heard at the next report
        let _ = self.report(Some("gradients were not finite: rolled back with half the learning rate"));
        Ok(())
    }

    /// Validation loss of the averaged weights; true when patience has run out.
    pub(super) fn validate(&mut self) -> Result<bool> {
        let total = self.validation_rows;
        if total == 0 {
            return Ok(false);
        }
        if let Some((summaries, rows)) = &mut self.summaries {
            let rows = summaries.rows(self.exec.as_mut(), &self.network, rows)?;
            self.exec.set_table(self.loss, &rows)?;
        }
        let mut sum = 0.0;
        for row0 in (0..total).step_by(CHUNK_ROWS) {
            let rows = CHUNK_ROWS.min(total - row0);
            let run = RunArgs {
                rows: rows as u32,
                row0: row0 as u32,
                batch: total as u32,
                draws: 1,
                ..RunArgs::default()
            };
            self.exec.run(self.loss, &run, Weights::Average)?;
            let m = self.exec.read(self.loss, self.loss_meta, rows, 4)?;
            sum += m.chunks_exact(4).map(|m| f64::from(m[meta::LOSS])).sum::<f64>();
        }
        let loss = (sum / total as f64) as f32;
        let step = self.step;
        let patience = self.settings().patience.unwrap_or(20) as u64;
        let c = &mut self.counters;
        c.validation = Some(loss);
        if self.split.is_none() {
            c.best_step = step; // online nothing overfits: the last average is kept
            return Ok(false);
        }
        if loss.is_finite() && c.best.is_none_or(|b| loss < b) {
            (c.best, c.best_step) = (Some(loss), step);
            self.best = Some(self.good.average.clone());
        }
        let since = step - self.counters.best_step.max(self.counters.drop_step);
        Ok(since / self.epoch_steps().unwrap_or(1).max(1) as u64 >= patience)
    }

    /// The validation loss stands still: goes on from the best weights with a lower rate; true when that has been
    /// done often enough.
    pub(super) fn drop_rate(&mut self) -> Result<bool> {
        let Some(best) = self.best.as_ref().filter(|_| self.counters.drops < DROPS) else { return Ok(true) };
        self.counters.drops += 1;
        self.counters.drop_step = self.step;
        self.counters.lr_factor *= DROP;
        self.good.params.clone_from(best);
        self.good.average.clone_from(best);
        self.exec.restore(&self.good)?;
        Ok(false)
    }

    pub(super) fn log_metric(&mut self) -> Result<()> {
        let seconds = self.seconds();
        let c = &mut self.counters;
        let n = c.loss_steps.max(1) as f64;
        c.loss = (c.loss_sum / n) as f32;
        let metric = Metric {
            step: u64::from(self.good.state.step),
            loss: c.loss,
            validation: c.validation,
            norm: (c.norm_sum / n) as f32,
            lr: self.good.state.lr,
            seconds,
        };
        (c.loss_sum, c.norm_sum, c.loss_steps) = (0.0, 0.0, 0);
        self.folder.as_ref().map_or(Ok(()), |f| f.append_metric(&metric))
    }

    pub(super) fn seconds(&self) -> f64 {
        self.counters.seconds + self.started.elapsed().as_secs_f64()
    }

    /// Writes weights, then state. `good` must be up to date.
    pub(super) fn save(&mut self) -> Result<()> {
        let Some(f) = &self.folder else { return Ok(()) };
        let summary = self.summary(false, false);
        let values = self.best.as_deref().unwrap_or(&self.good.average);
        f.save_weights(&self.model.config, &self.network.table, values, &self.standardiser, &summary)?;
        let counters = Counters { seconds: self.seconds(), ..self.counters.clone() };
        f.save_state(&self.model.config, &self.good, self.best.as_deref(), &self.standardiser, &counters)
    }

    pub(super) fn summary(&self, stopped_early: bool, interrupted: bool) -> Summary {
        let c = &self.counters;
        let drawn = self.step * self.batch() as u64;
        let mut tilings = vec![];
        for tiling in self.tilings() {
            if !tilings.contains(&tiling) {
                tilings.push(tiling);
            }
        }
        Summary {
            steps: self.step,
            seconds: self.seconds(),
            loss: if c.loss_steps > 0 { (c.loss_sum / c.loss_steps as f64) as f32 } else { c.loss },
            validation: c.best.or(c.validation),
            best_step: c.best_step,
            stopped_early,
            interrupted,
            simulations: self.split.as_ref().map_or(drawn, |s| (s.n + s.n_validation) as u64),
            skipped: c.skipped,
            masked: c.masked,
            parameters: self.network.table.count() as u64,
            device: self.device.name(),
            tilings,
        }
    }

    /// A report, unless the last one was `shown` a moment ago.
    pub(super) fn look(&mut self, shown: &mut Instant) -> ControlFlow<()> {
        if shown.elapsed().as_secs_f64() <= 0.2 {
            return ControlFlow::Continue(());
        }
        *shown = Instant::now();
        self.report(None)
    }

    pub(super) fn report(&mut self, message: Option<&str>) -> ControlFlow<()> {
        let Some(callback) = &mut self.callback else { return ControlFlow::Continue(()) };
        let c = &self.counters;
        let (step, seconds) = (self.step, self.started.elapsed().as_secs_f64());
        let total_seconds = c.seconds + seconds;
        let pool = self
            .pool
            .as_ref()
            .map(|p| p.state(step, c.total))
            .filter(|(done, wanted)| done < wanted && step < c.total);
        // Of this session's steps alone: what came before them, such as a pool, says nothing of their speed.
        let made = step.saturating_sub(self.first_step) as f64;
        let rate = made / (seconds - self.filling).max(1e-9);
        callback(&Progress {
            step,
            steps: c.total,
            loss: if c.loss_steps > 0 { (c.loss_sum / c.loss_steps as f64) as f32 } else { c.loss },
            validation: c.validation,
            steps_per_second: rate,
            seconds: total_seconds,
            eta_seconds: if made > 0.0 { c.total.saturating_sub(step) as f64 / rate } else { 0.0 },
            skipped: c.skipped,
            masked: c.masked,
            pool,
            message,
        })
    }
}

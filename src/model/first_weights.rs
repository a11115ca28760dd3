//! First weights: drawn at random where nothing is known, and from simulated data sets where these say better.
use crate::data::items::row_width;
use crate::error::Result;
use crate::flow::actnorm;
use crate::model::network::Network;
use crate::model::summaries::{Stage, Summaries};
use crate::optim;
use crate::rng::{Rng, streams};
use crate::runtime::cpu_exec::CpuExec;
use crate::runtime::exec::{Executor, Snapshot};
use crate::runtime::params::{Init, Param, ParamTable};
use crate::runtime::state::{RunArgs, State};
use crate::runtime::tile::Slot;
use crate::sim::cholesky;
use crate::summary::{Kind, Summary};

impl Network {
    /// First weights: random matrices (stream INIT); the steps and the whitening of distribution functions after the items of
    /// `pairs`; then ActNorm set block by block so that each block's output has mean 0 and sd 1 on `pairs`, a table of
    /// standardised `(u, x)` rows, or `u | n | items` where there is a summary network. Always computed on the CPU, so every
    /// device starts from the same bits.
    pub fn initial(&self, seed: u64, pairs: &[f32]) -> Result<Snapshot> {
        let n = self.table.len;
        let mut params = vec![0.0; n];
        for (i, p) in self.table.entries.iter().enumerate() {
            let mut rng = Rng::new(seed, streams::INIT, 0, i as u32);
            let plain: Vec<f32> = (0..p.rows * p.cols)
                .map(|_| match p.init {
                    Init::Constant(c) => c,
                    Init::Normal(sd) => sd * rng.normal(),
                })
                .collect();
            ParamTable::pad_into(p, &plain, &mut params);
        }
        let state = State::new(seed);
        let mut snapshot =
            Snapshot { params, average: vec![], first: vec![0.0; n], second: vec![0.0; n], state };
        if !pairs.is_empty() {
            if let Some(summary) = self.summary.as_ref().filter(|s| s.shape.kind == Kind::Ecdf) {
                self.init_ecdf(&mut snapshot, summary, pairs)?;
            }
            if self.flow.shape.actnorm {
                let rows = match &self.summary {
                    None => pairs.to_vec(),
                    Some(summary) => {
                        let mut exec = self.executor(&snapshot)?;
                        Summaries::new(summary, Stage::Condition).rows(&mut exec, self, pairs)?
                    }
                };
                self.init_actnorm(&mut snapshot, &rows)?;
            }
        }
        snapshot.average = snapshot.params.clone();
        Ok(snapshot)
    }

    /// An executor with the snapshot's weights, in both places: which of them is asked for plays no part here.
    fn executor(&self, snapshot: &Snapshot) -> Result<CpuExec> {
        let mut exec = CpuExec::new(self.table.clone(), &optim::STEP);
        exec.restore(&Snapshot { average: snapshot.params.clone(), ..snapshot.clone() })?;
        Ok(exec)
    }

    fn init_ecdf(&self, snapshot: &mut Snapshot, summary: &Summary, pairs: &[f32]) -> Result<()> {
        let ((d, _), f, most) = (self.dims(), summary.shape.data.features(), summary.shape.data.items().1);
        let sets = || pairs.chunks_exact(row_width(d, f, most)).map(|row| &row[d..]);
        let items: Vec<f32> = sets().flat_map(|row| &row[1..][..row[0] as usize * f]).copied().collect();
        spread(&self.table, &mut snapshot.params, &items, f);
        let table: Vec<f32> = sets().flatten().copied().collect();
        let mut exec = self.executor(snapshot)?;
        let found = Summaries::new(summary, Stage::Findings).of(&mut exec, self, &table)?;
        whiten(&self.table, &mut snapshot.params, &found, summary.found());
        Ok(())
    }

    fn init_actnorm(&self, snapshot: &mut Snapshot, pairs: &[f32]) -> Result<()> {
        let (d, c) = self.dims();
        let rows = pairs.len() / (d + c);
        let plan = self.loss_plan();
        let at: Vec<usize> =
            (0..plan.calls.len()).filter(|&i| plan.calls[i].def.name == actnorm::FORWARD.name).collect();
        let inputs: Vec<actnorm::ActnormArgs> = at.iter().map(|&i| plan.calls[i].args()).collect();
        let (wa, wb) = actnorm::widths(d);
        let mut exec = CpuExec::new(self.table.clone(), &optim::STEP);
        let id = exec.prepare(plan, rows)?;
        exec.set_table(id, pairs)?;
        let pad = exec.capacity(id) as u32;
        let run = RunArgs { rows: rows as u32, pad, batch: rows as u32, draws: 1, ..RunArgs::default() };
        let mut done = 0;
        for (&call, a) in at.iter().zip(&inputs) {
            // the average is what `restore` wants; it plays no part here
            exec.restore(&Snapshot { average: snapshot.params.clone(), ..snapshot.clone() })?;
            exec.run_calls(id, &run, done..call);
            done = call;
            let halves = [(a.u_a, wa, 0, d / 2), (a.u_b, wb, d / 2, d - d / 2)];
            for (at, width, first, count) in halves {
                let values = exec.read(id, Slot { at, width: width as u32 }, rows, count)?;
                for j in 0..count {
                    let column = || values.iter().skip(j).step_by(count).map(|&v| f64::from(v));
                    let mean = column().sum::<f64>() / rows as f64;
                    let sd = (column().map(|v| (v - mean).powi(2)).sum::<f64>() / rows as f64).sqrt();
                    let l = -(sd + 1e-6).ln();
                    snapshot.params[a.log_scale as usize + first + j] = l as f32;
                    snapshot.params[a.shift as usize + first + j] = (-mean * l.exp()) as f32;
                }
            }
        }
        Ok(())
    }
}

/// Values of a column that its quantiles are taken from.
const QUANTILE_VALUES: usize = 1 << 18;
/// Steps of a distribution function are at least so wide, in standard deviations: values may repeat.
const NARROWEST: f32 = 0.02;

fn named<'a>(table: &'a ParamTable, name: &str) -> &'a Param {
    table.entries.iter().find(|p| p.name == name).expect("declared by the summary network")
}

/// Steps of smoothed distribution functions at the quantiles `(k + 1/2)/K` of each column of `items`, as wide as the way
/// to their neighbours; and each column beside its mirror image, whose largest is its smallest.
fn spread(table: &ParamTable, params: &mut [f32], items: &[f32], f: usize) {
    if items.is_empty() {
        return;
    }
    let steps = named(table, "summary.steps.weight");
    let (all, k) = (steps.cols, steps.cols / f);
    let (mut weight, mut bias) = (vec![0.0; f * all], vec![0.0; all]);
    for j in 0..f {
        let stride = (items.len() / f / QUANTILE_VALUES).max(1);
        let mut values: Vec<f32> = items.iter().skip(j).step_by(f * stride).copied().collect();
        values.sort_unstable_by(f32::total_cmp);
        let at = |i: usize| values[((i as f64 + 0.5) / k as f64 * values.len() as f64) as usize];
        for i in 0..k {
            let (before, after) = (i.saturating_sub(1), (i + 1).min(k - 1));
            let gap = ((at(after) - at(before)) / (after - before).max(1) as f32).max(NARROWEST);
            weight[j * all + j * k + i] = 0.5 / gap;
            bias[j * k + i] = -0.5 / gap * at(i);
        }
    }
    let mut mirror = vec![0.0; f * 2 * f];
    for j in 0..f {
        mirror[j * 2 * f + j] = 1.0;
        mirror[j * 2 * f + f + j] = -1.0;
    }
    ParamTable::pad_into(steps, &weight, params);
    ParamTable::pad_into(named(table, "summary.steps.bias"), &bias, params);
    ParamTable::pad_into(named(table, "summary.mirror.weight"), &mirror, params);
}

/// Directions of less than this part of all variance count as noise of f32 and of the sample.
const RIDGE: f64 = 1e-4;
/// The same where there are fewer data sets than twice the columns: their small directions are an accident.
const RIDGE_OF_FEW: f64 = 1e-2;

/// Sets `W` and `b` so that `f W + b` has mean 0 and covariance 1 over the rows of `found` (n, k): with standard deviations D and
/// `R + ridge m I = L L'` for the correlations R of the m columns that vary, `W = D^-1 L^-T`; so covariance 1 but for the ridge.
fn whiten(table: &ParamTable, params: &mut [f32], found: &[f32], k: usize) {
    let n = found.len() / k;
    let column = |j: usize| found.iter().skip(j).step_by(k).map(|&v| f64::from(v));
    let mean: Vec<f64> = (0..k).map(|j| column(j).sum::<f64>() / n as f64).collect();
    let sd: Vec<f64> =
        (0..k).map(|j| (column(j).map(|v| (v - mean[j]).powi(2)).sum::<f64>() / n as f64).sqrt()).collect();
    let varies: Vec<usize> = (0..k).filter(|&j| sd[j] > 1e-5 * (1.0 + mean[j].abs())).collect();
    let m = varies.len();
    if m == 0 {
        return; // one data set, or all alike
    }
    let mut scatter = vec![0.0; m * m];
    let mut z = vec![0.0; m];
    for row in found.chunks_exact(k) {
        z.iter_mut().zip(&varies).for_each(|(z, &j)| *z = (f64::from(row[j]) - mean[j]) / sd[j]);
        for (i, sums) in scatter.chunks_exact_mut(m).enumerate() {
            sums[..=i].iter_mut().zip(&z).for_each(|(s, v)| *s += z[i] * v);
        }
    }
    let ridge = m as f64 * if n < 2 * m { RIDGE_OF_FEW } else { RIDGE };
    scatter.iter_mut().for_each(|s| *s /= n as f64);
    (0..m).for_each(|i| scatter[i * m + i] += ridge);
    let lower = cholesky(&scatter, m).expect("a correlation matrix with a ridge is positive definite");

    let (mut weight, mut bias) = (vec![0.0; k * k], vec![0.0; k]);
    for (i, &from) in varies.iter().enumerate() {
        // column i of L^-1
        let mut column = vec![0.0; m];
        for r in i..m {
            let dot: f64 = (i..r).map(|c| lower[r * m + c] * column[c]).sum();
            column[r] = (f64::from(u8::from(r == i)) - dot) / lower[r * m + r];
        }
        for (&to, v) in varies.iter().zip(&column) {
            weight[from * k + to] = (v / sd[from]) as f32;
            bias[to] -= mean[from] * v / sd[from];
        }
    }
    let bias: Vec<f32> = bias.iter().map(|&b| b as f32).collect();
    for (name, values) in [("summary.whiten.weight", &weight), ("summary.whiten.bias", &bias)] {
        ParamTable::pad_into(named(table, name), values, params);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::SummaryShape;
    use crate::{layers::activation::Activation, sim::DataShape};

    fn table(features: usize, width: usize) -> (ParamTable, Vec<f32>, usize) {
        let mut table = ParamTable::default();
        let shape = SummaryShape {
            kind: Kind::Ecdf,
            data: DataShape::Set { features, min: 1, max: 9 },
            width,
            modules: 1,
            outputs: 2,
            activation: Activation::Silu,
            dropout: 0.0,
        };
        let found = Summary::declare(&mut table, &shape).found();
        let params = vec![0.0; table.len];
        (table, params, found)
    }
    fn values(table: &ParamTable, params: &[f32], name: &str) -> Vec<f32> {
        ParamTable::unpad(named(table, name), params)
    }

    /// Column 0 is uniform on (0, 1), column 1 is 5 in every item.
    #[test]
    fn steps_stand_at_the_quantiles_and_are_as_wide_as_their_neighbours_are_far() {
        let (table, mut params, _) = table(2, 10);
        let items: Vec<f32> = (0..10_000).flat_map(|i| [(i * 7919 % 10_000) as f32 / 1e4, 5.0]).collect();
        spread(&table, &mut params, &items, 2);
        let (weight, bias) =
            (values(&table, &params, "summary.steps.weight"), values(&table, &params, "summary.steps.bias"));
        for k in 0..10 {
            let (slope, other) = (weight[k], weight[20 + k]);
            assert!((-bias[k] / slope - (k as f32 + 0.5) / 10.0).abs() < 1e-3, "{k}");
            assert!((slope - 5.0).abs() < 0.01 && other == 0.0, "{slope} {other}");
            let (slope, other) = (weight[20 + 10 + k], weight[10 + k]);
            assert!((-bias[10 + k] / slope - 5.0).abs() < 1e-5 && slope == 0.5 / NARROWEST && other == 0.0);
        }
        assert_eq!(
            values(&table, &params, "summary.mirror.weight"),
            [1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, -1.0]
        );
        let before = params.clone();
        spread(&table, &mut params, &[], 2);
        assert_eq!(params, before, "data sets without items say nothing");
    }

    #[test]
    fn data_sets_that_are_alike_say_nothing() {
        let (table, mut params, k) = table(1, 8);
        for sets in [1, 3] {
            whiten(&table, &mut params, &vec![2.0; sets * k], k);
            assert!(params.iter().all(|&p| p == 0.0));
        }
    }

    /// Columns 0 and 1 are almost the same, of which the ridge leaves a part; column 2 never varies.
    #[test]
    fn findings_become_white() {
        let (table, mut params, k) = table(1, 8);
        let mut rng = Rng::new(1, streams::TEST, 0, 0);
        let mut found = vec![];
        for _ in 0..4000 {
            let common = rng.normal();
            found.extend((0..k).map(|j| match j {
                0 => 3.0 + common,
                1 => common + 0.2 * rng.normal(),
                2 => 7.0,
                _ => 0.2 * rng.normal(),
            }));
        }
        whiten(&table, &mut params, &found, k);
        let (weight, bias) = (
            values(&table, &params, "summary.whiten.weight"),
            values(&table, &params, "summary.whiten.bias"),
        );
        let white: Vec<Vec<f64>> = found
            .chunks_exact(k)
            .map(|row| {
                let at = |j: usize| (0..k).map(|i| f64::from(row[i] * weight[i * k + j])).sum::<f64>();
                (0..k).map(|j| at(j) + f64::from(bias[j])).collect()
            })
            .collect();
        for a in 0..k {
            assert!(white.iter().map(|w| w[a]).sum::<f64>().abs() / 4000.0 < 1e-4);
            for b in 0..k {
                let covariance = white.iter().map(|w| w[a] * w[b]).sum::<f64>() / 4000.0;
                let want = f64::from(u8::from(a == b && a != 2));
                assert!((covariance - want).abs() < 0.1, "{a} {b}: {covariance}");
                assert!(a.min(b) < 2 || (covariance - want).abs() < 0.01, "{a} {b}: {covariance}");
            }
        }
    }
}

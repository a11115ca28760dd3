//! Rules of `[data]` and `[summary]`: which shape the data have, and which network looks at them.
use super::choice::{DataKind, Mode, SummaryKind};
use super::form::Config;
use super::line::Fault;
use crate::sim::DataShape;

/// Most items of a data set.
pub(super) const MAX_ITEMS: u64 = 1 << 20;

/// Most steps of `ecdf`, whose whitening is a matrix of so many rows and columns.
const MAX_STEPS: usize = 2048;

/// Fills `[summary]` and refuses what does not fit the data. `dim`: number of parameters.
pub(super) fn resolve(config: &mut Config, dim: usize) -> Result<(), Fault> {
    declared(config)?;
    let Some(shape) = shape(config)? else {
        // Only a simulator of the program's own comes later; it is then asked again.
        config.summary.kind.get_or_insert(SummaryKind::Identity);
        return Ok(());
    };
    let kind = *config.summary.kind.get_or_insert(choice(&shape));
    if !fits(kind, &shape) {
        let what = match shape {
            DataShape::Vector { .. } => "vectors",
            DataShape::Set { .. } => "sets",
            DataShape::Series { .. } => "series",
            DataShape::Field { .. } => "fields",
        };
        let problem = format!("expected a network for {what}, such as `{}`, found `{kind}`", choice(&shape));
        let hint = "Leave `kind` out, or change `kind` under `[data]`";
        return Err(Fault::new(&["summary", "kind"], problem, hint));
    }
    let steps = shape.features() * config.summary.width.unwrap_or(64);
    if kind == SummaryKind::Ecdf && steps > MAX_STEPS {
        let problem =
            format!("expected `width` times the columns of an item to be at most {MAX_STEPS}, found {steps}");
        return Err(Fault::new(&["summary", "width"], problem, "Lower it, or take `deep-set`"));
    }
    if kind != SummaryKind::Identity {
        let s = &mut config.summary;
        s.width.get_or_insert(64);
        s.modules.get_or_insert(if matches!(kind, SummaryKind::Lstm | SummaryKind::Gru) { 1 } else { 2 });
        s.outputs.get_or_insert((4 * dim).clamp(16, 64));
    }
    Ok(())
}

/// Whether a pool goes with the data and the way of training.
pub(super) fn pool(config: &Config) -> Result<(), Fault> {
    let train = &config.train;
    let fault = |key: &str, problem: &str, hint: &str| Err(Fault::new(&["train", key], problem, hint));
    if train.rounds.is_some() && train.pool.is_none() {
        return fault("rounds", "expected `rounds` only with `pool`", "Remove it, or set `pool`");
    }
    if train.windows.is_some() && train.pool.is_none() {
        return fault("windows", "expected `windows` only with `pool`", "Remove it, or set `pool`");
    }
    if train.rounds > train.pool {
        return fault("rounds", "expected at most one round for each data set of `pool`", "Use fewer rounds");
    }
    if train.pool.is_none() {
        return Ok(());
    }
    if train.mode != Some(Mode::Online) {
        return fault("pool", "expected `pool` only with `mode = \"online\"`", "Remove it, or train online");
    }
    match shape(config)? {
        Some(DataShape::Vector { .. } | DataShape::Field { .. }) => {
            fault("pool", "expected `pool` only for sets and series", "Remove it")
        }
        Some(DataShape::Set { .. }) if train.windows == Some(true) => {
            fault("windows", "expected `windows` only for series", "Remove it: items of sets have no order")
        }
        _ => Ok(()),
    }
}

/// The network that fits the data where the file names none.
fn choice(shape: &DataShape) -> SummaryKind {
    match shape {
        DataShape::Vector { .. } => SummaryKind::Identity,
        DataShape::Set { .. } => SummaryKind::DeepSet,
        DataShape::Series { .. } => SummaryKind::ConvGru,
        DataShape::Field { .. } => SummaryKind::ConvField,
    }
}

/// Whether a network can look at such data.
fn fits(kind: SummaryKind, shape: &DataShape) -> bool {
    use SummaryKind::*;
    match kind {
        Identity => shape.is_vector(),
        DeepSet | Ecdf | SetTransformer => !shape.is_vector(),
        Lstm | Gru | Conv | ConvGru | Transformer => matches!(shape, DataShape::Series { .. }),
        ConvField | ResidualField => matches!(shape, DataShape::Field { .. }),
    }
}

/// The shape of the data, where file and built-in simulator know it.
fn shape(config: &Config) -> Result<Option<DataShape>, Fault> {
    let builtin = config.simulator.builtin.as_deref().and_then(crate::sim::builtin);
    match builtin {
        Some(simulator) => narrowed(simulator.shape(), &config.data.size).map(Some).map_err(|problem| {
            Fault::new(&["data", "size"], problem, "Remove it, or keep to the simulator's range")
        }),
        None => Ok(config.data.declared()),
    }
}

/// A simulator's shape with the sizes that the file asks for.
pub(crate) fn narrowed(shape: DataShape, size: &[usize]) -> Result<DataShape, String> {
    let (Some(&first), Some(&last)) = (size.first(), size.last()) else { return Ok(shape) };
    let (least, most) = shape.items();
    let within = least <= first && first <= last && last <= most;
    match shape {
        DataShape::Set { features, .. } if within => Ok(DataShape::Set { features, min: first, max: last }),
        DataShape::Series { features, .. } if within => {
            Ok(DataShape::Series { features, min: first, max: last })
        }
        DataShape::Set { .. } | DataShape::Series { .. } => {
            Err(format!("expected sizes from {least} to {most}, found {first} to {last}"))
        }
        _ => Err("expected no `size` for data of one size, found one".into()),
    }
}

/// Whether `kind`, `features`, `size` and `shape` go together.
fn declared(config: &Config) -> Result<(), Fault> {
    let data = &config.data;
    let fault = |key: &str, problem: &str, hint: &str| Err(Fault::new(&["data", key], problem, hint));
    if config.simulator.builtin.is_some() {
        if data.kind.is_some() || !data.shape.is_empty() {
            let key = if data.kind.is_some() { "kind" } else { "shape" };
            let problem = format!("expected no `{key}` with a built-in simulator, found one");
            return fault(key, &problem, "Remove it: the simulator knows its data");
        }
        return Ok(());
    }
    let kind = data.kind.unwrap_or(DataKind::Vector);
    let (sized, shaped) = (matches!(kind, DataKind::Set | DataKind::Series), kind == DataKind::Field);
    if !sized && !data.size.is_empty() {
        return fault("size", "expected `size` only for sets and series", "Remove it, or change `kind`");
    }
    if !shaped && !data.shape.is_empty() {
        return fault("shape", "expected `shape` only for fields", "Remove it, or change `kind`");
    }
    if data.size.len() == 2 && data.size[0] > data.size[1] {
        return fault("size", "expected the fewest items first, then the most", "Exchange the two numbers");
    }
    // A simulator of the program's own brings what is missing.
    let complete = config.simulator.custom.is_some() && data.features.is_none();
    if sized && data.size.is_empty() && !complete {
        return fault("size", "expected the number of items, found nothing", "Write `size = [FEWEST, MOST]`");
    }
    if shaped && data.shape.len() != 2 && !complete {
        return fault("shape", "expected two numbers", "Write `shape = [HEIGHT, WIDTH]`");
    }
    if kind != DataKind::Vector && data.features.is_none() && !complete {
        return fault("features", "expected the values of an item, found nothing", "Write `features = F`");
    }
    Ok(())
}

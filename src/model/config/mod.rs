//! The model file: its form, its keys and their limits, its reading, its enumerations, the text of a prior.
mod choice;
pub(crate) mod data;
mod form;
mod joint;
mod line;
mod prior;
mod read;
mod rules;
mod schema;
#[cfg(test)]
mod tests;

pub use choice::{
    Activation, Base, DataKind, DataTransform, Mode, ObjectiveKind, Permutation, SummaryKind, Support,
    TransformKind,
};
pub use form::{
    Config, DataConfig, FlowConfig, ObjectiveConfig, ParameterConfig, SimulatorConfig, SummaryConfig,
    TrainConfig,
};
pub use prior::{Family, Number, PriorText};
pub use read::{BUILTIN, VERSION};

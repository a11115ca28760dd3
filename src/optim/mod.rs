//! Optimiser: weight gradients over the batch, global-norm clip, AdamW, moving average.
pub mod adamw;
pub mod weight_grad;

use crate::runtime::step::StepKernels;

/// The launches that end a training step.
pub static STEP: StepKernels = StepKernels {
    grad_source: concat!(
        include_str!("../../shaders/optim/weight_grad.wgsl"),
        include_str!("../../shaders/optim/weight_grad_square.wgsl"),
        include_str!("../../shaders/optim/weight_grad_strip.wgsl"),
        include_str!("../../shaders/optim/weight_grad_end.wgsl"),
    ),
    update_source: include_str!("../../shaders/optim/adamw.wgsl"),
    grad_cpu: weight_grad::part_cpu,
    sum_cpu: weight_grad::sum_cpu,
    items_cpu: weight_grad::items_cpu,
    squares_cpu: weight_grad::sum_of_squares,
    update_cpu: adamw::update_cpu,
};

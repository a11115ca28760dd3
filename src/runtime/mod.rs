//! The machine room: what a kernel, a plan and a device are, and the two executors. Nothing outside this folder names `wgpu`.
pub mod adapter;
pub mod args;
pub mod choices;
pub mod cpu_exec;
pub mod cpu_plan;
pub mod device;
pub mod exec;
mod flight;
pub mod gpu;
pub mod gpu_exec;
mod gpu_plan;
mod jobs;
pub mod kernel;
pub mod launches;
pub mod memory;
mod pace;
pub mod params;
pub mod pipeline;
pub mod plan;
pub mod recorder;
pub mod snippets;
pub mod state;
pub mod step;
pub mod team;
mod team_size;
pub mod tile;
pub mod tiling;
pub mod wgsl;
pub mod tune;
mod words;

pub use adapter::{AdapterLine, GpuRequest, adapters};
pub use device::{Device, DeviceChoice};
pub use tiling::Tiling;
/// For hosts that lend their device: types of other major versions do not fit.
pub use wgpu;

//! Which device does the work.
use crate::error::{Error, Result};
use crate::runtime::adapter::GpuRequest;
use crate::runtime::choices::Choices;
use crate::runtime::cpu_exec::CpuExec;
use crate::runtime::exec::Executor;
use crate::runtime::gpu::Gpu;
use crate::runtime::gpu_exec::GpuExec;
use crate::runtime::params::ParamTable;
use crate::runtime::step::StepKernels;
use std::sync::Arc;

/// What the user asked for: `auto`, `cpu`, `gpu` or `gpu:NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best GPU, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The best GPU, or the one whose name contains this text.
    Gpu(Option<String>),
}

impl std::str::FromStr for DeviceChoice {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "gpu" => Ok(Self::Gpu(None)),
            Some(("gpu", name)) if !name.is_empty() => Ok(Self::Gpu(Some(name.into()))),
            _ => Err(Error::config(
                "--device",
                format!("expected auto, cpu, gpu or gpu:NAME, found `{text}`"),
                "`couplet devices` lists the names",
            )),
        }
    }
}

/// An opened device.
#[derive(Clone)]
pub enum Device {
    /// The CPU, all cores.
    Cpu,
    /// A GPU.
    Gpu(Arc<Gpu>),
}

impl DeviceChoice {
    /// Opens the device. `auto` takes hardware only: software adapters are slower than our own CPU code. On a GPU the tilings
    /// that `couplet tune` stored are in use.
    ///
    /// # Errors
    /// For `gpu` and `gpu:NAME`, see [`Gpu::open`].
    pub fn open(&self) -> Result<Device> {
        let request = |name: &Option<String>| GpuRequest {
            name: name.clone(),
            tilings: Choices::file(),
            ..GpuRequest::default()
        };
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Gpu(name) => Gpu::open(&request(name)).map(Device::Gpu),
            Self::Auto => Ok(Gpu::open(&request(&None)).map_or(Device::Cpu, Device::Gpu)),
        }
    }
}

impl Device {
    /// A name for logs.
    pub fn name(&self) -> String {
        match self {
            Self::Cpu => "cpu".into(),
            Self::Gpu(gpu) => gpu.info.name.clone(),
        }
    }
    /// Whether it is the CPU.
    pub fn is_cpu(&self) -> bool {
        matches!(self, Self::Cpu)
    }
    /// An executor on this device.
    ///
    /// # Errors
    /// [`Error::Gpu`] if memory does not suffice.
    pub fn executor(
        &self,
        table: Arc<ParamTable>,
        kernels: &'static StepKernels,
    ) -> Result<Box<dyn Executor>> {
        match self {
            Self::Cpu => Ok(Box::new(CpuExec::new(table, kernels))),
            Self::Gpu(gpu) => Ok(Box::new(GpuExec::new(gpu.clone(), table, kernels)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read() {
        let read = |text: &str| text.parse::<DeviceChoice>();
        assert_eq!(read("auto").unwrap(), DeviceChoice::Auto);
        assert_eq!(read("cpu").unwrap(), DeviceChoice::Cpu);
        assert_eq!(read("gpu").unwrap(), DeviceChoice::Gpu(None));
        assert_eq!(read("gpu:RTX 4090: b").unwrap(), DeviceChoice::Gpu(Some("RTX 4090: b".into())));
        for wrong in ["", "GPU", "gpu:", "cpu:1", "cuda"] {
            let e = read(wrong).unwrap_err().to_string();
            assert!(e.contains("gpu:NAME") && e.contains(&format!("`{wrong}`")), "{e}");
        }
    }
}

//! Which adapters there are, and which one fits a request.
use crate::error::{Error, Result};
use std::fmt;
use std::path::PathBuf;

/// What is asked of [`crate::runtime::gpu::Gpu::open`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuRequest {
    /// Part of the adapter's name, in any case. An adapter so named may be software.
    pub name: Option<String>,
    /// Whether software adapters may be taken without being named (tests).
    pub software: bool,
    /// Bounds and loop checks in the shaders; none: only with the environment variable `COUPLET_CHECKED=1`.
    pub checked: Option<bool>,
    /// The file of tilings that `couplet tune` stored (`runtime/choices.rs`); none: the default for every plan.
    pub tilings: Option<PathBuf>,
}

impl GpuRequest {
    /// Whether shaders get checks.
    pub fn checked(&self) -> bool {
        self.checked.unwrap_or_else(|| std::env::var("COUPLET_CHECKED").is_ok_and(|v| v == "1"))
    }
}

/// An adapter, as `couplet devices` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterLine {
    /// Its name.
    pub name: String,
    /// `Vulkan`, `Metal` or `Dx12`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `other` or `software`.
    pub kind: &'static str,
    /// Driver and version; may be empty.
    pub driver: String,
}

impl AdapterLine {
    pub(crate) fn new(info: &wgpu::AdapterInfo) -> Self {
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        };
        let driver = format!("{} {}", info.driver, info.driver_info).trim().to_string();
        Self { name: info.name.clone(), backend: format!("{:?}", info.backend), kind, driver }
    }
    /// Whether it is a program on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }
    fn rank(&self) -> usize {
        let kinds = ["discrete", "integrated", "virtual", "other", "software"];
        kinds.iter().position(|k| *k == self.kind).unwrap_or(kinds.len())
    }
}

impl fmt::Display for AdapterLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}", self.name, self.backend, self.kind)?;
        match self.driver.as_str() {
            "" => write!(f, ")"),
            driver => write!(f, ", {driver})"),
        }
    }
}

/// Vulkan, Metal and DX12. GL would be taken silently where Vulkan is broken, and lacks what the kernels need.
fn found() -> Vec<(wgpu::Adapter, AdapterLine)> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    descriptor.backends = backends;
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let mut all: Vec<_> = pollster::block_on(instance.enumerate_adapters(backends))
        .into_iter()
        .map(|a| {
            let line = AdapterLine::new(&a.get_info());
            (a, line)
        })
        .collect();
    all.sort_by_key(|(_, line)| line.rank());
    all
}

/// All adapters, best first.
pub fn adapters() -> Vec<AdapterLine> {
    found().into_iter().map(|(_, line)| line).collect()
}

/// The place of the adapter that fits the request among those found, which are sorted best first.
fn pick(request: &GpuRequest, lines: &[AdapterLine]) -> Result<usize> {
    let wanted = request.name.as_ref().map(|n| n.to_lowercase());
    let fits = |line: &AdapterLine| match &wanted {
        Some(name) => line.name.to_lowercase().contains(name),
        None => request.software || !line.is_software(),
    };
    lines.iter().position(fits).ok_or_else(|| {
        let asked = match &request.name {
            Some(name) => format!("expected one whose name contains `{name}`"),
            None if request.software => "expected a Vulkan, Metal or DX12 adapter".into(),
            None => "expected a Vulkan, Metal or DX12 adapter that is hardware".into(),
        };
        let list: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let found = if list.is_empty() { "none".into() } else { list.join("; ") };
        Error::NoAdapter {
            problem: format!("{asked}, found {found}"),
            hint: "Check the graphics driver, choose another with --device gpu:NAME, or use --device cpu"
                .into(),
        }
    })
}

pub(crate) fn choose(request: &GpuRequest) -> Result<(wgpu::Adapter, AdapterLine)> {
    let mut all = found();
    let lines: Vec<AdapterLine> = all.iter().map(|(_, line)| line.clone()).collect();
    let at = pick(request, &lines)?;
    Ok(all.swap_remove(at))
}

/// WebGPU's default limits, which suffice, but buffers as large as the adapter can, and workgroups of as many threads: those
/// are a choice of tuning only.
pub(crate) fn limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
    let can = adapter.limits();
    wgpu::Limits {
        max_buffer_size: can.max_buffer_size,
        max_storage_buffer_binding_size: can.max_storage_buffer_binding_size,
        max_compute_invocations_per_workgroup: can.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x: can.max_compute_workgroup_size_x,
        // DX12 sets memory aside for each of these at once; the default is a million
        max_non_sampler_bindings: 20_000,
        ..wgpu::Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, kind: &'static str) -> AdapterLine {
        AdapterLine { name: name.into(), backend: "Vulkan".into(), kind, driver: String::new() }
    }
    #[test]
    fn software_is_taken_only_when_named_or_allowed() {
        let lines =
            [line("GeForce", "discrete"), line("Iris", "integrated"), line("llvmpipe (LLVM)", "software")];
        let ask = |name: Option<&str>, software| GpuRequest {
            name: name.map(Into::into),
            software,
            ..GpuRequest::default()
        };
        assert_eq!(pick(&ask(None, false), &lines).unwrap(), 0);
        assert_eq!(pick(&ask(Some("iris"), false), &lines).unwrap(), 1);
        assert_eq!(pick(&ask(Some("LLVM"), false), &lines).unwrap(), 2);
        assert_eq!(pick(&ask(None, true), &lines[2..]).unwrap(), 0);
        let e = pick(&ask(None, false), &lines[2..]).unwrap_err().to_string();
        assert!(e.contains("hardware") && e.contains("llvmpipe") && e.contains("--device cpu"), "{e}");
        let e = pick(&ask(Some("radeon"), false), &lines).unwrap_err().to_string();
        assert!(e.contains("`radeon`") && e.contains("GeForce (Vulkan, discrete)"), "{e}");
        assert!(pick(&ask(None, true), &[]).unwrap_err().to_string().contains("found none"));
    }
}

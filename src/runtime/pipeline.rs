//! A compiled compute module and its bind-group layout.
use crate::runtime::gpu::Gpu;

/// How a binding is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Uniform buffer.
    Uniform,
    /// Storage buffer, read only.
    Read,
    /// Storage buffer, read and written.
    ReadWrite,
}

/// Bindings of the row program (`runtime/wgsl.rs`).
pub const ROWS: [Access; 8] = {
    use Access::{Read, ReadWrite, Uniform};
    [Uniform, Read, Read, Read, ReadWrite, Read, Read, Read]
};
/// Bindings of `optim/weight_grad`.
pub const GRAD: [Access; 8] = {
    use Access::{Read, ReadWrite, Uniform};
    [Uniform, Uniform, Read, Read, ReadWrite, ReadWrite, ReadWrite, ReadWrite]
};
/// Bindings of `optim/adamw`.
pub const UPDATE: [Access; 9] = {
    use Access::{Read, ReadWrite, Uniform};
    [Uniform, Read, Read, Read, Read, ReadWrite, ReadWrite, ReadWrite, ReadWrite]
};

/// See the module's doc.
pub(crate) struct Pipeline {
    label: String,
    layout: wgpu::BindGroupLayout,
    pub(crate) pipeline: wgpu::ComputePipeline,
}

impl Pipeline {
    /// Compiles; errors go to the caller's scope.
    pub(crate) fn new(gpu: &Gpu, label: &str, source: &str, bindings: &[Access]) -> Self {
        let device = &gpu.device;
        let source = wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        };
        let module = if gpu.checked {
            device.create_shader_module(source)
        } else {
            // SAFETY: all texts are our own. Every index is a slot, table or parameter offset that the recorder hands
            // out within its buffer; tests run the checked form of every kernel too.
            unsafe { device.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        let entries: Vec<_> = bindings
            .iter()
            .enumerate()
            .map(|(i, access)| wgpu::BindGroupLayoutEntry {
                binding: i as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match access {
                        Access::Uniform => wgpu::BufferBindingType::Uniform,
                        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                        Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries };
        let layout = device.create_bind_group_layout(&descriptor);
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // No kernel reads workgroup memory it has not written; the zeroing runs on one thread on some backends.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Self { label: label.into(), layout, pipeline }
    }

    /// Binds buffers, in the order of the bindings.
    pub(crate) fn bind(&self, gpu: &Gpu, buffers: &[&wgpu::Buffer]) -> crate::error::Result<wgpu::BindGroup> {
        let entries: Vec<_> = buffers
            .iter()
            .enumerate()
            .map(|(i, b)| wgpu::BindGroupEntry { binding: i as u32, resource: b.as_entire_binding() })
            .collect();
        let descriptor =
            wgpu::BindGroupDescriptor { label: Some(&self.label), layout: &self.layout, entries: &entries };
        gpu.count_object();
        gpu.guard("bind buffers", || gpu.device.create_bind_group(&descriptor))
    }
}

//! A GPU: the adapter and device, buffers, pipelines, waiting. Own devices and borrowed ones.
//!
//! A borrowed device belongs to a host application: none of its handlers is replaced, errors are caught in scopes only,
//! and nobody holds its lock while waiting.
use crate::error::{Error, Result};
use crate::runtime::adapter::{self, AdapterLine, GpuRequest};
use crate::runtime::choices::{Choices, Key};
use crate::runtime::pipeline::{Access, Pipeline};
use crate::runtime::tiling::{Most, Tiling};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for a submission before the device counts as lost.
const PATIENCE: Duration = Duration::from_secs(120);

/// An opened GPU.
pub struct Gpu {
    /// Its adapter.
    pub info: AdapterLine,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    /// Bounds and loop checks in the shaders.
    pub(crate) checked: bool,
    own: bool,
    /// What handlers of an own device heard.
    trouble: Arc<Mutex<Option<String>>>,
    tilings: Tilings,
    pipelines: Mutex<HashMap<String, Arc<Pipeline>>>,
    made: AtomicUsize,
}

/// Where the tiling of a plan comes from.
enum Tilings {
    /// All plans have this one.
    Fixed(Tiling),
    /// What tuning chose, else the default.
    Chosen(Choices),
}

impl Gpu {
    /// Opens the best adapter that fits the request.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] listing what was found; [`Error::Gpu`] if the device cannot be opened.
    pub fn open(request: &GpuRequest) -> Result<Arc<Self>> {
        let (adapter, info) = adapter::choose(request)?;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("couplet"),
            required_limits: adapter::limits(&adapter),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| Error::Gpu {
                device: info.name.clone(),
                problem: format!("it cannot be opened ({e})"),
                hint: "Update its driver, choose another with --device gpu:NAME, or use --device cpu".into(),
            })?;
        let trouble = Arc::new(Mutex::new(None));
        let heard = trouble.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| note(&heard, e.to_string())));
        let heard = trouble.clone();
        device.set_device_lost_callback(move |reason, text| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                note(&heard, format!("the device was lost ({text})"));
            }
        });
        let stored = request.tilings.as_deref().map(|path| Choices::read(path).0);
        let tilings = Tilings::Chosen(stored.unwrap_or_default());
        Ok(Self::new(info, device, queue, request.checked(), true, trouble, tilings))
    }

    /// Uses a host's device. The host must be on the same major version of `wgpu`; the limits of WebGPU suffice.
    /// All plans run with the default tiling.
    pub fn borrow(info: &wgpu::AdapterInfo, device: wgpu::Device, queue: wgpu::Queue) -> Arc<Self> {
        let checked = GpuRequest::default().checked();
        let tilings = Tilings::Fixed(Tiling::default());
        Self::new(AdapterLine::new(info), device, queue, checked, false, Arc::default(), tilings)
    }

    /// The same device, on which all plans run with this tiling.
    ///
    /// # Errors
    /// [`Error::Gpu`] if it does not allow it.
    pub fn with_tiling(&self, tiling: Tiling) -> Result<Arc<Self>> {
        self.allows(tiling)?;
        let (info, device, queue) = (self.info.clone(), self.device.clone(), self.queue.clone());
        let trouble = self.trouble.clone();
        Ok(Self::new(info, device, queue, self.checked, self.own, trouble, Tilings::Fixed(tiling)))
    }

    /// What it allows a workgroup.
    pub fn most(&self) -> Most {
        let limits = self.device.limits();
        Most {
            threads: limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)
                as usize,
            shared: limits.max_compute_workgroup_storage_size as usize,
        }
    }

    /// The tilings that tuning chose for some plan on this device, as far as they can be used.
    pub fn chosen(&self) -> Vec<Tiling> {
        match &self.tilings {
            Tilings::Fixed(_) => vec![],
            Tilings::Chosen(choices) => {
                choices.of(&self.info).into_iter().filter(|t| t.problem_on(self.most()).is_none()).collect()
            }
        }
    }

    /// An error where it does not allow a tiling.
    pub(crate) fn allows(&self, tiling: Tiling) -> Result<()> {
        match tiling.problem_on(self.most()) {
            None => Ok(()),
            Some(problem) => {
                let hint = "Use the default, or a device that allows it";
                Err(self.error(format!("tiling {tiling} does not fit: {problem}"), hint))
            }
        }
    }

    /// The tiling for a plan with this key: what is fixed, else what was chosen and can be used, else the default.
    pub(crate) fn tiling(&self, key: &Key) -> Tiling {
        match &self.tilings {
            Tilings::Fixed(tiling) => *tiling,
            Tilings::Chosen(choices) => {
                let usable = |t: &Tiling| t.problem_on(self.most()).is_none();
                choices.find(key).filter(usable).unwrap_or_default()
            }
        }
    }

    fn new(
        info: AdapterLine,
        device: wgpu::Device,
        queue: wgpu::Queue,
        checked: bool,
        own: bool,
        trouble: Arc<Mutex<Option<String>>>,
        tilings: Tilings,
    ) -> Arc<Self> {
        Arc::new(Self {
            info,
            device,
            queue,
            checked,
            own,
            trouble,
            tilings,
            pipelines: Mutex::default(),
            made: AtomicUsize::new(0),
        })
    }

    /// Buffers, bind groups and pipelines made so far: training makes none once it is warm.
    pub fn objects_made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
    pub(crate) fn count_object(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the device is ours alone.
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// An error of this device.
    pub(crate) fn error(&self, problem: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Gpu { device: self.info.name.clone(), problem: problem.into(), hint: hint.into() }
    }

    /// Runs `f` inside error scopes; `what` says what failed.
    pub(crate) fn guard<T>(&self, what: &str, f: impl FnOnce() -> T) -> Result<T> {
        let scope = |filter| self.device.push_error_scope(filter);
        let internal = scope(wgpu::ErrorFilter::Internal);
        let validation = scope(wgpu::ErrorFilter::Validation);
        let memory = scope(wgpu::ErrorFilter::OutOfMemory);
        let value = f();
        let memory = pollster::block_on(memory.pop());
        let others = [pollster::block_on(validation.pop()), pollster::block_on(internal.pop())];
        if memory.is_some() {
            let hint = "Use a smaller batch or network, close other programs, or use --device cpu";
            return Err(self.error(format!("out of memory while it should {what}"), hint));
        }
        if let Some(e) = others.into_iter().flatten().next() {
            let hint =
                "Update the driver; `couplet selftest` checks every kernel; --device cpu works meanwhile";
            return Err(self.error(format!("it cannot {what} ({e})"), hint));
        }
        self.heard(what)?;
        Ok(value)
    }

    /// What the handlers heard since the last look.
    fn heard(&self, what: &str) -> Result<()> {
        match self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(()),
            Some(problem) => {
                let hint = "Resume the run; with a smaller batch or --device cpu if it happens again";
                Err(self.error(format!("{problem}, noticed when it should {what}"), hint))
            }
        }
    }

    /// A buffer for storage, copies and uniforms, filled with zeros.
    pub(crate) fn buffer(&self, label: &str, bytes: usize) -> Result<wgpu::Buffer> {
        let limits = self.device.limits();
        let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        let size = bytes.next_multiple_of(16).max(64) as u64;
        if size > most {
            let problem =
                format!("expected buffer `{label}` to have at most {} MiB, found {}", most >> 20, size >> 20);
            return Err(self.error(problem, "Use a smaller batch, fewer stored rows, or --device cpu"));
        }
        use wgpu::BufferUsages as U;
        let usage = U::STORAGE | U::UNIFORM | U::COPY_DST | U::COPY_SRC;
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        self.count_object();
        self.guard("make a buffer", || self.device.create_buffer(&descriptor))
    }
    /// A buffer with these contents.
    pub(crate) fn buffer_of<T: bytemuck::NoUninit>(&self, label: &str, values: &[T]) -> Result<wgpu::Buffer> {
        let buffer = self.buffer(label, size_of_val(values))?;
        self.write(&buffer, 0, values)?;
        Ok(buffer)
    }
    /// Writes before all work that is submitted later. Large contents go in pieces, or their copies would stand in memory
    /// together.
    pub(crate) fn write<T: bytemuck::NoUninit>(
        &self,
        buffer: &wgpu::Buffer,
        at: u64,
        values: &[T],
    ) -> Result<()> {
        const PIECE: usize = 64 << 20;
        let bytes: &[u8] = bytemuck::cast_slice(values);
        self.guard("write a buffer", || {
            for (i, piece) in bytes.chunks(PIECE).enumerate() {
                self.queue.write_buffer(buffer, at + (i * PIECE) as u64, piece);
                if bytes.len() > PIECE {
                    self.queue.submit([]);
                }
            }
        })
    }
    /// A buffer the host can read.
    pub(crate) fn staging(&self, bytes: u64) -> Result<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor {
            label: Some("read back"),
            size: bytes.max(16),
            usage,
            mapped_at_creation: false,
        };
        self.count_object();
        self.guard("make a buffer", || self.device.create_buffer(&descriptor))
    }

    /// Copies parts of buffers out: `(buffer, offset, bytes)`, multiples of 4. Waits for all work before.
    pub(crate) fn read(&self, parts: &[(&wgpu::Buffer, u64, u64)]) -> Result<Vec<Vec<u8>>> {
        let total = parts.iter().map(|p| p.2).sum();
        let stage = self.staging(total)?;
        let done = Signal::default();
        let index = self.guard("copy a buffer", || {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            let mut at = 0;
            for &(from, offset, bytes) in parts {
                encoder.copy_buffer_to_buffer(from, offset, &stage, at, bytes);
                at += bytes;
            }
            let index = self.queue.submit([encoder.finish()]);
            done.map(&stage);
            index
        })?;
        self.wait(index, &done)?;
        let view = stage
            .slice(..)
            .get_mapped_range()
            .map_err(|e| self.error(format!("cannot read a buffer ({e})"), "Try again"))?;
        let mut at = 0;
        Ok(parts
            .iter()
            .map(|p| {
                let part = view[at..at + p.2 as usize].to_vec();
                at += p.2 as usize;
                part
            })
            .collect())
    }

    /// Waits until a submission is done and its read-back buffer is mapped.
    pub(crate) fn wait(&self, index: wgpu::SubmissionIndex, done: &Signal) -> Result<()> {
        let begun = Instant::now();
        let late = || {
            self.error(
                format!("no answer within {} s", PATIENCE.as_secs()),
                "Use a smaller batch, or --device cpu",
            )
        };
        // On an own device the driver wakes us. On a host's the wait would hold a lock that the host needs.
        let mut poll = if self.own {
            wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(PATIENCE) }
        } else {
            wgpu::PollType::Poll
        };
        loop {
            match self.device.poll(poll) {
                Err(wgpu::PollError::Timeout) => return Err(late()),
                Err(e) => return Err(self.error(format!("waiting failed ({e})"), "Try again")),
                Ok(_) => {}
            }
            match done.get() {
                Some(true) => return self.heard("finish its work"),
                Some(false) => {
                    self.heard("finish its work")?;
                    return Err(self.error(
                        "its results cannot be read",
                        "Resume the run; update the driver if it happens again",
                    ));
                }
                None if begun.elapsed() > PATIENCE => return Err(late()),
                None => std::thread::sleep(Duration::from_micros(100)),
            }
            poll = wgpu::PollType::Poll;
        }
    }

    /// The pipeline of a module's entry point `main`, compiled once per text. `bindings[i]`: how binding i is accessed.
    pub(crate) fn pipeline(&self, label: &str, source: &str, bindings: &[Access]) -> Result<Arc<Pipeline>> {
        let known = |p: &Mutex<HashMap<String, Arc<Pipeline>>>| {
            p.lock().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
        };
        if let Some(p) = known(&self.pipelines) {
            return Ok(p);
        }
        self.count_object();
        let what = format!("compile `{label}`");
        let made = Arc::new(self.guard(&what, || Pipeline::new(self, label, source, bindings))?);
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).insert(source.into(), made.clone());
        Ok(made)
    }
}

fn note(heard: &Mutex<Option<String>>, text: String) {
    // The first message is the cause, later ones its consequences.
    heard.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
}

/// Tells that a read-back buffer is mapped.
#[derive(Clone, Default)]
pub(crate) struct Signal(Arc<Mutex<Option<bool>>>);

impl Signal {
    /// Asks for the buffer; call after the submission that fills it.
    pub(crate) fn map(&self, stage: &wgpu::Buffer) {
        let to = self.0.clone();
        stage.slice(..).map_async(wgpu::MapMode::Read, move |r| {
            *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(r.is_ok());
        });
    }
    /// Whether it worked, once it is known.
    pub(crate) fn get(&self) -> Option<bool> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

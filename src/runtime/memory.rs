//! Host buffers of the CPU executor. Same roles as on the GPU.
use std::cell::UnsafeCell;

/// A buffer that several threads write at the same time, in disjoint parts.
#[derive(Default)]
pub struct Shared(Box<[UnsafeCell<f32>]>);

// SAFETY: access goes through `slice`/`slice_mut`, whose callers promise disjoint parts.
unsafe impl Sync for Shared {}

impl Shared {
    /// A buffer of `n` zeros.
    pub fn new(n: usize) -> Self {
        Self::from_vec(vec![0.0; n])
    }
    /// A buffer of these values.
    pub fn from_vec(values: Vec<f32>) -> Self {
        let values = Box::into_raw(values.into_boxed_slice());
        // SAFETY: `UnsafeCell<f32>` has the layout of `f32`. A cast, not a copy: fresh zeros cost no memory until they are touched.
        Self(unsafe { Box::from_raw(values as *mut [UnsafeCell<f32>]) })
    }
    /// Elements.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The whole buffer, for the sole owner.
    pub fn get_mut(&mut self) -> &mut [f32] {
        // SAFETY: `UnsafeCell<f32>` has the layout of `f32`, and `&mut self` excludes everybody else.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len()) }
    }
    /// Elements `at .. at + n`; panics outside the buffer.
    ///
    /// # Safety
    /// Nobody writes this part while the slice lives.
    pub unsafe fn slice(&self, at: usize, n: usize) -> &[f32] {
        let part = &self.0[at..at + n];
        // SAFETY: bounds just checked; the caller excludes writers.
        unsafe { std::slice::from_raw_parts(part.as_ptr().cast(), n) }
    }
    /// Elements `at .. at + n`, to write; panics outside the buffer.
    ///
    /// # Safety
    /// Nobody else reads or writes this part while the slice lives.
    #[allow(clippy::mut_from_ref)] // the point of the type; see its doc
    pub unsafe fn slice_mut(&self, at: usize, n: usize) -> &mut [f32] {
        let part = &self.0[at..at + n];
        // SAFETY: bounds just checked; the caller excludes everybody else.
        unsafe { std::slice::from_raw_parts_mut(part.as_ptr().cast::<f32>().cast_mut(), n) }
    }
}

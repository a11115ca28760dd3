//! Host buffers of the CPU executor. Same roles as on the GPU.
use std::cell::UnsafeCell;
use std::ptr::NonNull;

/// Buffers of at least so many bytes get large pages where the system has them: a step walks over all of its memory, and with small
/// pages looking up addresses takes a good part of the time.
const LARGE: usize = 1 << 19;
/// Bytes of a large page.
#[cfg(target_os = "linux")]
const PAGE: usize = 2 << 20;

/// A buffer that several threads write at the same time, in disjoint parts.
pub struct Shared {
    first: NonNull<f32>,
    len: usize,
    /// Frees the memory.
    _owner: Owner,
}

#[allow(dead_code)] // held to be dropped
enum Owner {
    Heap(Box<[UnsafeCell<f32>]>),
    #[cfg(target_os = "linux")]
    Map(memmap2::MmapMut),
}

// SAFETY: access goes through `slice`/`slice_mut`, whose callers promise disjoint parts.
unsafe impl Sync for Shared {}
// SAFETY: it owns its memory.
unsafe impl Send for Shared {}

impl Default for Shared {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Shared {
    /// A buffer of `n` zeros. Large ones cost no memory until they are touched.
    pub fn new(n: usize) -> Self {
        Self::mapped(n).unwrap_or_else(|| Self::from_vec(vec![0.0; n]))
    }
    /// In large pages, if that makes sense and the system agrees.
    #[cfg(target_os = "linux")]
    fn mapped(n: usize) -> Option<Self> {
        let bytes = n.checked_mul(4).filter(|&b| b >= LARGE)?;
        // Room to begin at a large page, and to end with one.
        let mut map =
            memmap2::MmapMut::map_anon(bytes.checked_next_multiple_of(PAGE)?.checked_add(PAGE)?).ok()?;
        let skip = map.as_ptr().align_offset(PAGE);
        // A system without large pages says no, and small ones serve.
        let _ = map.advise_range(memmap2::Advice::HugePage, skip, bytes.next_multiple_of(PAGE));
        let first = NonNull::new(map[skip..].as_mut_ptr().cast())?;
        Some(Self { first, len: n, _owner: Owner::Map(map) })
    }
    #[cfg(not(target_os = "linux"))]
    fn mapped(n: usize) -> Option<Self> {
        let _ = (n, LARGE);
        None
    }
    /// A buffer of these values.
    pub fn from_vec(values: Vec<f32>) -> Self {
        let values = Box::into_raw(values.into_boxed_slice());
        // SAFETY: `UnsafeCell<f32>` has the layout of `f32`. A cast, not a copy: fresh zeros cost no memory until they are touched.
        let mut cells = unsafe { Box::from_raw(values as *mut [UnsafeCell<f32>]) };
        let first = NonNull::new(cells.as_mut_ptr().cast()).unwrap_or(NonNull::dangling());
        Self { first, len: cells.len(), _owner: Owner::Heap(cells) }
    }
    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The address of `n` elements from `at` on, for writes in between what others write. Panics if there are not so many.
    pub fn address(&self, at: usize, n: usize) -> *mut f32 {
        assert!(at <= self.len && n <= self.len - at, "{n} floats from {at} on, of {}", self.len);
        self.first.as_ptr().wrapping_add(at)
    }
    /// The whole buffer, for the sole owner.
    pub fn get_mut(&mut self) -> &mut [f32] {
        // SAFETY: the buffer has so many elements, and `&mut self` excludes everybody else.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
    /// Elements `at .. at + n`; panics outside the buffer.
    ///
    /// # Safety
    /// Nobody writes this part while the slice lives.
    pub unsafe fn slice(&self, at: usize, n: usize) -> &[f32] {
        self.check(at, n);
        // SAFETY: bounds just checked; the caller excludes writers.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr().add(at), n) }
    }
    /// Elements `at .. at + n`, to write; panics outside the buffer.
    ///
    /// # Safety
    /// Nobody else reads or writes this part while the slice lives.
    #[allow(clippy::mut_from_ref)] // the point of the type; see its doc
    pub unsafe fn slice_mut(&self, at: usize, n: usize) -> &mut [f32] {
        self.check(at, n);
        // SAFETY: bounds just checked; the caller excludes everybody else.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr().add(at), n) }
    }
    fn check(&self, at: usize, n: usize) {
        let inside = at.checked_add(n).is_some_and(|end| end <= self.len);
        assert!(inside, "elements {at} .. {at} + {n} of a buffer of {}", self.len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_buffers_are_zero_writable_to_the_end_and_bounded() {
        for n in [0, 1, 1000, LARGE / 4 - 1, LARGE / 4, LARGE + 3] {
            let mut buffer = Shared::new(n);
            assert_eq!((buffer.len(), buffer.is_empty()), (n, n == 0));
            assert!(buffer.get_mut().iter().all(|&v| v == 0.0));
            // SAFETY: one thread.
            unsafe {
                buffer.slice_mut(n - n.min(2), n.min(2)).fill(7.0);
                assert!(buffer.slice(n - n.min(2), n.min(2)).iter().all(|&v| v == 7.0));
            }
            let moved = Box::new(buffer);
            for (at, len) in [(n, 1), (n + 1, 0), (usize::MAX, 2)] {
                // SAFETY: it panics.
                let outside = || unsafe { moved.slice(at, len).len() };
                assert!(
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(outside)).is_err(),
                    "{at} {len}"
                );
            }
        }
    }
}

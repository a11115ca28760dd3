//! How the row launch is cut into workgroups: rows and threads of each. All row kernels are written in these two numbers.
use serde::{Deserialize, Serialize};
use std::fmt;

/// vec4s of workgroup memory that a row kernel counts on, as `PARTS` in `shaders/runtime/access.wgsl`.
const PARTS: usize = 768;
/// Invocations and bytes of workgroup memory of WebGPU's base tier.
const BASE: Most = Most { threads: 256, shared: 16_384 };
/// Rows that candidates have.
const ROWS: [usize; 4] = [4, 8, 16, 32];
/// Threads that candidates have.
const THREADS: [usize; 5] = [64, 128, 256, 512, 1024];

/// Most rows of a workgroup: slots have room for so many behind the last.
pub const MOST_ROWS: usize = 32;

/// Rows and threads of a workgroup of the row launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tiling {
    /// Rows, `TILE` in the kernels.
    pub rows: usize,
    /// Threads, `WORKGROUP` in the kernels.
    pub threads: usize,
}

impl Default for Tiling {
    /// What runs everywhere: the base tier of WebGPU.
    fn default() -> Self {
        Self { rows: 8, threads: 256 }
    }
}

/// What a device allows a workgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Threads.
    pub threads: usize,
    /// Bytes of memory.
    pub shared: usize,
}

impl Tiling {
    /// Bytes of workgroup memory of the row launch.
    pub fn shared_bytes(self) -> usize {
        16 * PARTS.max(self.threads)
    }

    /// Why the row kernels cannot run with it, if they cannot.
    pub fn problem(self) -> Option<String> {
        let Self { rows, threads } = self;
        // `layers/dense` takes four rows a thread.
        if rows == 0 || !rows.is_multiple_of(4) {
            return Some(format!("expected a multiple of 4 rows, found {rows}"));
        }
        // Slots are laid out for so many rows behind the last; `flow/spline_*` holds a quad of each row in workgroup memory
        // (PARTS / 4 = 192 rows at most).
        if rows > MOST_ROWS {
            return Some(format!("expected at most {MOST_ROWS} rows, found {rows}"));
        }
        // Much is one thread a row (`if (t < TILE)`); `data/gather` and its like share a row among threads / rows lanes and
        // would leave a remainder without a row. So there are at least as many threads as rows, too.
        if threads == 0 || !threads.is_multiple_of(rows) {
            return Some(format!("expected a multiple of {rows} threads, found {threads}"));
        }
        // WebGPU knows no more anywhere, and `shared_bytes` of more would exceed its 16 KiB.
        let most = THREADS[THREADS.len() - 1];
        if threads > most {
            return Some(format!("expected at most {most} threads, found {threads}"));
        }
        None
    }

    /// Why a device cannot run it, if it cannot: the rules of the kernels, then its limits.
    pub fn problem_on(self, most: Most) -> Option<String> {
        self.problem().or_else(|| {
            if self.threads > most.threads {
                return Some(format!("expected at most {} threads, found {}", most.threads, self.threads));
            }
            let shared = self.shared_bytes();
            (shared > most.shared).then(|| {
                format!("expected at most {} bytes of workgroup memory, found {shared}", most.shared)
            })
        })
    }

    /// All candidates that a device allows, the default first, then by distance from it in doublings.
    pub fn candidates(most: Most) -> Vec<Self> {
        let default = Self::default();
        let mut all: Vec<Self> = ROWS
            .iter()
            .flat_map(|&rows| THREADS.map(|threads| Self { rows, threads }))
            .filter(|t| t.problem_on(most).is_none())
            .collect();
        let doublings = |a: usize, b: usize| a.ilog2().abs_diff(b.ilog2());
        all.sort_by_key(|t| doublings(t.rows, default.rows) + doublings(t.threads, default.threads));
        all
    }

    /// The candidates of WebGPU's base tier, which every device allows.
    pub fn base() -> Vec<Self> {
        Self::candidates(BASE)
    }
}

impl fmt::Display for Tiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.threads)
    }
}

impl std::str::FromStr for Tiling {
    type Err = String;
    /// `16x128`: rows, then threads.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse::<usize>().ok();
        let read =
            text.split_once('x').and_then(|(a, b)| Some(Self { rows: number(a)?, threads: number(b)? }));
        let tiling = read.ok_or_else(|| format!("expected ROWSxTHREADS such as 16x128, found `{text}`"))?;
        tiling.problem().map_or(Ok(tiling), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_first_and_of_the_base_tier() {
        let base = Tiling::base();
        assert_eq!((base[0], base.len()), (Tiling::default(), 12));
        assert!(base.iter().all(|t| t.threads <= 256 && t.shared_bytes() <= 16_384), "{base:?}");
        let all = Tiling::candidates(Most { threads: 1024, shared: 32_768 });
        assert_eq!((all[0], all.len()), (Tiling::default(), 20));
        assert_eq!(Tiling::candidates(Most { threads: 128, shared: 16_384 }).len(), 8);
        assert!(Tiling::candidates(Most { threads: 1024, shared: 12_288 }).iter().all(|t| t.threads <= 512));
    }
    #[test]
    fn what_kernels_or_device_cannot_is_said() {
        let says = |rows, threads, what: &str| {
            let problem = Tiling { rows, threads }.problem().unwrap();
            assert!(problem.contains(what), "{problem}");
        };
        says(6, 240, "multiple of 4 rows, found 6");
        says(0, 64, "found 0");
        says(64, 256, "at most 32 rows");
        says(32, 16, "multiple of 32 threads, found 16");
        says(16, 72, "multiple of 16 threads");
        says(8, 0, "found 0");
        says(8, 2048, "at most 1024 threads");
        let large = Tiling { rows: 8, threads: 512 };
        assert!(large.problem().is_none());
        assert!(large.problem_on(BASE).unwrap().contains("at most 256 threads, found 512"));
        assert!(large.problem_on(Most { threads: 512, shared: 8192 }).unwrap().contains("8192 bytes"));
    }
    #[test]
    fn the_short_form_is_read_back() {
        for t in Tiling::base() {
            assert_eq!(t.to_string().parse(), Ok(t));
        }
        for wrong in ["", "8", "x", "8x", "8 256", "8x256x1", "7x64", "8x-1", "all"] {
            assert!(wrong.parse::<Tiling>().is_err(), "{wrong}");
        }
    }
}

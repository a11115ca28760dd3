//! Threads that stay together for many short phases.
//!
//! A training step has three phases of a few tenths of a millisecond; sending each through the pool's queues and waking
//! sleepers costs as much as a layer. Here the pool's threads join once, and a phase is published by one store. Each
//! thread first takes the parts that were its own the last time, so that what it left in its cache is where it is
//! wanted, and then helps the others.
//!
//! Nobody is waited for but those who took a part: a thread that comes late, or never because it is busy elsewhere, costs
//! speed and nothing else. And nobody stays who has nothing to do: a part may use the pool itself (a simulator does), wait
//! there, and be handed the job of following this very team meanwhile; it would never end. So threads go back to the pool
//! when a phase takes long, and are called again for the next.
use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[cfg(target_has_atomic = "64")]
use std::sync::atomic::AtomicU64;

/// Most parts of a phase: what fits a lane's word.
const MOST: usize = (1 << 20) - 1;
/// Turns a thread without work waits before it lets others run, and how long before it leaves.
const SPINS: u32 = 1 << 12;
const PATIENCE: Duration = Duration::from_millis(1);

type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// The parts of a phase that belong to one thread: phase (24 bits), next part, end (20 each). One word, so that a part is taken
/// of the phase that was looked at or not at all.
#[repr(align(128))]
struct Lane {
    word: AtomicU64,
    /// Whether a thread was called for it and has not left.
    called: AtomicBool,
}

fn word(phase: u32, next: usize, end: usize) -> u64 {
    u64::from(phase & 0xff_ffff) << 40 | (next as u64) << 20 | end as u64
}

/// See the module's doc.
pub struct Team {
    lanes: Vec<Lane>,
    /// Number of the phase; 0 before the first and after the last.
    phase: AtomicU32,
    closed: AtomicU32,
    /// Threads that take part.
    size: AtomicUsize,
    /// Parts of the phase not yet done.
    left: AtomicUsize,
    /// What the phase does. Written between phases only.
    work: UnsafeCell<Option<*const Work<'static>>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `work` is written by the one thread that runs phases while no part is taken, and read by those who took one.
unsafe impl Sync for Team {}

/// Closes a team also when its leader panics: its threads would wait for ever.
struct Close<'a>(&'a Team);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.closed.store(1, Ordering::Release);
    }
}

impl Team {
    /// Runs `lead` on a thread of the current pool, with the others at its disposal.
    pub fn with<R: Send>(lead: impl FnOnce(&mut Leader<'_>) -> R + Send) -> R {
        let team = Self {
            lanes: (0..rayon::current_num_threads().max(1))
                .map(|_| Lane { word: AtomicU64::new(0), called: AtomicBool::new(false) })
                .collect(),
            phase: AtomicU32::new(0),
            closed: AtomicU32::new(0),
            size: AtomicUsize::new(usize::MAX),
            left: AtomicUsize::new(0),
            work: UnsafeCell::new(None),
            panic: Mutex::new(None),
        };
        rayon::scope(|scope| {
            let team = &team;
            let _close = Close(team);
            let call = |lane| scope.spawn(move |_| team.follow(lane));
            lead(&mut Leader { team, call: &call })
        })
    }

    fn follow(&self, lane: usize) {
        let (mut seen, mut idle, mut since) = (0, 0u32, Instant::now());
        while self.closed.load(Ordering::Acquire) == 0 {
            let phase = self.phase.load(Ordering::Acquire);
            if phase != seen && lane < self.size.load(Ordering::Relaxed) {
                (seen, idle) = (phase, 0);
                self.take(phase, lane);
                continue;
            }
            idle = idle.saturating_add(1);
            match idle {
                0..SPINS => std::hint::spin_loop(),
                SPINS => since = Instant::now(),
                // Read also after each time that others ran: on a busy machine that takes long.
                _ if since.elapsed() < PATIENCE => std::thread::yield_now(),
                _ => break,
            }
        }
        self.lanes[lane].called.store(false, Ordering::Release);
    }

    /// Does parts of a phase until there are none, its own first.
    fn take(&self, phase: u32, lane: usize) {
        let n = self.lanes.len();
        for turn in 0..n {
            let lane = &self.lanes[(lane + turn) % n].word;
            let mut done = 0;
            loop {
                let seen = lane.load(Ordering::Acquire);
                let (next, end) = ((seen >> 20) as usize & MOST, seen as usize & MOST);
                if seen >> 40 != u64::from(phase & 0xff_ffff) || next >= end {
                    break;
                }
                let taken = word(phase, next + 1, end);
                if lane.compare_exchange_weak(seen, taken, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                    continue;
                }
                // SAFETY: the phase cannot end, nor its work change, before this part is counted below.
                let work = unsafe { (*self.work.get()).expect("a phase has work") };
                // SAFETY: as above; the leader keeps the closure alive until the phase has ended.
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| unsafe { (*work)(next) })) {
                    *self.panic.lock().unwrap_or_else(|e| e.into_inner()) = Some(panic);
                }
                done += 1;
            }
            if done > 0 {
                self.left.fetch_sub(done, Ordering::Release);
            }
        }
    }
}

/// Who runs the phases of a team: one at a time.
pub struct Leader<'a> {
    team: &'a Team,
    /// Calls a thread of the pool for a lane.
    call: &'a dyn Fn(usize),
}

impl Leader<'_> {
    /// Threads that take part in the phases to come, itself included, where there are so many.
    pub fn set_size(&mut self, threads: usize) {
        self.team.size.store(threads.max(1), Ordering::Relaxed);
    }

    /// Does `work(0..parts)` on all threads and waits for it. Thread `t` of `n` begins with the parts from `first(t, n)` to
    /// `first(t + 1, n)`, increasing in `t`.
    ///
    /// A panic of a part is handed on when all others have ended.
    pub fn run(&mut self, parts: usize, first: impl Fn(usize, usize) -> usize, work: &Work<'_>) {
        assert!(parts <= MOST, "a phase has at most {MOST} parts");
        let team = self.team;
        let n = team.lanes.len().min(team.size.load(Ordering::Relaxed));
        if n == 1 || parts <= 1 {
            return (0..parts).for_each(work);
        }
        let phase = team.phase.load(Ordering::Relaxed).wrapping_add(1);
        team.left.store(parts, Ordering::Relaxed);
        // SAFETY: all parts of the phase before are done, so nobody reads it. The lifetime is longer than true only until
        // `left` is 0, and nobody reads it after.
        unsafe {
            let work: *const Work<'_> = work;
            *team.work.get() = Some(std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work));
        }
        let mut from = 0;
        for (t, lane) in team.lanes[..n].iter().enumerate() {
            let to = if t + 1 == n { parts } else { first(t + 1, n).clamp(from, parts) };
            lane.word.store(word(phase, from, to), Ordering::Release);
            from = to;
        }
        team.phase.store(phase, Ordering::Release);
        for (lane, l) in team.lanes[..n].iter().enumerate().take(parts).skip(1) {
            if !l.called.swap(true, Ordering::AcqRel) {
                (self.call)(lane);
            }
        }
        team.take(phase, 0);
        let mut idle = 0u32;
        while team.left.load(Ordering::Acquire) > 0 {
            idle = idle.saturating_add(1);
            if idle < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        let panic = team.panic.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

/// Equal shares: for [`Leader::run`].
pub fn even(parts: usize) -> impl Fn(usize, usize) -> usize {
    move |t, n| parts * t / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn every_part_of_every_phase_is_done_once_and_before_the_next() {
        for threads in [1, 2, 5] {
            let counts: Vec<AtomicUsize> = (0..97).map(|_| AtomicUsize::new(0)).collect();
            pool(threads).install(|| {
                Team::with(|team| {
                    for phase in 0..3000 {
                        let parts = [97, 1, 0, 13][phase % 4];
                        team.set_size(1 + phase / 7 % threads);
                        // Shares from nothing to everything.
                        let first =
                            move |t: usize, n: usize| if phase % 3 == 0 { parts } else { parts * t / n };
                        let before: usize = counts.iter().map(|c| c.load(Ordering::Relaxed)).sum();
                        team.run(parts, first, &|i| {
                            counts[i].fetch_add(1, Ordering::Relaxed);
                        });
                        let after: usize = counts.iter().map(|c| c.load(Ordering::Relaxed)).sum();
                        assert_eq!(after - before, parts);
                    }
                });
            });
            let want = |i: usize| [97, 1, 0, 13].iter().filter(|&&parts| i < parts).count() * 750;
            assert!(counts.iter().enumerate().all(|(i, c)| c.load(Ordering::Relaxed) == want(i)));
        }
    }

    #[test]
    fn teams_share_a_pool_and_parts_may_use_it() {
        // More leaders than threads, each with work inside of its parts.
        let total = AtomicUsize::new(0);
        pool(2).install(|| {
            use rayon::prelude::*;
            (0..6).into_par_iter().for_each(|_| {
                Team::with(|team| {
                    for _ in 0..20 {
                        team.run(4, even(4), &|_| {
                            let n: usize = (0..10usize).into_par_iter().map(|i| i).sum();
                            total.fetch_add(n, Ordering::Relaxed);
                        });
                    }
                });
            });
        });
        assert_eq!(total.load(Ordering::Relaxed), 6 * 20 * 4 * 45);
    }

    #[test]
    fn parts_that_wait_for_the_pool_never_wait_for_their_team() {
        use rayon::prelude::*;
        let busy = |n: u32| (0..n).fold(0u32, |y, i| std::hint::black_box(y ^ i.wrapping_mul(2_654_435_761)));
        let total = AtomicUsize::new(0);
        pool(4).install(|| {
            for round in 0..100 {
                Team::with(|team| {
                    for parts in [1, 4, 16] {
                        team.run(parts, even(parts), &|_| {
                            (0..24u32).into_par_iter().with_max_len(1).for_each(|i| {
                                std::hint::black_box(busy(2000 + 500 * (i % 5) + round));
                                total.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(total.load(Ordering::Relaxed), 100 * 21 * 24);
    }

    #[test]
    fn a_panic_reaches_the_leader_and_ends_the_team() {
        let ended = AtomicUsize::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool(3).install(|| {
                Team::with(|team| {
                    team.run(8, even(8), &|i| {
                        assert!(i != 5, "part five");
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                })
            })
        }));
        let message = *result.unwrap_err().downcast::<&str>().unwrap();
        assert_eq!((message, ended.load(Ordering::Relaxed)), ("part five", 7));
    }
}

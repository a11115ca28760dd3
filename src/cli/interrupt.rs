//! Ctrl-C and its like: a command that can end in order does so, and a second one ends it at once.
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on the first interrupt is only noted, for [`asked`]. Where handlers cannot be set, interrupts kill as before.
pub(super) fn listen() {
    let _ = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
}

/// Whether there was one.
pub(super) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

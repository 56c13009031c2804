//! When to stop: on Ctrl-C, a termination request or a deadline. Checked between batches, and between the parts of a file.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};

/// The exit status after Ctrl-C, as shells count it.
pub const STATUS: u8 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static DEADLINE: OnceLock<Instant> = OnceLock::new();

/// From now on the first interrupt is only noted; the second one ends the program at once.
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(STATUS));
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// Does what an interrupt does.
pub fn stop() {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// Sets the deadline.
pub fn stop_at(deadline: Instant) {
    DEADLINE.get_or_init(|| deadline);
}

/// Whether to stop now.
pub fn noted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst) || is_late()
}

/// Whether the deadline has passed.
pub fn is_late() -> bool {
    DEADLINE.get().is_some_and(|deadline| Instant::now() >= *deadline)
}

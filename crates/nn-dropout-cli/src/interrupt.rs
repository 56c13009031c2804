//! When to stop: at Ctrl-C, at a termination request, at a deadline. Looked at between batches.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static DEADLINE: OnceLock<Instant> = OnceLock::new();

/// From now on a first interrupt is only noted; a second one ends the program at once.
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(crate::INTERRUPTED));
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// As if an interrupt had come.
pub fn stop() {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// Stops then too.
pub fn stop_at(deadline: Instant) {
    DEADLINE.get_or_init(|| deadline);
}

/// Whether to stop.
pub fn noted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst) || is_late()
}

/// Whether the deadline is over.
pub fn is_late() -> bool {
    DEADLINE.get().is_some_and(|deadline| Instant::now() >= *deadline)
}

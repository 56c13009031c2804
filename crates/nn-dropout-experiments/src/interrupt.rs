//! When to stop: on an interrupt or at a deadline. Checked between batches, and between the parts of a file.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static DEADLINE: OnceLock<Instant> = OnceLock::new();

/// Notes an interrupt. Returns whether there was one before.
pub fn stop() -> bool {
    INTERRUPTED.swap(true, Ordering::SeqCst)
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

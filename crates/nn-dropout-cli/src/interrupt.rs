//! Ctrl-C and termination requests: noted, and looked at between batches.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on a first interrupt is only noted; a second one ends the program at once.
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(crate::INTERRUPTED));
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// Whether an interrupt has come.
pub fn noted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

//! Ctrl-C, and requests to terminate.

use anyhow::{Context, Result};
use nn_dropout_experiments::interrupt::stop;

/// The exit status after Ctrl-C, as shells count it.
pub const STATUS: u8 = 130;

/// From now on the first interrupt is only noted; the second one ends the program at once.
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if stop() {
            std::process::exit(i32::from(STATUS));
        }
    })
    .context("cannot listen for Ctrl-C")
}

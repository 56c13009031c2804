//! Panics in what reads files, made errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use anyhow::{Result, bail};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a reader. Some readers of other crates panic on damaged files, and the user gets an error instead.
pub fn guard<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    let outer = IS_GUARDED.replace(true);
    // Nobody sees what a reader leaves half-done: it ends with the error.
    let ended = catch_unwind(AssertUnwindSafe(read));
    IS_GUARDED.set(outer);
    ended.unwrap_or_else(|_| bail!("the file is damaged"))
}

/// From now on a panic that [`guard`] catches prints nothing.
pub fn silence() {
    let report = take_hook();
    set_hook(Box::new(move |panic| {
        if !IS_GUARDED.get() {
            report(panic);
        }
    }));
}

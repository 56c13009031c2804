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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_all_else_stays() {
        assert_eq!(guard(|| Ok(3)).unwrap(), 3);
        assert_eq!(guard::<()>(|| bail!("empty")).unwrap_err().to_string(), "empty");
        let nested = || guard(|| guard(|| if [0].len() < 2 { panic!("a fault") } else { Ok(()) }));
        assert_eq!(nested().unwrap_err().to_string(), "the file is damaged");
        assert!(!IS_GUARDED.get());
    }
}

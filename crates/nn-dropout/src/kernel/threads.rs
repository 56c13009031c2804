//! A call's elements shared out among rayon's threads, where that is faster.

#[cfg(feature = "rayon")]
use std::cell::Cell;

use super::operands::Operands;

#[cfg(feature = "rayon")]
thread_local! {
    /// Whether this thread does all its calls alone.
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`. Draws that it applies stay on the calling thread, however large the tensors are: for frameworks with threads of
/// their own.
///
/// The values are the same on any number of threads. Without the feature `rayon` this does nothing else than to call `f`.
///
/// ```
/// use nn_dropout::{Dropout, single_threaded};
///
/// let dropout = Dropout::new(0.5)?;
/// let y = single_threaded(|| dropout.forward(vec![1f32; 1 << 20]));
/// # Ok::<(), nn_dropout::ConfigError>(())
/// ```
pub fn single_threaded<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "rayon")]
    let _restore = {
        /// What was before, also after a panic.
        struct Restore(bool);
        impl Drop for Restore {
            fn drop(&mut self) {
                ALONE.set(self.0);
            }
        }
        Restore(ALONE.replace(true))
    };
    f()
}

/// Calls `apply` for parts of `operands` that together are all of them, on any number of threads. It gets a part and the number
/// of the part's first element.
#[inline]
pub fn share_out<T: Copy + Send + Sync>(operands: Operands<T>, first: u64, apply: &(impl Fn(Operands<T>, u64) + Sync)) {
    // Asking for the number of threads starts them.
    #[cfg(feature = "rayon")]
    if operands.count() >= 2 * MIN_SHARE && !ALONE.get() && rayon::current_num_threads() > 1 {
        // A few shares a thread, so that none waits long for one that was held up.
        let share = MIN_SHARE.max(operands.count() / (4 * rayon::current_num_threads()));
        return halve(operands, first, share, apply);
    }
    apply(operands, first);
}

/// A thread's smallest share, in elements. Fewer are done before another thread has woken up.
#[cfg(feature = "rayon")]
const MIN_SHARE: usize = 1 << 16;

#[cfg(feature = "rayon")]
fn halve<T: Copy + Send + Sync>(
    operands: Operands<T>,
    first: u64,
    share: usize,
    apply: &(impl Fn(Operands<T>, u64) + Sync),
) {
    if operands.count() < 2 * share {
        return apply(operands, first);
    }
    let middle = operands.count() / 2;
    let (left, right) = operands.split_at(middle);
    let right_first = first.wrapping_add(middle as u64);
    rayon::join(|| halve(left, first, share, apply), || halve(right, right_first, share, apply));
}

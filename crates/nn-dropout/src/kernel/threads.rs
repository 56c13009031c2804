//! A call's elements shared out among rayon's threads, where that is faster.

use super::operands::Operands;

/// Calls `apply` for parts of `operands` that together are all of them, on any number of threads. It gets a part and the number
/// of the part's first element.
#[inline]
pub fn share_out<T: Copy + Send + Sync>(operands: Operands<T>, first: u64, apply: &(impl Fn(Operands<T>, u64) + Sync)) {
    // Asking for the number of threads starts them.
    #[cfg(feature = "rayon")]
    if operands.count() >= 2 * MIN_SHARE && rayon::current_num_threads() > 1 {
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

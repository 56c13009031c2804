//! A call's elements shared out among rayon's threads, where that is faster.

use super::{Kernel, Noise, Operands};
use crate::Element;

/// Applies `noise` on as many threads as there are for it. What comes out does not depend on how many.
#[cfg(feature = "rayon")]
pub(super) fn apply<T: Element>(kernel: &Kernel, noise: &Noise<T>, start: u64, operands: Operands<T>, stream: bool) {
    // Asking for the number of threads starts them.
    if operands.count() < 2 * MIN_SHARE || rayon::current_num_threads() == 1 {
        return kernel.apply(noise, start, operands, stream);
    }
    // A few shares a thread, so that none waits long for one that was held up.
    let share = MIN_SHARE.max(operands.count() / (4 * rayon::current_num_threads()));
    share_out(operands, start, share, &|operands, start| kernel.apply(noise, start, operands, stream));
}

#[cfg(feature = "rayon")]
fn share_out<T: Element>(operands: Operands<T>, start: u64, share: usize, apply: &(impl Fn(Operands<T>, u64) + Sync)) {
    if operands.count() < 2 * share {
        return apply(operands, start);
    }
    let middle = operands.count() / 2;
    let (left, right) = operands.split_at(middle);
    let right_start = start.wrapping_add(middle as u64);
    rayon::join(|| share_out(left, start, share, apply), || share_out(right, right_start, share, apply));
}

#[cfg(not(feature = "rayon"))]
pub(super) fn apply<T: Element>(kernel: &Kernel, noise: &Noise<T>, start: u64, operands: Operands<T>, stream: bool) {
    kernel.apply(noise, start, operands, stream);
}

/// A thread's smallest share, in elements: fewer are done before another thread has woken up.
#[cfg(feature = "rayon")]
const MIN_SHARE: usize = 1 << 16;

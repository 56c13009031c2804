//! Work on the rows of a tensor, shared out among threads.

use rayon::prelude::*;

/// Elements that are worth handing to another thread.
pub const CHUNK: usize = 1 << 14;

/// Calls `change` with each row and its number; the last row may be shorter. It runs with the widest instructions that the CPU has.
pub fn for_each(numbers: &mut [f32], columns: usize, change: impl Fn(&mut [f32], usize) + Sync) {
    if numbers.is_empty() {
        return;
    }
    let count = CHUNK.div_ceil(columns);
    numbers.par_chunks_mut(count * columns).enumerate().for_each(|(chunk, numbers)| {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (row, numbers) in (chunk * count..).zip(numbers.chunks_mut(columns)) {
                    change(numbers, row);
                }
            },
        );
    });
}

/// The sum of a function of each number and its place: sixteen sums side by side, then of these, on every CPU.
#[inline(always)]
pub fn sum(row: &[f32], of: impl Fn(f32, usize) -> f32) -> f32 {
    let mut sums = [0.0; 16];
    for (chunk, numbers) in row.chunks(16).enumerate() {
        for (i, (sum, &x)) in sums.iter_mut().zip(numbers).enumerate() {
            *sum += of(x, chunk * 16 + i);
        }
    }
    sums.into_iter().sum()
}

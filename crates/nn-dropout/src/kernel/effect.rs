//! What happens to kept and dropped elements: as numbers, and as formulas of registers.

use super::generic::Lanes;

/// What happens to an element `x` with bit `k`.
#[derive(Clone, Copy)]
pub(crate) enum Effect<T> {
    /// `x * (k ? scale : 0)`
    Scale(T),
    /// `x * (k ? scale : 0) + (k ? kept : dropped)`, with the shifts as `[kept, dropped]`
    ScaleAndShift(T, [T; 2]),
    /// `k ? x / divisor : 0`
    Divide(T),
}

/// An [`Effect`] in registers.
pub(super) trait Formula<T, I: Lanes<T>>: Copy {
    /// The noisy `x`; its elements' bits are those that [`Lanes::select`] looks at.
    ///
    /// # Safety
    ///
    /// As for [`Lanes`].
    unsafe fn noisy(self, x: I::Register, bits: u32, index: usize) -> I::Register;
}

#[derive(Clone, Copy)]
pub(super) struct Scale<R> {
    pub kept: R,
    pub dropped: R,
}

impl<T, I: Lanes<T>> Formula<T, I> for Scale<I::Register> {
    #[inline(always)]
    unsafe fn noisy(self, x: I::Register, bits: u32, index: usize) -> I::Register {
        // SAFETY: the caller's.
        unsafe { I::mul(x, I::select(bits, index, self.kept, self.dropped)) }
    }
}

#[derive(Clone, Copy)]
pub(super) struct ScaleAndShift<R> {
    pub scale: Scale<R>,
    pub kept: R,
    pub dropped: R,
}

impl<T, I: Lanes<T>> Formula<T, I> for ScaleAndShift<I::Register> {
    #[inline(always)]
    unsafe fn noisy(self, x: I::Register, bits: u32, index: usize) -> I::Register {
        // SAFETY: the caller's.
        unsafe {
            let scaled = Formula::<T, I>::noisy(self.scale, x, bits, index);
            I::add(scaled, I::select(bits, index, self.kept, self.dropped))
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Divide<R> {
    pub divisor: R,
    pub dropped: R,
}

impl<T, I: Lanes<T>> Formula<T, I> for Divide<I::Register> {
    #[inline(always)]
    unsafe fn noisy(self, x: I::Register, bits: u32, index: usize) -> I::Register {
        // SAFETY: the caller's.
        unsafe { I::select(bits, index, I::div(x, self.divisor), self.dropped) }
    }
}

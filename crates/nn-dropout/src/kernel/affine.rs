//! What happens to kept and dropped elements: as numbers, and as formulas of registers.

use super::isa::Vector;

/// What happens to an element `x` whose bit is `k`, in numbers of its type. Each operation is rounded to the type.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Affine<T> {
    /// `x * (k ? scale : 0)`
    Scale(T),
    /// `x * (k ? scale : 0) + (k ? shifts[0] : shifts[1])`
    ScaleAndShift(T, [T; 2]),
    /// `k ? x / divisor : 0`, as Equinox and Flax write it
    Divide(T),
}

/// An [`Affine`] in registers.
pub trait Formula<T, I: Vector<T>>: Copy {
    /// The noisy `x`. Its elements' bits are those that [`Vector::select`] looks at.
    ///
    /// # Safety
    ///
    /// As for [`Vector`].
    unsafe fn noisy(self, x: I::Register, bits: u32, index: usize) -> I::Register;
}

#[derive(Clone, Copy)]
pub struct Scale<R> {
    pub kept: R,
    pub dropped: R,
}

impl<T, I: Vector<T>> Formula<T, I> for Scale<I::Register> {
    #[inline(always)]
    unsafe fn noisy(self, x: I::Register, bits: u32, index: usize) -> I::Register {
        // SAFETY: the CPU has the instructions of `I`, which the caller enables.
        unsafe { I::mul(x, I::select(bits, index, self.kept, self.dropped)) }
    }
}

#[derive(Clone, Copy)]
pub struct ScaleAndShift<R> {
    pub scale: Scale<R>,
    pub kept: R,
    pub dropped: R,
}

impl<T, I: Vector<T>> Formula<T, I> for ScaleAndShift<I::Register> {
    #[inline(always)]
    unsafe fn noisy(self, x: I::Register, bits: u32, index: usize) -> I::Register {
        // SAFETY: as above.
        unsafe {
            let scaled = Formula::<T, I>::noisy(self.scale, x, bits, index);
            I::add(scaled, I::select(bits, index, self.kept, self.dropped))
        }
    }
}

#[derive(Clone, Copy)]
pub struct Divide<R> {
    pub divisor: R,
    pub dropped: R,
}

impl<T, I: Vector<T>> Formula<T, I> for Divide<I::Register> {
    #[inline(always)]
    unsafe fn noisy(self, x: I::Register, bits: u32, index: usize) -> I::Register {
        // SAFETY: as above.
        unsafe { I::select(bits, index, I::div(x, self.divisor), self.dropped) }
    }
}

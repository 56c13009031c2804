//! What happens to elements: as numbers, and as formulas of registers.

use super::isa::Vector;
use crate::spec::number::Distribution;

/// What happens to an element `x` whose bit is `k`, or whose number is `n`, in numbers of its type. Each operation is rounded to
/// the type, or to `f32` if the type is narrower, and the result to the type.
///
/// Of two scales or shifts the first is for kept elements, the second for dropped ones.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Affine<T> {
    /// `x * (k ? scales[0] : scales[1])`
    Scale([T; 2]),
    /// `x * (k ? scales[0] : scales[1]) + (k ? shifts[0] : shifts[1])`
    ScaleAndShift([T; 2], [T; 2]),
    /// `k ? x / divisor : 0`, as Equinox and Flax write it
    Divide(T),
    /// `x * (1 + amount * n)`. The scale is rounded to the type before `x` is multiplied.
    MultiplyBy(Distribution, f64),
    /// `x + amount * n`. The shift is rounded to the type before it is added.
    Add(Distribution, f64),
}

impl<T> Affine<T> {
    /// Whether elements get numbers, not bits.
    #[inline]
    pub(super) const fn takes_numbers(&self) -> bool {
        matches!(self, Self::MultiplyBy(..) | Self::Add(..))
    }
}

/// What a formula looks at besides the elements.
#[derive(Clone, Copy)]
pub struct Place {
    /// The bits of a unit of elements, and which register of the unit it is: see [`Vector::select`].
    pub bits: u32,
    pub index: usize,
    /// The number of the register's first element in the chunk.
    pub element: usize,
}

/// An [`Affine`] in registers.
pub trait Formula<T, I: Vector<T>>: Copy {
    /// The noisy `x`.
    ///
    /// # Safety
    ///
    /// As for [`Vector`]. A formula with numbers has those of the elements at `place`.
    unsafe fn noisy(self, x: I::Register, place: Place) -> I::Register;
}

#[derive(Clone, Copy)]
pub struct Scale<R> {
    pub kept: R,
    pub dropped: R,
}

impl<T, I: Vector<T>> Formula<T, I> for Scale<I::Register> {
    #[inline(always)]
    unsafe fn noisy(self, x: I::Register, Place { bits, index, .. }: Place) -> I::Register {
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
    unsafe fn noisy(self, x: I::Register, place: Place) -> I::Register {
        // SAFETY: as above.
        unsafe {
            let scaled = Formula::<T, I>::noisy(self.scale, x, place);
            I::add(scaled, I::select(place.bits, place.index, self.kept, self.dropped))
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
    unsafe fn noisy(self, x: I::Register, Place { bits, index, .. }: Place) -> I::Register {
        // SAFETY: as above.
        unsafe { I::select(bits, index, I::div(x, self.divisor), self.dropped) }
    }
}

/// Each element is multiplied by a number of its own.
#[derive(Clone, Copy)]
pub struct MultiplyBy<T> {
    /// The numbers of a chunk.
    pub scales: *const T,
}

impl<T: Copy, I: Vector<T>> Formula<T, I> for MultiplyBy<T> {
    #[inline(always)]
    unsafe fn noisy(self, x: I::Register, place: Place) -> I::Register {
        // SAFETY: as above, and there are numbers for all elements at `place`.
        unsafe { I::mul(x, I::load(self.scales.add(place.element))) }
    }
}

/// A number of its own is added to each element.
#[derive(Clone, Copy)]
pub struct Add<T> {
    /// The numbers of a chunk.
    pub shifts: *const T,
}

impl<T: Copy, I: Vector<T>> Formula<T, I> for Add<T> {
    #[inline(always)]
    unsafe fn noisy(self, x: I::Register, place: Place) -> I::Register {
        // SAFETY: as above, and there are numbers for all elements at `place`.
        unsafe { I::add(x, I::load(self.shifts.add(place.element))) }
    }
}

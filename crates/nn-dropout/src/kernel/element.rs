//! The element types a draw can be applied to.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul};

use half::{bf16, f16};

use super::table::{Apply, Loops};

/// An element of a tensor: `f32`, `f64`, [`f16`](half::f16) or [`bf16`](half::bf16). Sealed.
pub trait Element:
    Copy
    + Debug
    + Default
    + PartialEq
    + Add<Output = Self>
    + Div<Output = Self>
    + Mul<Output = Self>
    + Send
    + Sync
    + 'static
    + Sealed
{
}

/// What a draw needs to know of an element type. It cannot be implemented outside of this crate.
pub trait Sealed {
    /// `number`, rounded to the precision that is computed in: `f32` for all types but `f64`.
    fn rounded(number: f64) -> f64 {
        f64::from(number as f32)
    }

    /// The number, exactly.
    fn widen(self) -> f64;

    /// `number`, rounded to this type.
    fn narrow(number: f64) -> Self;

    /// `base + amount * number` for each number, computed in that precision and rounded to this type.
    fn amounts(base: f64, amount: f64, numbers: &[f32], amounts: &mut [Self])
    where
        Self: Sized;

    /// The loop for this type.
    fn apply(loops: &Loops) -> Apply<Self>
    where
        Self: Sized;
}

impl Element for f32 {}
impl Sealed for f32 {
    fn widen(self) -> f64 {
        f64::from(self)
    }

    fn narrow(number: f64) -> Self {
        number as Self
    }

    #[inline(always)]
    fn amounts(base: f64, amount: f64, numbers: &[f32], amounts: &mut [Self]) {
        let (base, amount) = (base as Self, amount as Self);
        for (to, &number) in amounts.iter_mut().zip(numbers) {
            *to = base + amount * number;
        }
    }

    fn apply(loops: &Loops) -> Apply<Self> {
        loops.f32
    }
}

impl Element for f64 {}
impl Sealed for f64 {
    fn rounded(number: f64) -> f64 {
        number
    }

    fn widen(self) -> f64 {
        self
    }

    fn narrow(number: f64) -> Self {
        number
    }

    #[inline(always)]
    fn amounts(base: f64, amount: f64, numbers: &[f32], amounts: &mut [Self]) {
        for (to, &number) in amounts.iter_mut().zip(numbers) {
            *to = base + amount * Self::from(number);
        }
    }

    fn apply(loops: &Loops) -> Apply<Self> {
        loops.f64
    }
}

// Products of these two are computed in f32 and rounded, as PyTorch does.
impl Element for f16 {}
impl Sealed for f16 {
    fn widen(self) -> f64 {
        self.into()
    }

    fn narrow(number: f64) -> Self {
        Self::from_f64(number)
    }

    #[inline(always)]
    fn amounts(base: f64, amount: f64, numbers: &[f32], amounts: &mut [Self]) {
        let (base, amount) = (base as f32, amount as f32);
        for (to, &number) in amounts.iter_mut().zip(numbers) {
            *to = Self::from_f32(base + amount * number);
        }
    }

    fn apply(loops: &Loops) -> Apply<Self> {
        loops.f16
    }
}

impl Element for bf16 {}
impl Sealed for bf16 {
    fn widen(self) -> f64 {
        self.into()
    }

    fn narrow(number: f64) -> Self {
        Self::from_f64(number)
    }

    #[inline(always)]
    fn amounts(base: f64, amount: f64, numbers: &[f32], amounts: &mut [Self]) {
        let (base, amount) = (base as f32, amount as f32);
        for (to, &number) in amounts.iter_mut().zip(numbers) {
            *to = Self::from_f32(base + amount * number);
        }
    }

    fn apply(loops: &Loops) -> Apply<Self> {
        loops.bf16
    }
}

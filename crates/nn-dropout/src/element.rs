//! The element types a draw can be applied to.

use std::fmt::Debug;
use std::ops::Mul;

use half::{bf16, f16};

use crate::draw::Scale;

/// An element of a tensor: `f32`, `f64`, [`f16`](half::f16) or [`bf16`](half::bf16). Sealed.
pub trait Element: Copy + Debug + Default + Mul<Output = Self> + Send + Sync + 'static + Sealed {}

/// What [`Draw`](crate::Draw) needs to know of an element type; nobody else can implement it.
pub trait Sealed {
    /// `scale`, rounded to this type.
    fn from_scale(scale: Scale) -> Self;
}

impl Element for f32 {}
impl Sealed for f32 {
    fn from_scale(scale: Scale) -> Self {
        scale.single
    }
}

impl Element for f64 {}
impl Sealed for f64 {
    fn from_scale(scale: Scale) -> Self {
        scale.double
    }
}

// Products of these two are computed in f32 and rounded, as PyTorch does.
impl Element for f16 {}
impl Sealed for f16 {
    fn from_scale(scale: Scale) -> Self {
        Self::from_f32(scale.single)
    }
}

impl Element for bf16 {}
impl Sealed for bf16 {
    fn from_scale(scale: Scale) -> Self {
        Self::from_f32(scale.single)
    }
}

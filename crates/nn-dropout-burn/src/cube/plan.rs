//! What the kernel is told about a draw, and how it is shared out among its launches.

use burn::tensor::DType;
use burn_cubecl::cubecl::ir::{ElemType, FloatKind};
use nn_dropout::{Affine, Distribution, Draw, Element, Mask, bf16, f16};

use crate::op::refuse;

/// Where bits come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    Philox {
        /// Whether there is a second threshold, for elements whose first sixteen bits are equal to the first.
        ties: bool,
    },
    Threefry,
    /// From memory.
    Held,
}

/// What is done with an element, its bit and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Formula {
    Scale,
    ScaleAndShift,
    Divide,
    MultiplyBy(Distribution),
    Add(Distribution),
}

/// What a unit of eight elements looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Its bits are a block.
    Block,
    /// All eight have one bit.
    Shared,
    /// Each bit has a place of its own.
    Each,
}

/// All that is known when the kernel is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    pub family: Family,
    pub formula: Formula,
    pub unit: Unit,
    /// The elements that are read and written at once: 1, 2, 4 or 8.
    pub vector: usize,
    /// Whether places differ in their lower 32 bits alone.
    pub narrow: bool,
    /// Whether the elements are `f64`.
    pub double: bool,
}

impl Plan {
    /// Whether elements get numbers, not bits.
    pub const fn takes_numbers(self) -> bool {
        matches!(self.formula, Formula::MultiplyBy(_) | Formula::Add(_))
    }
}

/// The noise of a draw for elements of a type, in the kernel's terms.
pub struct Noise {
    pub family: Family,
    /// What bits are drawn from: a key, a step, a layer, and two thresholds.
    pub stream: [u32; 6],
    pub formula: Formula,
    pub numbers: Numbers,
}

impl Noise {
    pub fn of(draw: &Draw, dtype: DType) -> Self {
        let ((family, stream), (formula, numbers)) = (stream(draw.mask()), formula(draw, dtype));
        Self { family, stream, formula, numbers }
    }
}

/// The numbers of a formula: scales or a divisor, then shifts, of kept and of dropped elements; or a base and an amount.
pub type Numbers = [f64; 4];

fn formula(draw: &Draw, dtype: DType) -> (Formula, Numbers) {
    fn of<T: Element>(draw: &Draw) -> (Formula, Numbers) {
        let wide = |numbers: [T; 2]| numbers.map(T::widen);
        match draw.affine::<T>() {
            Affine::Scale(scales) => {
                let [kept, dropped] = wide(scales);
                (Formula::Scale, [kept, dropped, 0.0, 0.0])
            }
            Affine::ScaleAndShift(scales, shifts) => {
                let ([kept, dropped], [kept_shift, dropped_shift]) = (wide(scales), wide(shifts));
                (Formula::ScaleAndShift, [kept, dropped, kept_shift, dropped_shift])
            }
            Affine::Divide(divisor) => (Formula::Divide, [divisor.widen(), 0.0, 0.0, 0.0]),
            Affine::MultiplyBy(number, amount) => (Formula::MultiplyBy(number), [1.0, amount, 0.0, 0.0]),
            Affine::Add(number, amount) => (Formula::Add(number), [0.0, amount, 0.0, 0.0]),
            other => panic!("the kernel cannot apply {other:?}"),
        }
    }
    match dtype {
        DType::F64 => of::<f64>(draw),
        DType::F32 => of::<f32>(draw),
        DType::F16 => of::<f16>(draw),
        DType::BF16 => of::<bf16>(draw),
        other => refuse(other),
    }
}

/// The type that products and sums are computed in.
pub const fn computed_in(dtype: DType) -> ElemType {
    ElemType::Float(if matches!(dtype, DType::F64) { FloatKind::F64 } else { FloatKind::F32 })
}

fn stream(mask: &Mask) -> (Family, [u32; 6]) {
    let (high, low) = mask.thresholds().unwrap_or_default();
    if let Some((seed, layer, step)) = mask.seed_layer_step() {
        return (Family::Philox { ties: low > 0 }, [seed as u32, (seed >> 32) as u32, step, layer, high, low]);
    }
    if let Some(key) = mask.jax_key() {
        let [key0, key1] = key.data();
        return (Family::Threefry, [key0, key1, 0, 0, high, 0]);
    }
    (Family::Held, [0; 6])
}

/// What one launch does: elements from number `first` on, and where their bits are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub first: u64,
    pub count: u64,
    start: u64,
    axes: Vec<(u64, u64)>,
}

/// Shares the elements of a draw out among launches of at most `most` elements.
pub fn parts(draw: &Draw, count: u64, most: u64) -> Vec<Part> {
    fn share(part: Part, most: u64, parts: &mut Vec<Part>) {
        let Part { first, count, start, ref axes } = part;
        if count <= most {
            return parts.push(part);
        }
        let (&(_, stride), inner) = axes.split_first().expect("a draw of more than one element has an axis");
        let row = inner.iter().fold(1, |row: u64, (size, _)| row.saturating_mul(*size));
        let rows = (most / row).max(1);
        for at in (0..count.div_ceil(row)).step_by(rows as usize) {
            let outer = [(rows, stride)].into_iter().filter(|_| rows > 1);
            let part = Part {
                first: first + at * row,
                count: (rows.saturating_mul(row)).min(count - at * row),
                start: start.wrapping_add(at.wrapping_mul(stride)),
                axes: outer.chain(inner.iter().copied()).collect(),
            };
            share(part, most, parts);
        }
    }
    let axes = draw.index().axes().iter().map(|axis| (axis.size, axis.stride)).collect();
    let mut parts = Vec::new();
    share(Part { first: 0, count, start: draw.index().start(), axes }, most, &mut parts);
    parts
}

/// Where the bits of the units of a part are: blocks, if a unit is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub unit: Unit,
    /// The number of elements that the first unit leaves out.
    pub skip: u32,
    pub start: u64,
    /// The axes, the fastest first: sizes and strides.
    axes: Vec<(u64, u64)>,
}

impl Part {
    /// Where its bits are.
    pub fn places(&self) -> Places {
        let Self { start, axes, .. } = self;
        let (outer, &(size, stride)) = axes.split_last().map_or((&[][..], &(1, 1)), |(last, outer)| (outer, last));
        let (unit, skip, start, axes) = if stride == 1 && outer.is_empty() {
            // Units are blocks, wherever in the first one the first element lies.
            (Unit::Block, (start % 8) as u32, start / 8, vec![(size, 1)])
        } else if stride == 1 && size % 8 == 0 && start % 8 == 0 && outer.iter().all(|(_, stride)| stride % 8 == 0) {
            // A stride is a step of whole blocks, modulo 2^61.
            let blocks = outer.iter().map(|&(size, stride)| (size, stride / 8));
            (Unit::Block, 0, start / 8, blocks.chain([(size / 8, 1)]).collect())
        } else if stride == 0 && size % 8 == 0 {
            (Unit::Shared, 0, *start, outer.iter().copied().chain([(size / 8, 0)]).collect())
        } else {
            (Unit::Each, 0, *start, if axes.is_empty() { vec![(1, 1)] } else { axes.clone() })
        };
        Places { unit, skip, start, axes: axes.into_iter().rev().collect() }
    }
}

impl Places {
    /// The sizes of all axes but the slowest. A part has fewer elements than the longest of them may.
    pub fn sizes(&self) -> impl Iterator<Item = u32> {
        let inner = &self.axes[..self.axes.len() - 1];
        inner.iter().map(|&(size, _)| size.min(1 << 31) as u32)
    }

    /// The strides of all axes.
    pub fn strides(&self) -> impl Iterator<Item = u64> {
        self.axes.iter().map(|&(_, stride)| stride)
    }

    /// Whether all places have the same upper 32 bits.
    pub fn are_narrow(&self) -> bool {
        let furthest = |sum: u128, &(size, stride): &(u64, u64)| sum + u128::from(size - 1) * u128::from(stride);
        self.axes.iter().fold(u128::from(self.start as u32), furthest) <= u128::from(u32::MAX)
    }
}

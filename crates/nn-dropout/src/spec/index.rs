//! The index map: which bit of a mask each element of a tensor gets.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;

use smallvec::SmallVec;

/// One axis of an [`Index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Axis {
    /// The number of coordinates.
    pub size: u64,
    /// The step from one coordinate's bit to the next one's, modulo 2^64. 0 where all coordinates share a bit.
    pub stride: u64,
}

/// The affine map from an element of a tensor to its bit of the mask:
///
/// ```text
/// bit(element) = start + sum over axes of coordinate[axis] * stride[axis]        modulo 2^64
/// ```
///
/// An element is a number too: its place in the tensor, row-major. Shared axes, channels, parts of a tensor and orders of
/// memory are all strides:
///
/// | what | strides |
/// |---|---|
/// | every element its own bit | row-major: [`of`](Self::of) |
/// | channels, locked dropout, Keras' `noise_shape`, Flax's `broadcast_dims` | row-major, 0 on the axes that share: [`shared`](Self::shared) |
/// | a part of a tensor | those of the whole, from the part's first element on: [`block`](Self::block) |
/// | another order in memory | those of that order: [`new`](Self::new) |
///
/// The axes are canonical: none has size 1, and axes that continue each other are one. So equal maps of less than 2^64
/// elements compare equal, and the usual ones have one axis or two.
///
/// ```
/// use nn_dropout::Index;
///
/// // (sample, channel, height, width): a bit for each channel of each sample
/// let channels = Index::shared(&[2, 3, 4, 5], &[2, 3]);
/// assert_eq!(channels, Index::new(0, [(6, 1), (20, 0)]));
/// assert_eq!(channels.bit(19), 0);
/// assert_eq!(channels.bit(20), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "Parts", into = "Parts"))]
pub struct Index {
    start: u64,
    axes: SmallVec<[Axis; 2]>,
}

/// What is serialised: `{"start": 0, "axes": [[6, 1], [20, 0]]}`.
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Parts {
    start: u64,
    axes: Vec<(u64, u64)>,
}

impl From<Parts> for Index {
    fn from(parts: Parts) -> Self {
        Self::new(parts.start, parts.axes)
    }
}

impl From<Index> for Parts {
    fn from(index: Index) -> Self {
        Self { start: index.start, axes: index.axes.iter().map(|axis| (axis.size, axis.stride)).collect() }
    }
}

/// The size of an axis without an end.
const ENDLESS: u64 = u64::MAX;

impl Index {
    /// The map with these axes, `(size, stride)` each, the slowest first.
    #[inline]
    pub fn new(start: u64, axes: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut canonical: SmallVec<[Axis; 2]> = SmallVec::new();
        for (size, stride) in axes {
            match canonical.last_mut() {
                _ if size == 0 => return Self { start: 0, axes: SmallVec::from_elem(Axis { size: 0, stride: 0 }, 1) },
                _ if size == 1 => {}
                Some(outer) if outer.stride == size.wrapping_mul(stride) && outer.size.checked_mul(size).is_some() => {
                    *outer = Axis { size: outer.size * size, stride };
                }
                _ => canonical.push(Axis { size, stride }),
            }
        }
        Self { start, axes: canonical }
    }

    /// Element i gets bit i, for a tensor of any number of elements.
    pub fn endless() -> Self {
        Self::new(0, [(ENDLESS, 1)])
    }

    /// Every element of a tensor of this shape gets its own bit: element i bit i.
    #[inline]
    pub fn of(shape: &[usize]) -> Self {
        let size = shape.iter().fold(1, |size: u64, &axis| size.saturating_mul(axis as u64));
        // The call that every training step makes for every layer.
        if size < 2 {
            return Self::new(0, [(size, 1)]);
        }
        Self { start: 0, axes: SmallVec::from_buf_and_len([Axis { size, stride: 1 }; 2], 1) }
    }

    /// Elements that differ in their coordinates on the axes `shared` alone share a bit; the bits are numbered row-major
    /// over the other axes.
    pub fn shared(shape: &[usize], shared: &[usize]) -> Self {
        Self::where_own(shape, |axis| !shared.contains(&axis)).0
    }

    /// The same, given the axes that do not share, and the number of bits.
    #[inline]
    pub(crate) fn where_own(shape: &[usize], own: impl Fn(usize) -> bool) -> (Self, u64) {
        let mut strides: SmallVec<[(u64, u64); 6]> = SmallVec::new();
        let (mut next, mut bits) = (1_u64, 1_u64);
        for (axis, &size) in shape.iter().enumerate().rev() {
            let size = size as u64;
            if own(axis) {
                strides.push((size, next));
                (next, bits) = (next.wrapping_mul(size), bits.saturating_mul(size));
            } else {
                strides.push((size, 0));
            }
        }
        (Self::new(0, strides.into_iter().rev()), bits)
    }

    /// The bit of the first element.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The canonical axes, the slowest first. A single element has none.
    #[inline]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The number of elements: the product of all sizes. 2^64 - 1 stands for any number.
    #[inline]
    pub fn count(&self) -> u64 {
        match self.axes() {
            [axis] => axis.size,
            axes => axes.iter().fold(1, |count, axis| count.saturating_mul(axis.size)),
        }
    }

    /// The bit of the element with this row-major number. This is the map's specification.
    ///
    /// # Panics
    ///
    /// If there are no elements.
    #[inline]
    #[track_caller]
    pub fn bit(&self, element: u64) -> u64 {
        let (mut bit, mut rest) = (self.start, element);
        for &Axis { size, stride } in self.axes.iter().rev() {
            assert!(size > 0, "there is no bit without elements");
            bit = bit.wrapping_add((rest % size).wrapping_mul(stride));
            rest /= size;
        }
        bit
    }

    /// The lowest and the highest bit of all elements, with strides from 2^63 on taken for negative ones. `None` if they do
    /// not lie between 0 and 2^64, and if there are no elements.
    pub fn bits(&self) -> Option<RangeInclusive<u64>> {
        let mut range = (i128::from(self.start), i128::from(self.start));
        for &Axis { size, stride } in &self.axes {
            let length = i128::from(size.checked_sub(1)?).checked_mul(i128::from(stride.cast_signed()))?;
            let end = if length < 0 { &mut range.0 } else { &mut range.1 };
            *end = end.checked_add(length)?;
        }
        Some(u64::try_from(range.0).ok()?..=u64::try_from(range.1).ok()?)
    }

    /// The stride of each axis of a tensor of this shape: the axes before they became canonical. An axis of size 1 has stride 0.
    ///
    /// # Errors
    ///
    /// If no axes of these sizes make this map.
    pub fn strides(&self, shape: &[usize]) -> Result<Vec<u64>, IndexError> {
        let mismatch = || IndexError::Shape { elements: self.count(), shape: shape.to_vec() };
        let mut strides = vec![0; shape.len()];
        if shape.contains(&0) {
            let fits = self.axes.iter().any(|axis| matches!(axis.size, 0 | ENDLESS));
            return if fits { Ok(strides) } else { Err(mismatch()) };
        }
        let mut axes = self.axes.iter().rev().copied();
        let mut left = Axis { size: 1, stride: 0 };
        for (stride, size) in strides.iter_mut().zip(shape).rev().filter(|(_, size)| **size > 1) {
            if left.size == 1 {
                left = axes.next().ok_or_else(mismatch)?;
            }
            *stride = left.stride;
            left.stride = left.stride.wrapping_mul(*size as u64);
            if left.size != ENDLESS {
                if !left.size.is_multiple_of(*size as u64) {
                    return Err(mismatch());
                }
                left.size /= *size as u64;
            }
        }
        let used_up = (left.size == 1 || left.size == ENDLESS) && axes.all(|axis| axis.size == ENDLESS);
        if used_up { Ok(strides) } else { Err(mismatch()) }
    }

    /// The map of a block: the elements of a tensor of shape `whole` from the coordinates `offset` on, `shape` of them.
    ///
    /// ```
    /// use nn_dropout::Index;
    ///
    /// // Columns 4 to 7 of 3 rows of 8.
    /// let columns = Index::of(&[3, 8]).block(&[3, 8], &[0, 4], &[3, 4])?;
    /// assert_eq!(columns, Index::new(4, [(3, 8), (4, 1)]));
    /// # Ok::<(), nn_dropout::IndexError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If this is no map for a tensor of shape `whole`, or the block does not lie within it.
    pub fn block(&self, whole: &[usize], offset: &[usize], shape: &[usize]) -> Result<Self, IndexError> {
        let strides = self.strides(whole)?;
        let within = |axis: usize| offset[axis].checked_add(shape[axis]).is_some_and(|end| end <= whole[axis]);
        if offset.len() != whole.len() || shape.len() != whole.len() || !(0..whole.len()).all(within) {
            let [whole, offset, shape] = [whole, offset, shape].map(<[usize]>::to_vec);
            return Err(IndexError::Block { whole, offset, shape });
        }
        let first = |bit: u64, (&at, stride): (&usize, &u64)| bit.wrapping_add((at as u64).wrapping_mul(*stride));
        let start = offset.iter().zip(&strides).fold(self.start, first);
        Ok(Self::new(start, shape.iter().map(|&size| size as u64).zip(strides)))
    }
}

/// A shape or a block that an [`Index`] does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// The map is not one of a tensor of this shape.
    Shape {
        /// The number of elements that the map has.
        elements: u64,
        /// The sizes of the tensor's axes.
        shape: Vec<usize>,
    },
    /// The block does not lie within the whole, or has another number of axes.
    Block {
        /// The sizes of the whole tensor's axes.
        whole: Vec<usize>,
        /// The coordinates of the block's first element.
        offset: Vec<usize>,
        /// The sizes of the block's axes.
        shape: Vec<usize>,
    },
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { elements, shape } => {
                write!(f, "a draw for {elements} elements does not fit a tensor of shape {shape:?}")
            }
            Self::Block { whole, offset, shape } => {
                write!(f, "a block of shape {shape:?} at {offset:?} does not lie within a tensor of shape {whole:?}")
            }
        }
    }
}

impl Error for IndexError {}

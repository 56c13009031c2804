//! Dropout of blocks of images and volumes.
//!
//! Ghiasi, Lin and Le, "DropBlock: a regularization method for convolutional networks", NeurIPS 2018. The details are
//! torchvision's.

use super::config::ConfigError;
use super::front::front;
use crate::draw::{Draw, Effect, Mask};
use crate::spec::index::Index;
use crate::spec::probability::Probability;

front! {
    /// Zeroes square blocks of images, of shape (sample, channel, height, width), and multiplies the rest by what makes up for
    /// them: the number of all elements over the number of kept ones.
    ///
    /// Blocks have 7 x 7 elements unless [`with_block_size`](Self::with_block_size) says otherwise; on smaller images they are as
    /// large as fits. A block's first corner is one of the places where it lies within the image, each with probability
    /// `p * area / (block area * places)`, in each channel of each sample. So about a share p is dropped, a little less where
    /// blocks overlap.
    ///
    /// A draw holds one bit an element: blocks overlap, so no element can tell alone. The interface is that of
    /// `torchvision.ops.DropBlock2d`.
    ///
    /// ```
    /// use nn_dropout::{DropBlock2d, Generator};
    ///
    /// let dropout = DropBlock2d::with_generator(0.1, &Generator::philox(42))?.with_block_size(3)?;
    /// let draw = dropout.draw(&[2, 3, 16, 16])?.expect("in training mode");
    /// let dropped = (0..1536).filter(|&i| !draw.keeps(i)).count();
    /// assert!((80..220).contains(&dropped));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    DropBlock2d(p)
}

front! {
    /// Zeroes cubic blocks of volumes, of shape (sample, channel, depth, height, width). Everything else is as for
    /// [`DropBlock2d`]; the interface is that of `torchvision.ops.DropBlock3d`.
    DropBlock3d(p)
}

macro_rules! block_size {
    ($($name:ident)*) => {$(
        impl $name {
            /// How many elements a block has along each axis.
            ///
            /// # Errors
            ///
            /// If it is 0.
            pub fn with_block_size(self, block_size: usize) -> Result<Self, ConfigError> {
                self.0.try_map_config(|config| config.with_block_size(block_size)).map(Self)
            }
        }
    )*};
}
block_size!(DropBlock2d DropBlock3d);

/// The blocks that can be dropped of a tensor.
pub struct Blocks {
    /// The number of channels of all samples.
    planes: usize,
    /// The sizes of the space that blocks lie in.
    space: Vec<usize>,
    /// How many places there are along each of its axes.
    places: Vec<usize>,
    block_size: usize,
    index: Index,
}

impl Blocks {
    /// The blocks of a tensor of this shape, which has samples, channels and space. Samples may share all blocks.
    pub fn new(shape: &[usize], channels_last: bool, block_size: usize, share_batch: bool) -> Self {
        let channel = if channels_last { shape.len() - 1 } else { 1 };
        let is_space = |axis: &usize| *axis != 0 && *axis != channel;
        let space: Vec<usize> = (0..shape.len()).filter(is_space).map(|axis| shape[axis]).collect();
        let block_size = space.iter().copied().fold(block_size, usize::min);
        // The bits are numbered by sample, channel and space, wherever the channels are.
        let mut strides = vec![0_u64; shape.len()];
        let mut bits = 1;
        for axis in (0..shape.len()).filter(is_space).rev().chain([channel]) {
            strides[axis] = bits;
            bits *= shape[axis] as u64;
        }
        if !share_batch {
            strides[0] = bits;
        }
        Self {
            planes: shape[channel] * if share_batch { 1 } else { shape[0] },
            places: space.iter().map(|size| size - block_size + 1).collect(),
            space,
            block_size,
            index: Index::new(0, shape.iter().map(|&size| size as u64).zip(strides)),
        }
    }

    /// Drops blocks whose corners the mask keeps: it drops all others, and PyTorch draws them the same way.
    pub fn draw(self, p: Probability, mask: impl FnOnce(Probability, u64) -> Mask) -> Draw {
        let product = |sizes: &[usize]| sizes.iter().map(|&size| size as f64).product::<f64>();
        let block = (self.block_size as f64).powi(self.space.len() as i32);
        let corner = p.get() * product(&self.space) / (block * product(&self.places));
        let none = Probability::new(1.0 - corner).unwrap_or(Probability::ZERO);

        let corners = self.planes as u64 * self.places.iter().map(|&size| size as u64).product::<u64>();
        let corner_mask = mask(none, corners);
        let area: usize = self.space.iter().product();
        let total = self.planes * area;
        let mut bits = vec![u8::MAX; total.div_ceil(8)];
        /// A multiple of 8.
        const ASKED: u64 = 1 << 16;
        for first in (0..corners).step_by(ASKED as usize) {
            let asked = corner_mask.bits(first..corners.min(first + ASKED));
            for (byte, first) in asked.into_iter().zip((first..).step_by(8)).filter(|(byte, _)| *byte != 0) {
                for place in (0..8).filter(|place| byte >> place & 1 == 1) {
                    self.clear(first + place, area, &mut bits);
                }
            }
        }
        let mask = Mask::from_bits(bits, total as u64, Probability::ZERO);
        let kept: u64 = mask.bits(0..total as u64).iter().map(|byte| u64::from(byte.count_ones())).sum();
        // This p makes a scale of one over the share that is kept.
        let dropped = Probability::new((total as u64 - kept) as f64 / total as f64).unwrap_or(Probability::ZERO);
        Draw::new(mask.with_p(dropped), self.index, Effect::Dropout)
    }

    /// Clears the bits of the block with this corner.
    fn clear(&self, corner: u64, area: usize, bits: &mut [u8]) {
        let mut rest = corner as usize;
        let mut first = 0;
        let mut stride = 1;
        for (places, size) in self.places.iter().zip(&self.space).rev() {
            first += rest % places * stride;
            rest /= places;
            stride *= size;
        }
        first += rest * area;
        // One row of the block after the other, along the last axis.
        let width = self.space[self.space.len() - 1];
        let rows = self.block_size.pow(self.space.len() as u32 - 1);
        for row in 0..rows {
            let (mut row, mut start, mut stride) = (row, first, width);
            for size in self.space.iter().rev().skip(1) {
                start += row % self.block_size * stride;
                row /= self.block_size;
                stride *= size;
            }
            for bit in start..start + self.block_size {
                bits[bit / 8] &= !(1 << (bit % 8));
            }
        }
    }
}

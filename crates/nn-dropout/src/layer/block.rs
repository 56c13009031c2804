//! Dropout of blocks of images and volumes.
//!
//! Ghiasi, Lin and Le, "DropBlock: a regularization method for convolutional networks", NeurIPS 2018. The details are
//! torchvision's.

use super::config::{Config, ConfigError};
use super::front::front;
use crate::draw::{Draw, Effect, Mask};
use crate::spec::index::Index;
use crate::spec::probability::Probability;

front! {
    /// Zeroes square blocks of images, of shape (sample, channel, height, width), and multiplies the rest by what makes up for
    /// them: the number of all elements over the number of kept ones.
    ///
    /// Blocks have 7 x 7 elements unless [`with_block_size`](Self::with_block_size) says otherwise; on smaller images they are as
    /// large as fits. A block lies at each of the places where it is within the image with probability
    /// `p * area / (block area * places)`, in each channel of each sample. So a share of p is dropped, less where
    /// blocks overlap: about 0.09 at p = 0.1, 0.39 at p = 0.5 and 0.6 at p = 1.
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

macro_rules! options {
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

            /// Blocks may lie anywhere, and are cut at the border, as in timm. More is dropped then, up to several
            /// times p where blocks are large, and elements near the border are dropped less.
            #[must_use]
            pub fn with_clipping(self) -> Self {
                Self(self.0.map_config(|config| config.with_clipping(true)))
            }

            /// All channels of a sample lose the same blocks, as in timm.
            #[must_use]
            pub fn with_coupled_channels(self) -> Self {
                Self(self.0.map_config(|config| config.with_coupled_channels(true)))
            }
        }
    )*};
}
options!(DropBlock2d DropBlock3d);

/// The blocks that can be dropped of a tensor.
pub struct Blocks {
    /// The number of spaces that have bits of their own: channels of samples.
    planes: usize,
    /// One for each axis of the space that blocks lie in, the last one first.
    axes: Vec<Side>,
    index: Index,
}

/// The blocks along an axis.
struct Side {
    size: usize,
    block: usize,
    /// How many places there are for a block.
    places: usize,
    /// How many elements a block begins before its place.
    before: usize,
}

impl Side {
    /// The first element of the block at a place, and how many it has.
    fn block(&self, place: usize) -> (usize, usize) {
        let (start, end) = (place.saturating_sub(self.before), (place + self.block - self.before).min(self.size));
        (start, end - start)
    }
}

impl Blocks {
    /// The blocks of a tensor of this shape, which has samples, channels and space. Samples may share all blocks.
    pub fn new(shape: &[usize], config: &Config, share_batch: bool) -> Self {
        let channel = if config.channels_last { shape.len() - 1 } else { 1 };
        let space = || (1..shape.len()).rev().filter(|axis| *axis != channel);
        let smallest = space().map(|axis| shape[axis]).fold(config.block_size, usize::min);
        let side = |size: usize| {
            if config.clipping {
                let block = config.block_size.min(size);
                Side { size, block, places: size, before: block / 2 }
            } else {
                Side { size, block: smallest, places: size - smallest + 1, before: 0 }
            }
        };
        // The bits are numbered by sample, channel and space, wherever the channels are.
        let mut strides = vec![0_u64; shape.len()];
        let mut bits = 1;
        for axis in space().chain([channel, 0]) {
            let is_shared = axis == channel && config.coupled_channels || axis == 0 && share_batch;
            if !is_shared {
                strides[axis] = bits;
                bits *= shape[axis] as u64;
            }
        }
        let axes: Vec<Side> = space().map(|axis| side(shape[axis])).collect();
        Self {
            planes: bits as usize / axes.iter().map(|axis| axis.size).product::<usize>(),
            axes,
            index: Index::new(0, shape.iter().map(|&size| size as u64).zip(strides)),
        }
    }

    /// Drops blocks whose places the mask keeps: it drops all others, and PyTorch draws them the same way.
    pub fn draw(self, p: Probability, mask: impl FnOnce(Probability, u64) -> Mask) -> Draw {
        /// How many places are asked about at once: a multiple of 8.
        const ASKED: u64 = 1 << 16;
        let product = |of: fn(&Side) -> usize| self.axes.iter().map(of).product::<usize>();
        let (area, inside) = (product(|axis| axis.size), product(|axis| axis.size - axis.block + 1));
        let rate = p.get() * area as f64 / (product(|axis| axis.block) as f64 * inside as f64);
        let none = Probability::new(1.0 - rate).unwrap_or(Probability::ZERO);

        let places = (self.planes * product(|axis| axis.places)) as u64;
        let blocks = mask(none, places);
        let total = self.planes * area;
        let mut bits = vec![u8::MAX; total.div_ceil(8)];
        for first in (0..places).step_by(ASKED as usize) {
            let asked = blocks.bits(first..places.min(first + ASKED));
            for (byte, first) in asked.into_iter().zip((first..).step_by(8)).filter(|(byte, _)| *byte != 0) {
                for place in (0..8).filter(|place| byte >> place & 1 == 1) {
                    self.clear((first + place) as usize, &mut bits);
                }
            }
        }
        let mask = Mask::from_bits(bits, total as u64, Probability::ZERO);
        let kept: u64 = mask.bits(0..total as u64).iter().map(|byte| u64::from(byte.count_ones())).sum();
        // This p makes a scale of one over the share that is kept.
        let dropped = Probability::new((total as u64 - kept) as f64 / total as f64).unwrap_or(Probability::ZERO);
        Draw::new(mask.with_p(dropped), self.index, Effect::Dropout)
    }

    /// Clears the bits of the block at a place.
    fn clear(&self, place: usize, bits: &mut [u8]) {
        let (mut rest, mut stride) = (place, 1);
        // Where the runs of bits along the last axis begin, and how long they are.
        let (mut starts, mut run) = (vec![0], 1);
        for (number, axis) in self.axes.iter().enumerate() {
            let (start, length) = axis.block(rest % axis.places);
            rest /= axis.places;
            if number == 0 {
                (starts, run) = (vec![start], length);
            } else {
                let along = |other: usize| (start..start + length).map(move |at| other + at * stride);
                starts = starts.into_iter().flat_map(along).collect();
            }
            stride *= axis.size;
        }
        for start in starts {
            let (first, end) = (rest * stride + start, rest * stride + start + run);
            // Whole bytes at once, since blocks may be large.
            let bytes = first.div_ceil(8)..end / 8;
            if bytes.start < bytes.end {
                bits[bytes.clone()].fill(0);
            }
            let (head, tail) = (first..end.min(8 * bytes.start), first.max(8 * bytes.end).max(8 * bytes.start)..end);
            for bit in head.chain(tail) {
                bits[bit / 8] &= !(1 << (bit % 8));
            }
        }
    }
}

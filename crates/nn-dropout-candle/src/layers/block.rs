//! Dropout of blocks of images and volumes.

use super::front::{layer, one_tensor};

layer! {
    /// Zeroes square blocks of images, of shape (sample, channel, height, width): [`nn_dropout::DropBlock2d`] for candle's tensors.
    /// One bit an element is kept for the backward pass.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use nn_dropout_candle::DropBlock2d;
    ///
    /// let dropout = DropBlock2d::new(0.1).with_block_size(3);
    /// let y = dropout.forward(&Tensor::ones((2, 3, 16, 16), DType::F32, &Device::Cpu)?, true)?;
    /// let dropped = y.flatten_all()?.to_vec1::<f32>()?.into_iter().filter(|y| *y == 0.0).count();
    /// assert!((9..400).contains(&dropped));
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    DropBlock2d(p)
}

layer! {
    /// Zeroes cubic blocks of volumes, of shape (sample, channel, depth, height, width): [`nn_dropout::DropBlock3d`] for candle's
    /// tensors. Everything else is as for [`DropBlock2d`].
    DropBlock3d(p)
}

one_tensor!(DropBlock2d DropBlock3d);

macro_rules! options {
    ($($name:ident)*) => {$(
        impl $name {
            /// How many elements a block has along each axis: at least 1, and 7 unless this says otherwise.
            #[must_use]
            pub fn with_block_size(self, block_size: usize) -> Self {
                self.changed(|config| config.with_block_size(block_size))
            }

            /// Blocks may lie anywhere, and are cut at the border, as in timm.
            #[must_use]
            pub fn with_clipping(self) -> Self {
                self.changed(|config| config.with_clipping(true))
            }

            /// All channels of a sample lose the same blocks, as in timm.
            #[must_use]
            pub fn with_coupled_channels(self) -> Self {
                self.changed(|config| config.with_coupled_channels(true))
            }
        }
    )*};
}
options!(DropBlock2d DropBlock3d);

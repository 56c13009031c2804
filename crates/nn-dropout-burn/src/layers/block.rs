//! Dropout of blocks of images and volumes.

use nn_dropout::Config;

use super::front::{module, one_tensor};

module! {
    /// Zeroes square blocks of images, of shape (sample, channel, height, width): [`nn_dropout::DropBlock2d`] as a Burn module,
    /// active where [`Dropout`](super::Dropout) is. One bit an element is kept for the backward pass.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use nn_dropout_burn::DropBlock2dConfig;
    ///
    /// let dropout = DropBlock2dConfig::new(0.1).with_block_size(3).init();
    /// let y = dropout.forward(Tensor::<4>::ones([2, 3, 16, 16], &Device::flex().autodiff()));
    /// let dropped = y.to_data().iter::<f32>().filter(|y| *y == 0.0).count();
    /// assert!((9..400).contains(&dropped));
    /// ```
    DropBlock2d, DropBlock2dConfig {
        /// About the share of elements that are dropped, from 0 to 1.
        prob,
        /// How many elements a block has along each axis, at least 1.
        block_size: usize = 7 => Config::with_block_size,
        /// Whether blocks may lie anywhere, and are cut at the border, as in timm.
        clipping: bool = false => Config::with_clipping,
        /// Whether all channels of a sample lose the same blocks, as in timm.
        coupled_channels: bool = false => Config::with_coupled_channels,
    }
}

module! {
    /// Zeroes cubic blocks of volumes, of shape (sample, channel, depth, height, width): [`nn_dropout::DropBlock3d`] as a Burn
    /// module. Everything else is as for [`DropBlock2d`].
    DropBlock3d, DropBlock3dConfig {
        /// About the share of elements that are dropped, from 0 to 1.
        prob,
        /// How many elements a block has along each axis, at least 1.
        block_size: usize = 7 => Config::with_block_size,
        /// Whether blocks may lie anywhere, and are cut at the border, as in timm.
        clipping: bool = false => Config::with_clipping,
        /// Whether all channels of a sample lose the same blocks, as in timm.
        coupled_channels: bool = false => Config::with_coupled_channels,
    }
}

one_tensor!(DropBlock2d DropBlock3d);

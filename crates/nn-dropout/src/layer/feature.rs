//! Channel-wise dropout.
//!
//! Tompson, Goroshin, Jain, LeCun and Bregler, "Efficient object localization using convolutional networks", CVPR 2015.

use super::front::front;

front! {
    /// Zeroes whole channels of signals: of a tensor of shape (sample, channel, length), or (channel, length) for a single
    /// sample, each channel of each sample with probability p. The rest is multiplied by `1 / (1 - p)`.
    ///
    /// Neighbouring elements of a signal resemble each other so much that it does not help to drop them one by one. Everything
    /// else is as for [`Dropout`](crate::Dropout); the interface is that of `torch.nn.Dropout1d`.
    ///
    /// ```
    /// use ndarray::Array3;
    /// use nn_dropout::{Dropout1d, Generator};
    ///
    /// let dropout = Dropout1d::with_generator(0.5, &Generator::torch(0))?;
    /// let y = dropout.forward(Array3::<f32>::ones((2, 3, 4)))?;
    /// let channels: Vec<f32> = y.rows().into_iter().map(|row| row[0]).collect();
    /// // torch.manual_seed(0); torch.nn.Dropout1d(0.5)(torch.ones(2, 3, 4))[:, :, 0]
    /// assert_eq!(channels, [0.0, 0.0, 2.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Dropout1d(p)
}

front! {
    /// Zeroes whole channels of images: of a tensor of shape (sample, channel, height, width), each channel of each sample
    /// with probability p. The rest is multiplied by `1 / (1 - p)`.
    ///
    /// Other shapes are taken as PyTorch takes them: the first two dimensions are samples and channels, so one of three
    /// dimensions is (sample, channel, length), not an image without a batch. Fewer than two are an error where there is
    /// something to draw. Everything else is as for [`Dropout`](crate::Dropout); the interface is that of `torch.nn.Dropout2d`.
    ///
    /// ```
    /// use nn_dropout::{Dropout2d, Generator};
    ///
    /// // The same mask for (sample, channel, height, width) and for (sample, height, width, channel).
    /// let layer = || Dropout2d::with_generator(0.5, &Generator::philox(42));
    /// let first = layer()?.draw(&[2, 3, 4, 4])?.expect("in training mode");
    /// let last = layer()?.with_channels_last().draw(&[2, 4, 4, 3])?.expect("in training mode");
    /// assert!((0..3).all(|channel| first.keeps(16 * channel) == last.keeps(channel)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Dropout2d(p)
}

front! {
    /// Zeroes whole channels of volumes: of a tensor of shape (sample, channel, depth, height, width), or
    /// (channel, depth, height, width) for a single sample, each channel of each sample with probability p. The rest is
    /// multiplied by `1 / (1 - p)`.
    ///
    /// Other shapes are taken as PyTorch takes them: as a single sample, whose first dimension is the channels. No dimension
    /// at all is an error where there is something to draw. Everything else is as for [`Dropout`](crate::Dropout); the interface
    /// is that of `torch.nn.Dropout3d`.
    Dropout3d(p)
}

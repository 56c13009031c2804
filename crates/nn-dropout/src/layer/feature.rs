//! Channel-wise dropout.
//!
//! Tompson, Goroshin, Jain, LeCun and Bregler, "Efficient object localization using convolutional networks", CVPR 2015.

use std::fmt;

use super::{Channels, Settings, ShapeError, featurewise, layer};
use crate::{Draw, Generator, Input, Probability, ProbabilityError, default_generator};

layer! {
    /// Zeroes whole channels of signals: of a tensor of shape (sample, channel, length), or (channel, length) for a single
    /// sample, each channel of each sample with probability p. The rest is multiplied by `1 / (1 - p)`.
    ///
    /// Neighbouring elements of a signal are so much alike that it does not help to drop them one by one. Like
    /// [`Dropout`](crate::Dropout) in all else; the interface is that of `torch.nn.Dropout1d`.
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
    Dropout1d
}
featurewise!(Dropout1d, signals, Draw::dropout);

fn signals(shape: &[usize]) -> Result<Option<Channels>, ShapeError> {
    match shape.len() {
        2 => Ok(Channels::unbatched(shape)),
        3 => Ok(Channels::batched(shape)),
        dimensions => Err(ShapeError::Dropout1d(dimensions)),
    }
}

layer! {
    /// Zeroes whole channels of images: of a tensor of shape (sample, channel, height, width), each channel of each sample
    /// with probability p. The rest is multiplied by `1 / (1 - p)`.
    ///
    /// Other shapes are taken as PyTorch takes them: the first two dimensions are samples and channels, so one of three
    /// dimensions is (sample, channel, length), not an image without a batch. Fewer than two are an error where there is
    /// something to draw. Like [`Dropout`](crate::Dropout) in all else; the interface is that of `torch.nn.Dropout2d`.
    Dropout2d
}
featurewise!(Dropout2d, images, Draw::dropout);

#[expect(clippy::unnecessary_wraps, reason = "another layer refuses some shapes always")]
pub(super) fn images(shape: &[usize]) -> Result<Option<Channels>, ShapeError> {
    Ok(Channels::batched(shape))
}

layer! {
    /// Zeroes whole channels of volumes: of a tensor of shape (sample, channel, depth, height, width), or
    /// (channel, depth, height, width) for a single sample, each channel of each sample with probability p. The rest is
    /// multiplied by `1 / (1 - p)`.
    ///
    /// Other shapes are taken as PyTorch takes them: as a single sample, whose first dimension is the channels. No dimension
    /// at all is an error where there is something to draw. Like [`Dropout`](crate::Dropout) in all else; the interface
    /// is that of `torch.nn.Dropout3d`.
    Dropout3d
}
featurewise!(Dropout3d, volumes, Draw::dropout);

#[expect(clippy::unnecessary_wraps, reason = "another layer refuses some shapes always")]
fn volumes(shape: &[usize]) -> Result<Option<Channels>, ShapeError> {
    Ok(if shape.len() == 5 { Channels::batched(shape) } else { Channels::unbatched(shape) })
}

//! Element-wise dropout, and that of elements which share their bits along some axes.

use super::alpha::AlphaDropout;
use super::front::{layer, one_tensor};
use super::noise::{GaussianDropout, GaussianNoise};

layer! {
    /// Zeroes every element with probability p, independently of all others, and multiplies the rest by `1 / (1 - p)`:
    /// [`nn_dropout::Dropout`] for candle's tensors.
    ///
    /// It replaces `candle_nn::Dropout`: nothing else changes in the model. p may be 1 here.
    ///
    /// With [shared axes](Self::with_shared_axes) it is [locked dropout](nn_dropout::LockedDropout): what is dropped is the same in
    /// every time step.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use nn_dropout_candle::Dropout;
    ///
    /// let x = Tensor::ones((2, 3, 4), DType::F32, &Device::Cpu)?;
    /// let dropout = Dropout::new(0.5);
    /// let y = dropout.forward(&x, true)?.flatten_all()?.to_vec1::<f32>()?;
    /// assert!(y.iter().all(|y| *y == 0.0 || *y == 2.0));
    ///
    /// // (batch, time, feature): one mask for all time steps
    /// let y = dropout.with_shared_axes([1]).forward(&x, true)?;
    /// let [first, second] = [0, 1].map(|time| y.narrow(1, time, 1)?.flatten_all()?.to_vec1::<f32>());
    /// assert_eq!(first?, second?);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    Dropout(p)
}

one_tensor!(Dropout);

macro_rules! shared_axes {
    ($($name:ident)*) => {$(
        impl $name {
            /// Elements that differ in their coordinates on these axes alone share their noise. The axes are numbered from 0.
            #[must_use]
            pub fn with_shared_axes(self, axes: impl Into<Vec<usize>>) -> Self {
                self.changed(|config| config.with_shared_axes(axes))
            }
        }
    )*};
}
shared_axes!(Dropout AlphaDropout GaussianDropout GaussianNoise);

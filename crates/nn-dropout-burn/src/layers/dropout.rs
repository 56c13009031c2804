//! Element-wise dropout, and that of elements which share their bits along some axes.

use super::front::{module, one_tensor};

module! {
    /// Zeroes every element with probability p, independently of all others, and multiplies the rest by `1 / (1 - p)`:
    /// [`nn_dropout::Dropout`] as a Burn module.
    ///
    /// As with `burn::nn::Dropout`, that is what it does to tensors on an autodiff device, unless the module is
    /// [frozen](burn::module::Module::freeze). Any other tensor comes back unchanged, and nothing is drawn.
    ///
    /// With shared axes it is [locked dropout](nn_dropout::LockedDropout): what is dropped is the same in every time step.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use nn_dropout_burn::DropoutConfig;
    ///
    /// // (batch, time, feature): one mask for all time steps
    /// let dropout = DropoutConfig::new(0.5).with_shared_axes(Some(vec![1])).init();
    /// let y = dropout.forward(Tensor::<3>::ones([2, 3, 4], &Device::flex().autodiff()));
    /// let [first, second] = [0, 1].map(|time| y.clone().narrow(1, time, 1).into_data());
    /// assert_eq!(first, second);
    /// ```
    Dropout, DropoutConfig {
        /// The probability that an element is dropped, from 0 to 1.
        prob,
        /// Elements that differ in their coordinates on these axes alone are dropped together. The axes are numbered from 0.
        shared_axes: Option<Vec<usize>> = "None" => |config: nn_dropout::Config, axes: Option<Vec<usize>>| {
            config.with_shared_axes(axes.unwrap_or_default())
        },
    }
}

one_tensor!(Dropout);

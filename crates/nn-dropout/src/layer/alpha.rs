//! Alpha dropout, element-wise and channel-wise.
//!
//! Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.

use super::front::front;

front! {
    /// Sets every element with probability p to the limit of SELU for large negative inputs, then scales and shifts all of them,
    /// so that the activations of a self-normalising network keep mean 0 and variance 1.
    ///
    /// Everything else is as for [`Dropout`](crate::Dropout). The interface is that of `torch.nn.AlphaDropout`.
    ///
    /// ```
    /// use nn_dropout::{AlphaDropout, Generator};
    ///
    /// // torch.manual_seed(0); torch.nn.AlphaDropout(0.5)(torch.ones(4))
    /// let dropout = AlphaDropout::with_generator(0.5, &Generator::torch(0))?;
    /// assert_eq!(dropout.forward([1f32; 4]), [-0.779_193_94, -0.779_193_94, 1.665_598_9, -0.779_193_94]);
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    AlphaDropout(p), any shape
}

front! {
    /// Does to whole channels what [`AlphaDropout`] does to elements: to each channel of each sample with probability p,
    /// where the first two dimensions of the tensor are samples and channels.
    ///
    /// Fewer than two dimensions are an error where there is something to draw. Everything else is as for
    /// [`Dropout`](crate::Dropout); the interface is that of `torch.nn.FeatureAlphaDropout`.
    FeatureAlphaDropout(p)
}

//! Alpha dropout, element-wise and channel-wise.

use super::front::{module, one_tensor};

module! {
    /// Dropout for self-normalising networks: [`nn_dropout::AlphaDropout`] as a Burn module, active where
    /// [`Dropout`](super::Dropout) is.
    AlphaDropout, AlphaDropoutConfig {
        /// The probability that an element is dropped, from 0 to 1.
        prob
    }
}

module! {
    /// Alpha dropout of channels: [`nn_dropout::FeatureAlphaDropout`] as a Burn module, active where
    /// [`Dropout`](super::Dropout) is.
    FeatureAlphaDropout, FeatureAlphaDropoutConfig {
        /// The probability that a channel is dropped, from 0 to 1.
        prob
    }
}

one_tensor!(AlphaDropout FeatureAlphaDropout);

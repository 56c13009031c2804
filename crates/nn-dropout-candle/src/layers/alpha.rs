//! Alpha dropout, element-wise and channel-wise.

use super::front::{layer, one_tensor};

layer! {
    /// Dropout for self-normalising networks: [`nn_dropout::AlphaDropout`] for candle's tensors.
    AlphaDropout(p)
}

layer! {
    /// Alpha dropout of channels: [`nn_dropout::FeatureAlphaDropout`] for candle's tensors.
    FeatureAlphaDropout(p)
}

one_tensor!(AlphaDropout FeatureAlphaDropout);

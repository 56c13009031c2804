//! Dropout of channels.

use super::alpha::FeatureAlphaDropout;
use super::block::{DropBlock2d, DropBlock3d};
use super::front::{layer, one_tensor};

layer! {
    /// Dropout of the channels of signals: [`nn_dropout::Dropout1d`] for candle's tensors.
    Dropout1d(p)
}

layer! {
    /// Dropout of the channels of images: [`nn_dropout::Dropout2d`] for candle's tensors.
    Dropout2d(p)
}

layer! {
    /// Dropout of the channels of volumes: [`nn_dropout::Dropout3d`] for candle's tensors.
    Dropout3d(p)
}

one_tensor!(Dropout1d Dropout2d Dropout3d);

macro_rules! channels_last {
    ($($name:ident)*) => {$(
        impl $name {
            /// Takes the last axis for the channels. A channel gets the same bit, wherever its axis is.
            #[must_use]
            pub fn with_channels_last(self) -> Self {
                self.changed(|config| config.with_channels_last(true))
            }
        }
    )*};
}
channels_last!(Dropout1d Dropout2d Dropout3d FeatureAlphaDropout DropBlock2d DropBlock3d);

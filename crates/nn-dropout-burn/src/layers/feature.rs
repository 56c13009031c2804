//! Dropout of channels.

use super::front::{module, one_tensor};

module! {
    /// Dropout of the channels of signals: [`nn_dropout::Dropout1d`] as a Burn module, active where
    /// [`Dropout`](super::Dropout) is.
    Dropout1d, Dropout1dConfig {
        /// The probability that a channel is dropped, from 0 to 1.
        prob
    }
}

module! {
    /// Dropout of the channels of images: [`nn_dropout::Dropout2d`] as a Burn module, active where
    /// [`Dropout`](super::Dropout) is.
    Dropout2d, Dropout2dConfig {
        /// The probability that a channel is dropped, from 0 to 1.
        prob
    }
}

module! {
    /// Dropout of the channels of volumes: [`nn_dropout::Dropout3d`] as a Burn module, active where
    /// [`Dropout`](super::Dropout) is.
    Dropout3d, Dropout3dConfig {
        /// The probability that a channel is dropped, from 0 to 1.
        prob
    }
}

one_tensor!(Dropout1d Dropout2d Dropout3d);

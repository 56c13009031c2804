//! The layers of `nn-dropout` as Burn modules: one of any kind (`any`), and a module for each (all others).

mod alpha;
mod any;
mod dropout;
mod feature;
mod front;

pub use self::alpha::{AlphaDropout, AlphaDropoutConfig, FeatureAlphaDropout, FeatureAlphaDropoutConfig};
pub use self::any::DropoutLayer;
pub use self::dropout::{Dropout, DropoutConfig};
pub use self::feature::{Dropout1d, Dropout1dConfig, Dropout2d, Dropout2dConfig, Dropout3d, Dropout3dConfig};

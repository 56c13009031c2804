//! Layers: what they drop (`kind`), one of any kind (`any`), and a type for each kind (all others).

mod alpha;
mod any;
mod dropout;
mod feature;
mod front;
mod kind;

pub use self::alpha::{AlphaDropout, FeatureAlphaDropout};
pub use self::any::{Layer, Mode};
pub use self::dropout::Dropout;
pub use self::feature::{Dropout1d, Dropout2d, Dropout3d};
pub use self::kind::{Kind, KindError, ShapeError};

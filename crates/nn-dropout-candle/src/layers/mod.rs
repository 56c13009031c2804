//! The layers of `nn-dropout` for candle: what all have (`front`), one of any kind (`any`), and a type for each (all others).

mod alpha;
mod any;
mod block;
mod concrete;
mod dropout;
mod feature;
mod front;
mod graph;
mod noise;
mod path;
mod state;
mod token;
mod weight;

pub use self::alpha::{AlphaDropout, FeatureAlphaDropout};
pub use self::any::DropoutLayer;
pub use self::block::{DropBlock2d, DropBlock3d};
pub use self::concrete::{ConcreteDropout, ConcreteDropoutConfig};
pub use self::dropout::Dropout;
pub use self::feature::{Dropout1d, Dropout2d, Dropout3d};
pub use self::graph::{EdgeDropout, NodeDropout};
pub use self::noise::{GaussianDropout, GaussianNoise, NeftuneNoise};
pub use self::path::{DropPath, LayerDrop};
pub use self::state::{LabelDropout, Zoneout};
pub use self::token::{DropKey, TokenDropout};
pub use self::weight::{DropConnect, EmbeddingDropout};

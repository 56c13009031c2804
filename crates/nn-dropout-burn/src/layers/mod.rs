//! The layers of `nn-dropout` as Burn modules: what all have (`front`), one of any kind (`any`), and a module for each (all
//! others).

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

pub use self::alpha::{AlphaDropout, AlphaDropoutConfig, FeatureAlphaDropout, FeatureAlphaDropoutConfig};
pub use self::any::DropoutLayer;
pub use self::block::{DropBlock2d, DropBlock2dConfig, DropBlock3d, DropBlock3dConfig};
pub use self::concrete::{ConcreteDropout, ConcreteDropoutConfig};
pub use self::dropout::{Dropout, DropoutConfig};
pub use self::feature::{Dropout1d, Dropout1dConfig, Dropout2d, Dropout2dConfig, Dropout3d, Dropout3dConfig};
pub use self::front::apply;
pub use self::graph::{EdgeDropout, EdgeDropoutConfig, NodeDropout, NodeDropoutConfig};
pub use self::noise::{
    GaussianDropout, GaussianDropoutConfig, GaussianNoise, GaussianNoiseConfig, NeftuneNoise, NeftuneNoiseConfig,
};
pub use self::path::{DropPath, DropPathConfig, LayerDrop, LayerDropConfig};
pub use self::state::{LabelDropout, LabelDropoutConfig, Zoneout, ZoneoutConfig};
pub use self::token::{DropKey, DropKeyConfig, TokenDropout, TokenDropoutConfig};
pub use self::weight::{DropConnect, DropConnectConfig, EmbeddingDropout, EmbeddingDropoutConfig};

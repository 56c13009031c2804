//! Layers: what they drop (`kind`) and are made from (`config`), one of any kind (`any`), and a type for each kind (all others).

mod alpha;
mod any;
mod block;
mod config;
mod dropout;
mod feature;
mod front;
mod graph;
mod kind;
mod noise;
mod path;
mod state;
mod token;
mod weight;

pub use self::alpha::{AlphaDropout, FeatureAlphaDropout};
pub use self::any::{Layer, Mode};
pub use self::block::{DropBlock2d, DropBlock3d};
pub use self::config::{Config, ConfigError, PathMode};
pub use self::dropout::{Dropout, LockedDropout};
pub use self::feature::{Dropout1d, Dropout2d, Dropout3d};
pub use self::graph::{EdgeDropout, KeptEdges, KeptNodes, NodeDropout};
pub use self::kind::{DrawError, Kind, KindError};
pub use self::noise::{GaussianDropout, GaussianNoise, NeftuneNoise};
pub use self::path::{DropPath, LayerDrop};
pub use self::state::{LabelDropout, LayerError, Zoneout};
pub use self::token::{DropKey, TokenDropout};
pub use self::weight::{DropConnect, EmbeddingDropout};

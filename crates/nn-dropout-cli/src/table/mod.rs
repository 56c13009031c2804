//! Tables: read from files, split, and encoded as numbers for a network.

mod cells;
mod column;
mod data;
mod schema;
mod split;

pub use data::{Table, Targets};
pub use schema::{Schema, Target};
pub use split::{Part, Split};

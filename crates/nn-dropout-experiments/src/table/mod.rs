//! Tables: read from files, split, and encoded as numbers for a network.

mod cells;
mod column;
mod csv_file;
mod data;
mod date;
mod description;
mod evidence;
mod number;
mod output;
mod parquet_file;
mod quotes;
mod schema;
mod split;

pub use cells::Cells;
pub use column::{Column, Values};
pub use data::{Contents, Table, Targets};
pub use description::Description;
pub use evidence::Reading;
pub use output::{Kind, TableWriter, Value};
pub use schema::{Encoder, Scale, Schema, Target};
pub use split::{Part, Split};

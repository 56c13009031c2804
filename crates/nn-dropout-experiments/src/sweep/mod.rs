//! A sweep: many trainings, compared by their dropout rate.

mod answer;
pub mod pruner;
mod sampler;
mod space;
mod study;
pub mod summary;
mod trial;
mod uncertainty;

pub use answer::{Answer, Row, Verdict};
pub use sampler::{GRID, Sampler, Strategy, account};
pub use space::Space;
pub use study::{Study, blocks};
pub use trial::{Block, Candidate, Results, State, Trial, TrialResult};
pub use uncertainty::{Estimate, row_error};

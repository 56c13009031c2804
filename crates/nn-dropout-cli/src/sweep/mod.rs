//! A sweep: many trainings, compared by their dropout rate.

mod answer;
mod folder;
mod objective;
pub mod optuna;
mod progress;
mod pruner;
mod sampler;
mod space;
pub mod storage;
mod study;
pub mod summary;
mod trial;
mod uncertainty;
pub mod workers;

pub use answer::{Answer, Row};
pub use folder::{CHOSEN, Folder, RECOMMENDED, TRIALS};
pub use objective::{Data, Objective};
pub use progress::Progress;
pub use sampler::{Sampler, Strategy, account};
pub use space::Space;
pub use study::{Study, blocks};
pub use trial::{Block, Candidate, Results, State, Trial, TrialResult};
pub use uncertainty::{Estimate, row_error};

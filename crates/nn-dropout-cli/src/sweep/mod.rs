//! A sweep: many trainings, compared by their dropout rate.

mod answer;
mod folder;
mod objective;
mod progress;
mod pruner;
mod sampler;
pub mod storage;
mod study;
pub mod summary;
mod tpe;
mod trial;
pub mod workers;

pub use answer::{Answer, Mean, Row};
pub use folder::{CHOSEN, Folder, RECOMMENDED, TRIALS};
pub use objective::Objective;
pub use progress::Progress;
pub use sampler::Sampler;
pub use study::Study;
pub use tpe::Space;
pub use trial::{Results, State, Trial, TrialResult};

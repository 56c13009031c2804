//! A sweep as a job: its study, its workers, and what it tells while it runs.

mod folder;
mod objective;
pub mod optuna;
mod progress;
pub mod storage;
pub mod workers;

pub use folder::{CHOSEN, Folder, RECOMMENDED, TRIALS};
pub use objective::{Data, Objective};
pub use progress::Progress;

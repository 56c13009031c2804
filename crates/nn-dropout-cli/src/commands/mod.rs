//! The commands, one file each.

pub mod apply;
pub mod describe;
pub mod generate;
pub mod predict;
pub mod study;
pub mod sweep;
pub mod train;

/// How a command ended.
pub enum Ended {
    Finished,
    Interrupted,
}

//! The HTML reports.

pub mod chart;
pub mod gpt;
pub mod mlp;
pub mod page;
pub mod sweep;

//! Files: how they are read and written.

pub mod files;
pub mod guard;
pub mod source;
pub mod text;

//! What the page calls, in WebAssembly. Every error is a JavaScript `Error` with the message of the library.

#![cfg(target_arch = "wasm32")]
#![allow(clippy::missing_errors_doc, reason = "the page shows them")]

#[cfg(not(feature = "training"))]
mod core;
#[cfg(feature = "training")]
mod sweep;
#[cfg(feature = "training")]
mod training;

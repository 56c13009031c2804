//! What all training loops share.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::metric::Metrics;

/// The most weights of a model: with gradients and AdamW's two moments, 16 GB.
pub const MAX_PARAMETERS: usize = 1_000_000_000;

/// A model in training.
pub trait Trainer {
    /// Trains until the model has been measured again. `None` at the end, or on an interrupt.
    fn advance(&mut self) -> Result<Option<Metrics>>;

    /// The number of epochs, or steps, from the beginning to the end.
    fn length(&self) -> usize;

    /// The whole state, to resume from; `None` if starting again costs little.
    fn checkpoint(&self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// Random numbers from one stream of a seed. Every use of the seed has its own stream, so that a change to one leaves the others
/// as they are.
pub fn rng(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// A bar over `count` units, shown on a terminal only.
pub fn progress_bar(unit: &str, count: usize, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template(&format!("{{bar:30}} {unit} {{pos}}/{{len}}, {{eta}} left, {{prefix}}{{msg}}"));
    let style = style.expect("the template is well-formed");
    ProgressBar::new(count as u64).with_style(style)
}

//! What the training loops have in common.

use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The most weights of a model: with gradients and AdamW's two moments, 16 GB.
pub const MAX_PARAMETERS: usize = 1_000_000_000;

/// Random numbers for one of the things that a seed is spent on. Each has a stream of its own: a change to one leaves the others
/// as they were.
pub fn rng(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Shown on a terminal only: of so many `unit`s, `done` at the start.
pub fn progress_bar(unit: &str, count: usize, done: usize, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template(&format!("{{bar:30}} {unit} {{pos}}/{{len}}, {{eta}} left, {{prefix}}{{msg}}"));
    let style = style.expect("the template is well-formed");
    ProgressBar::new(count as u64).with_style(style).with_position(done as u64)
}

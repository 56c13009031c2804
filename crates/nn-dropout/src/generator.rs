//! Where masks come from: seeds, layer numbers and steps.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::{Mask, Probability};

/// The source of all masks of a model: it has a seed, gives every layer its number and every training-mode
/// call of a layer its step.
///
/// Clones are handles to the same generator; cloning is cheap, and all may be used from any thread. Each layer
/// has its own count of steps, so layers may run in any order, or at the same time, and still draw the same masks.
///
/// Layers made without naming a generator share the process's [default one](default_generator), which is seeded by the
/// operating system until [`manual_seed`] is called.
///
/// ```
/// use nn_dropout::{Dropout, Generator};
///
/// let generator = Generator::philox(42);
/// let dropout = Dropout::with_generator(0.5, &generator)?;
/// let first = dropout.forward(vec![1f32; 100]);
/// assert_ne!(dropout.forward(vec![1f32; 100]), first);
///
/// generator.manual_seed(42);
/// assert_eq!(dropout.forward(vec![1f32; 100]), first);
/// # Ok::<(), nn_dropout::ProbabilityError>(())
/// ```
///
/// # Saving and resuming
///
/// [`state`](Self::state) is all there is to save. To resume: make the same layers in the same order, then
/// [`set_state`](Self::set_state); the run then draws what the uninterrupted one would have drawn.
#[derive(Clone, Debug)]
pub struct Generator {
    state: Arc<Mutex<GeneratorState>>,
}

/// What a [`Generator`] is at one moment: its seed, how many layers it has numbered, and each layer's next step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GeneratorState {
    seed: u64,
    next_layer: u32,
    /// The next step of each layer that has drawn, by its number.
    steps: BTreeMap<u32, u32>,
}

impl GeneratorState {
    fn new(seed: u64) -> Self {
        Self { seed, next_layer: 0, steps: BTreeMap::new() }
    }
}

impl Generator {
    /// A new generator of [`Mask`]s, which are drawn from Philox4x32-10.
    pub fn philox(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(GeneratorState::new(seed))) }
    }

    /// Starts again with `seed`, as a new generator would: layers made from now on are numbered from 0, every
    /// layer's next step is 0.
    ///
    /// Layers made before keep their numbers. Where an old and a new layer have the same number they share its count
    /// of steps, so no two calls ever draw the same mask.
    pub fn manual_seed(&self, seed: u64) {
        *self.lock() = GeneratorState::new(seed);
    }

    /// The seed this generator was last given.
    pub fn initial_seed(&self) -> u64 {
        self.lock().seed
    }

    /// The number for a new layer: 0 for the first, then 1, and so on.
    pub fn next_layer(&self) -> u32 {
        let mut state = self.lock();
        let layer = state.next_layer;
        state.next_layer = layer.wrapping_add(1);
        layer
    }

    /// The mask of the next training-mode call of layer number `layer`, dropping with probability `p`.
    ///
    /// Steps are counted in 32 bits: the masks of a layer repeat after 2^32 calls.
    pub fn next_mask(&self, layer: u32, p: Probability) -> Mask {
        let mut state = self.lock();
        let seed = state.seed;
        let next_step = state.steps.entry(layer).or_default();
        let step = *next_step;
        *next_step = step.wrapping_add(1);
        Mask::new(seed, layer, step, p)
    }

    /// A copy of the state, to be saved.
    pub fn state(&self) -> GeneratorState {
        self.lock().clone()
    }

    /// Goes on from a saved state.
    pub fn set_state(&self, state: GeneratorState) {
        *self.lock() = state;
    }

    /// The state is whole between any two statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, GeneratorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle to the generator of the process: the one layers draw from unless told otherwise.
pub fn default_generator() -> Generator {
    // The standard library's hash keys are its one source of the operating system's randomness.
    static DEFAULT: LazyLock<Generator> =
        LazyLock::new(|| Generator::philox(RandomState::new().hash_one("nn-dropout")));
    DEFAULT.clone()
}

/// Seeds the [default generator](default_generator) of the process: see [`Generator::manual_seed`].
///
/// Call it before the model is made, and the model draws the same masks in every run.
pub fn manual_seed(seed: u64) {
    default_generator().manual_seed(seed);
}

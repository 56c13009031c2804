//! Where masks come from: seeds, layer numbers and steps.

mod schedule;
mod torch;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

pub use self::schedule::Schedule;
use self::torch::TorchState;
pub use self::torch::TorchStateError;
use crate::draw::Mask;
use crate::spec::probability::Probability;
use crate::spec::threefry::JaxKey;

/// The source of all masks of a model: it has a seed, gives every layer its number and every training-mode
/// call of a layer its mask.
///
/// Clones are handles to the same generator; cloning is cheap, and all may be used from any thread.
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
/// # Ok::<(), nn_dropout::ConfigError>(())
/// ```
///
/// # Families
///
/// | generator | masks | which one a call gets |
/// |---|---|---|
/// | [`philox`](Self::philox) | [our own](Mask::philox) | by layer and step: each layer counts its calls, so layers may run in any order, or at the same time |
/// | [`torch`](Self::torch) | PyTorch's on the CPU | by the order of the calls, as in PyTorch |
/// | [`jax`](Self::jax) | [JAX's](Mask::jax) | by the order of the calls |
///
/// # Saving and resuming
///
/// [`state`](Self::state) is all there is to save. To resume: make the same layers in the same order, then
/// [`set_state`](Self::set_state); the run then draws what the uninterrupted one would have drawn.
#[derive(Clone, Debug)]
pub struct Generator {
    state: Arc<Mutex<GeneratorState>>,
}

/// The state of a [`Generator`]: its family, its next mask, the number of its next layer, and where it is in its schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GeneratorState {
    next_layer: u32,
    stream: Stream,
    /// The number of training steps that are over, and what it does to the noise.
    #[cfg_attr(feature = "serde", serde(default))]
    training_step: u64,
    #[cfg_attr(feature = "serde", serde(default))]
    schedule: Schedule,
}

/// The family of a generator, and where it is in its masks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
enum Stream {
    Philox {
        seed: u64,
        /// The next step of each layer that has drawn, by its number.
        steps: BTreeMap<u32, u32>,
    },
    Torch(TorchState),
    Jax {
        key: JaxKey,
        draws: u32,
    },
}

impl Stream {
    fn philox(seed: u64) -> Self {
        Self::Philox { seed, steps: BTreeMap::new() }
    }

    fn jax(key: JaxKey) -> Self {
        Self::Jax { key, draws: 0 }
    }
}

impl GeneratorState {
    /// The state of a generator of [our own masks](Generator::philox): the number of the next layer, and the next step of each
    /// layer, as `(layer, step)`. Layers that are not listed start with step 0.
    ///
    /// ```
    /// use nn_dropout::{Generator, GeneratorState, Mask, Probability};
    ///
    /// let generator = Generator::from_state(GeneratorState::philox(42, 8, [(7, 1000)]));
    /// let p = Probability::new(0.5)?;
    /// assert_eq!(generator.next_mask(7, p, 10), Mask::philox(42, 7, 1000, p));
    /// assert_eq!(generator.next_layer(), 8);
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    pub fn philox(seed: u64, next_layer: u32, next_steps: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let steps = next_steps.into_iter().collect();
        Self { next_layer, ..Self::new(Stream::Philox { seed, steps }) }
    }

    /// The state of a generator of [JAX's masks](Generator::jax) after `draws` masks.
    pub fn jax(key: JaxKey, draws: u32) -> Self {
        Self::new(Stream::Jax { key, draws })
    }

    fn new(stream: Stream) -> Self {
        Self { next_layer: 0, stream, training_step: 0, schedule: Schedule::Constant }
    }

    /// What a schedule, or else this generator's own, makes of p in the current step of the training.
    #[inline]
    pub(crate) fn factor(&self, schedule: Option<Schedule>) -> f64 {
        match schedule.unwrap_or(self.schedule) {
            Schedule::Constant => 1.0,
            schedule => schedule.factor(self.training_step),
        }
    }

    /// Whether the masks have numbers too.
    pub(crate) const fn has_numbers(&self) -> bool {
        matches!(self.stream, Stream::Philox { .. })
    }

    /// See [`Generator::next_mask`].
    #[inline]
    pub(crate) fn next_mask(&mut self, layer: u32, p: Probability, count: u64) -> Mask {
        match &mut self.stream {
            Stream::Philox { seed, steps } => {
                // Nearly always the layer has drawn before, and `get_mut` is faster than `entry`.
                let step = match steps.get_mut(&layer) {
                    Some(next) => std::mem::replace(next, next.wrapping_add(1)),
                    None => steps.insert(layer, 1).unwrap_or_default(),
                };
                Mask::philox(*seed, layer, step, p)
            }
            Stream::Torch(state) => state.next_mask(p, count),
            Stream::Jax { key, draws } => {
                let key = if *draws == 0 { *key } else { key.fold_in(*draws) };
                *draws = draws.wrapping_add(1);
                Mask::jax(key, p)
            }
        }
    }
}

impl Generator {
    /// A new generator of our own masks: see [`Mask::philox`].
    pub fn philox(seed: u64) -> Self {
        Self::new(Stream::philox(seed))
    }

    /// A new generator of PyTorch's masks: layers draw what those of `torch.nn` draw on the CPU after
    /// `torch.manual_seed(seed)`, where they are called in the same order on tensors of the same shapes.
    ///
    /// It is PyTorch 2.15's: MT19937, two words an element. (Releases before it may draw others on Intel's CPUs.)
    /// A mask holds one bit per element, since a sequence cannot be entered in the middle.
    ///
    /// ```
    /// use nn_dropout::{Dropout, Generator};
    ///
    /// // torch.manual_seed(42); torch.nn.Dropout(0.5)(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    /// let dropout = Dropout::with_generator(0.5, &Generator::torch(42))?;
    /// assert_eq!(dropout.forward([1.0, 2.0, 3.0, 4.0]), [2.0, 4.0, 6.0, 8.0]);
    ///
    /// // torch.manual_seed(123); torch.nn.Dropout(0.5)(torch.ones(6, 6))
    /// let dropout = Dropout::with_generator(0.5, &Generator::torch(123))?;
    /// assert_eq!(dropout.forward([1.0; 36]).as_chunks().0, [
    ///     [2.0, 2.0, 0.0, 2.0, 2.0, 0.0],
    ///     [0.0, 0.0, 0.0, 2.0, 0.0, 2.0],
    ///     [2.0, 2.0, 2.0, 2.0, 0.0, 2.0],
    ///     [0.0, 2.0, 2.0, 0.0, 0.0, 2.0],
    ///     [0.0, 2.0, 0.0, 2.0, 0.0, 2.0],
    ///     [0.0, 2.0, 2.0, 2.0, 2.0, 0.0],
    /// ]);
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    pub fn torch(seed: u64) -> Self {
        Self::new(Stream::Torch(TorchState::new(seed)))
    }

    /// A new generator of JAX's masks. The first is drawn with the key `jax.random.key(seed)` itself; number n, counted from 0,
    /// with `jax.random.fold_in(key, n)`.
    ///
    /// Where a model derives its keys otherwise, hand each call its own: see [`set_jax_key`](Self::set_jax_key).
    pub fn jax(seed: u64) -> Self {
        Self::new(Stream::jax(JaxKey::new(seed)))
    }

    fn new(stream: Stream) -> Self {
        Self::from_state(GeneratorState::new(stream))
    }

    /// A new generator that continues from a saved state.
    pub fn from_state(state: GeneratorState) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Starts again with `seed`, as a new generator of the same kind would: layers made from now on are numbered from 0,
    /// every layer's next step is 0, and so is the training's. The schedule stays.
    ///
    /// Layers made before keep their numbers. Where an old and a new layer have the same number they share its count
    /// of steps, so no two calls ever draw the same mask.
    pub fn manual_seed(&self, seed: u64) {
        let mut state = self.lock();
        (state.next_layer, state.training_step) = (0, 0);
        state.stream = match state.stream {
            Stream::Philox { .. } => Stream::philox(seed),
            Stream::Torch(_) => Stream::Torch(TorchState::new(seed)),
            Stream::Jax { .. } => Stream::jax(JaxKey::new(seed)),
        };
    }

    /// The seed this generator was last given. For a generator of JAX's masks: the words of its key as one number.
    pub fn initial_seed(&self) -> u64 {
        match &self.lock().stream {
            Stream::Philox { seed, .. } => *seed,
            Stream::Torch(state) => state.seed(),
            Stream::Jax { key, .. } => u64::from(key.data()[0]) << 32 | u64::from(key.data()[1]),
        }
    }

    /// The number for a new layer: 0 for the first, then 1, and so on.
    pub fn next_layer(&self) -> u32 {
        let mut state = self.lock();
        let layer = state.next_layer;
        state.next_layer = layer.wrapping_add(1);
        layer
    }

    /// The mask of the next training-mode call of layer number `layer`: at least `count` bits, each 0 with probability `p`.
    ///
    /// Steps are counted in 32 bits: our own masks of a layer, and all of JAX's, repeat after 2^32 calls.
    pub fn next_mask(&self, layer: u32, p: Probability, count: u64) -> Mask {
        self.lock().next_mask(layer, p, count)
    }

    /// How the noise of all layers of this generator changes during the training, unless a layer has a schedule of its own.
    pub fn set_schedule(&self, schedule: Schedule) {
        self.lock().schedule = schedule;
    }

    /// The schedule of all layers.
    pub fn schedule(&self) -> Schedule {
        self.lock().schedule
    }

    /// One step of the training is over: the next one is next in the schedules. A step may call a layer any number of times, so
    /// only the training itself can say when it ends.
    pub fn advance(&self) {
        let mut state = self.lock();
        state.training_step = state.training_step.saturating_add(1);
    }

    /// The number of training steps that are over. It is part of the [state](Self::state).
    pub fn training_step(&self) -> u64 {
        self.lock().training_step
    }

    /// A copy of the state, to be saved.
    pub fn state(&self) -> GeneratorState {
        self.lock().clone()
    }

    /// Continues from a saved state.
    pub fn set_state(&self, state: GeneratorState) {
        *self.lock() = state;
    }

    /// The state in the form of `torch.get_rng_state()`, which `torch.set_rng_state()` takes: 5,056 bytes. `None` if the masks
    /// are not PyTorch's.
    pub fn torch_rng_state(&self) -> Option<Vec<u8>> {
        match &self.lock().stream {
            Stream::Torch(state) => Some(state.to_bytes()),
            _ => None,
        }
    }

    /// Continues where PyTorch was when `torch.get_rng_state()` returned `bytes`. From now on this generator draws PyTorch's
    /// masks, whatever it drew before.
    ///
    /// ```
    /// use nn_dropout::Generator;
    ///
    /// let (here, there) = (Generator::torch(42), Generator::torch(0));
    /// there.set_torch_rng_state(&here.torch_rng_state().expect("it is PyTorch's"))?;
    /// assert_eq!(there.initial_seed(), 42);
    ///
    /// let error = there.set_torch_rng_state(&[0; 100]).unwrap_err();
    /// assert_eq!(error.to_string(), "a state of torch.get_rng_state() has 5056 bytes, but got 100");
    /// # Ok::<(), nn_dropout::TorchStateError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If PyTorch cannot have returned these bytes; the generator is then left as it was.
    pub fn set_torch_rng_state(&self, bytes: &[u8]) -> Result<(), TorchStateError> {
        let state = TorchState::from_bytes(bytes)?;
        self.lock().stream = Stream::Torch(state);
        Ok(())
    }

    /// Draws the next mask with `key`, as Equinox's `Dropout(...)(x, key=key)` does, and those after it as
    /// [`jax`](Self::jax) says. From now on this generator draws JAX's masks, whatever it drew before.
    ///
    /// ```
    /// use nn_dropout::{Dropout, Generator, JaxKey};
    ///
    /// let generator = Generator::jax(0);
    /// let dropout = Dropout::with_generator(0.5, &generator)?;
    /// let [key1, key2] = JaxKey::new(0).split();
    /// generator.set_jax_key(key1);
    /// let hidden = dropout.forward(vec![1f32; 100]);
    /// generator.set_jax_key(key2);
    /// assert_ne!(dropout.forward(vec![1f32; 100]), hidden);
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    pub fn set_jax_key(&self, key: JaxKey) {
        self.lock().stream = Stream::jax(key);
    }

    /// The state is whole between any two statements, so a panic elsewhere does not spoil it.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, GeneratorState> {
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

//! A layer of any kind: its configuration, its mode, and where its masks come from. All it does is to draw.

use std::fmt;

use super::block::Blocks;
use super::config::{Config, ConfigError, PathMode};
use super::kind::{DrawError, Kind, Unit};
use crate::draw::Draw;
use crate::generator::{Generator, default_generator};
use crate::input::Input;
use crate::spec::index::Index;
use crate::spec::magnitude::Magnitude;
use crate::spec::probability::Probability;

/// A layer of any [`Kind`]. [`Dropout`](crate::Dropout), [`Dropout2d`](crate::Dropout2d) and the others are one each.
///
/// A new layer is in training mode. A clone has the same number and the same generator: the two share one count of steps.
///
/// ```
/// use nn_dropout::{Kind, Layer};
///
/// let mut layer = Layer::new("Dropout2d".parse()?, 0.5)?;
/// let draw = layer.draw(&[2, 3, 4, 4])?.expect("in training mode");
/// assert_eq!(draw.index().axes().len(), 2); // one bit for each channel, shared by its 16 elements
///
/// assert!(layer.eval().draw(&[2, 3, 4, 4])?.is_none());
/// assert_eq!(layer.to_string(), "Dropout2d(p=0.5)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layer {
    config: Config,
    mode: Mode,
    generator: Generator,
    number: u32,
}

/// What a layer does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Mode {
    /// Every call draws a new mask.
    Train,
    /// The layer is the identity.
    Eval,
    /// Every call draws a new mask that all samples of the batch, the first axis, share. So each call is one sub-network, and
    /// what it makes of a sample does not depend on the size or the order of the batch. A tensor of one dimension is one
    /// sample.
    ///
    /// Gal and Ghahramani, "Dropout as a Bayesian approximation", ICML 2016.
    MonteCarlo,
}

impl Layer {
    /// A layer that drops with probability `p`, drawing from the process's [default generator](default_generator). Some kinds
    /// take a standard deviation, or alpha, in place of p: see [`Config`].
    ///
    /// # Errors
    ///
    /// If `p` is below 0, above 1 or NaN.
    pub fn new(kind: Kind, p: f64) -> Result<Self, ConfigError> {
        Self::with_generator(kind, p, &default_generator())
    }

    /// The same, drawing from `generator`, which gives it its number.
    ///
    /// # Errors
    ///
    /// If `p` is below 0, above 1 or NaN.
    pub fn with_generator(kind: Kind, p: f64, generator: &Generator) -> Result<Self, ConfigError> {
        Ok(Self::from_config(Config::new(kind, p)?, generator))
    }

    /// The layer with this configuration, drawing from `generator`, which gives it its number.
    pub fn from_config(config: Config, generator: &Generator) -> Self {
        let (generator, number) = (generator.clone(), generator.next_layer());
        Self { config, mode: Mode::Train, generator, number }
    }

    /// Takes the last axis of a tensor for its channels: (sample, height, width, channel), as in JAX and Keras. It makes no
    /// difference to layers that know no channels. A channel gets the same bit, wherever its axis is.
    #[must_use]
    pub fn with_channels_last(mut self) -> Self {
        self.config.channels_last = Config::WITH_CHANNELS.contains(&self.kind());
        self
    }

    /// The same layer, with its number and its mode, after a change of its configuration.
    ///
    /// ```
    /// use nn_dropout::{Config, Kind, Layer};
    ///
    /// let layer = Layer::new(Kind::Dropout, 0.5)?;
    /// let locked = layer.clone().try_map_config(|config| config.with_shared_axes([1]))?;
    /// assert_eq!(locked.number(), layer.number());
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `change`.
    pub fn try_map_config(
        self,
        change: impl FnOnce(Config) -> Result<Config, ConfigError>,
    ) -> Result<Self, ConfigError> {
        Ok(Self { config: change(self.config)?, ..self })
    }

    /// The same for a change that the kind takes.
    pub(super) fn map_config(self, change: impl FnOnce(Config) -> Result<Config, ConfigError>) -> Self {
        self.try_map_config(change).unwrap_or_else(|error| unreachable!("the kind takes it, but: {error}"))
    }

    /// What it was made from.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What kind of layer it is.
    pub const fn kind(&self) -> Kind {
        self.config.kind
    }

    /// The probability that an element, or what it drops, is dropped. 0 for kinds that take no p.
    pub const fn p(&self) -> Probability {
        self.config.p
    }

    /// p in the current step of the training, if there is a [schedule](crate::Schedule).
    pub fn p_now(&self) -> Probability {
        self.config.p.scaled(self.generator.lock().factor(self.config.schedule))
    }

    /// Where its masks come from.
    pub const fn generator(&self) -> &Generator {
        &self.generator
    }

    /// Its number, which the generator gave it.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// What it does when it is called.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Switches to another mode.
    pub const fn set_mode(&mut self, mode: Mode) -> &mut Self {
        self.mode = mode;
        self
    }

    /// Switches to [training mode](Mode::Train).
    pub const fn train(&mut self) -> &mut Self {
        self.set_mode(Mode::Train)
    }

    /// Switches to [eval mode](Mode::Eval).
    pub const fn eval(&mut self) -> &mut Self {
        self.set_mode(Mode::Eval)
    }

    /// Switches to [Monte Carlo mode](Mode::MonteCarlo).
    pub const fn monte_carlo(&mut self) -> &mut Self {
        self.set_mode(Mode::MonteCarlo)
    }

    /// Whether it is in training mode.
    pub const fn is_training(&self) -> bool {
        matches!(self.mode, Mode::Train)
    }

    /// Applies the layer. What `input` may be, and what comes back for it, is listed at [`Input`].
    ///
    /// # Errors
    ///
    /// If the layer does not take tensors of this shape.
    pub fn forward<I: Input>(&self, input: I) -> Result<I::Output, DrawError> {
        Ok(match self.draw_for(&input)? {
            Some(draw) => input.apply(&draw),
            None => input.identity(),
        })
    }

    /// The noise of the next call, for a tensor of this shape: to apply elsewhere, or again in backward. `None` where the layer
    /// is the identity: in eval mode, at p = 0, and where there is nothing to drop.
    ///
    /// ```
    /// use nn_dropout::Dropout;
    ///
    /// let dropout = Dropout::new(0.5)?;
    /// let draw = dropout.draw(&[4])?.expect("in training mode");
    /// let (mut y, mut dx) = ([0f32; 4], [0f32; 4]);
    /// draw.forward(&[1.0, 2.0, 3.0, 4.0], &mut y)?;
    /// draw.backward(&[1.0, 1.0, 1.0, 1.0], &mut dx)?;
    /// # for i in 0..4 { assert_eq!(dx[i] != 0.0, draw.keeps(i as u64)); }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the layer does not take tensors of this shape, or needs numbers that the generator does not draw.
    #[inline]
    pub fn draw(&self, shape: &[usize]) -> Result<Option<Draw>, DrawError> {
        self.draw_in_order(shape, || None)
    }

    /// The noise of the next call on `input`, which is the [`draw`](Self::draw) for its shape, but for PyTorch's element-wise
    /// masks: these follow the order of the elements in memory.
    ///
    /// # Errors
    ///
    /// If the layer does not take tensors of this shape.
    pub fn draw_for<I: Input>(&self, input: &I) -> Result<Option<Draw>, DrawError> {
        input.with_shape(|shape| self.draw_in_order(shape, || input.memory_order()))
    }

    /// The same for a tensor of this shape whose axes lie in memory in this order, the slowest first. `None` is their own order.
    ///
    /// # Errors
    ///
    /// If the layer does not take tensors of this shape.
    #[inline]
    pub fn draw_in_order(
        &self,
        shape: &[usize],
        memory_order: impl FnOnce() -> Option<Vec<usize>>,
    ) -> Result<Option<Draw>, DrawError> {
        let config = &self.config;
        let unit = config.kind.unit(shape.len())?;
        if let Some(&axis) = config.shared_axes.iter().find(|axis| **axis >= shape.len()) {
            return Err(DrawError::Axis { axis, dimensions: shape.len() });
        }
        if self.mode == Mode::Eval || unit != Unit::Element && shape.contains(&0) {
            return Ok(None);
        }
        let mut state = self.generator.lock();
        let (mut p, mut magnitude) = (config.p, config.magnitude);
        let factor = state.factor(config.schedule);
        if factor != 1.0 {
            (p, magnitude) = (p.scaled(factor), magnitude.scaled(factor));
        }
        if p == Probability::ZERO && magnitude == Magnitude::ZERO {
            return Ok(None);
        }
        let effect = config.effect(magnitude, shape);
        if effect.takes_numbers() && !state.has_numbers() {
            return Err(DrawError::Numbers(config.kind));
        }
        let mut mask = |p, bits| state.next_mask(self.number, p, bits);
        if unit == Unit::Element && self.mode == Mode::Train && config.shared_axes.is_empty() {
            let mask = mask(p, product(shape));
            // PyTorch's masks, which hold their bits, follow the order in memory.
            let index = match mask.count().and_then(|_| memory_order()) {
                None => Index::of(shape),
                Some(order) => in_memory_order(shape, &order),
            };
            return Ok(Some(Draw::new(mask, index, effect)));
        }
        if unit == Unit::Block {
            return Ok(Some(Blocks::new(shape, config, self.mode == Mode::MonteCarlo).draw(p, mask)));
        }
        let own = self.own_axes(unit, shape.len(), p)?;
        let (index, bits) = Index::where_own(shape, own);
        Ok(Some(Draw::new(mask(p, bits), index, effect)))
    }

    /// Whether elements that differ in their coordinates on an axis have bits of their own.
    fn own_axes(&self, unit: Unit, dimensions: usize, p: Probability) -> Result<impl Fn(usize) -> bool, DrawError> {
        let Config { kind, channels_last, ref shared_axes, mode, .. } = self.config;
        let last = dimensions.wrapping_sub(1);
        let is_batched = match unit {
            Unit::Element => kind.has_batch() && dimensions > 1,
            Unit::Vector => dimensions > 2,
            Unit::Channel | Unit::Tensor => false,
            Unit::Row => mode == PathMode::Row,
            Unit::BatchedChannel | Unit::Block => true,
        };
        let channel = match unit {
            Unit::BatchedChannel | Unit::Channel if channels_last => Some(last),
            Unit::BatchedChannel => Some(1),
            Unit::Channel => Some(0),
            _ => None,
        };
        let is_missing = channel.is_some_and(|channel| channel >= dimensions || is_batched && dimensions < 2);
        // Where everything is dropped, the whole tensor counts as one channel.
        if is_missing && p.get() < 1.0 {
            return Err(DrawError::Features);
        }
        let is_shared = kind.has_batch() && self.mode == Mode::MonteCarlo;
        let has_others = !is_missing && !matches!(unit, Unit::Row | Unit::Tensor | Unit::Block);
        let vector = (unit == Unit::Vector).then_some(last);
        Ok(move |axis| {
            let is_own = if axis == 0 && is_batched {
                !(is_missing || is_shared)
            } else {
                has_others && channel.is_none_or(|channel| channel == axis) && vector != Some(axis)
            };
            is_own && !shared_axes.contains(&axis)
        })
    }
}

fn product<'a>(sizes: impl IntoIterator<Item = &'a usize>) -> u64 {
    sizes.into_iter().fold(1, |product, &size| product.saturating_mul(size as u64))
}

/// Every element has its own bit, numbered in the order of memory.
fn in_memory_order(shape: &[usize], order: &[usize]) -> Index {
    let mut strides = vec![0; shape.len()];
    let mut bits = 1_u64;
    for &axis in order.iter().rev() {
        strides[axis] = bits;
        bits = bits.wrapping_mul(shape[axis] as u64);
    }
    Index::new(0, shape.iter().map(|&size| size as u64).zip(strides))
}

impl fmt::Display for Layer {
    /// As PyTorch prints it, without its `inplace`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}

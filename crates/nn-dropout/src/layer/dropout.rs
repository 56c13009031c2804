//! Element-wise dropout, and that of elements which share their bits along some axes.

use super::any::Layer;
use super::config::{Config, ConfigError};
use super::front::{front, over_layer};
use super::kind::Kind;
use crate::generator::{Generator, default_generator};

front! {
    /// Zeroes every element with probability p, independently of all others, and multiplies the rest by `1 / (1 - p)`.
    ///
    /// That is what it does in training mode, in which a new layer is. In eval mode, and at p = 0, the input comes back
    /// unchanged: the same buffer, and nothing is drawn.
    ///
    /// Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    /// from overfitting", JMLR 2014. The interface is that of `torch.nn.Dropout`.
    ///
    /// ```
    /// use nn_dropout::Dropout;
    ///
    /// let mut dropout = Dropout::new(0.25)?;
    /// let mut activations = vec![0.5f32; 1000];
    /// dropout.forward(&mut activations);
    /// let dropped = activations.iter().filter(|&&x| x == 0.0).count();
    /// assert!((150..350).contains(&dropped));
    ///
    /// assert_eq!(dropout.eval().forward([1.0, 2.0]), [1.0, 2.0]);
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    Dropout(p), any shape
}

/// [`Dropout`] with shared axes: elements that differ in their coordinates on these axes alone share a bit. Along the time axis it
/// is locked, or variational, dropout: what is dropped is the same in every time step.
///
/// Keras calls the shared axes those where `noise_shape` is 1, Flax `broadcast_dims`; fastai's `RNNDropout` shares axis 1. The
/// bits are numbered row-major over the other axes. A tensor without a shared axis is an error.
///
/// Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016.
///
/// ```
/// use nn_dropout::{Generator, LockedDropout};
///
/// // (batch, time, feature): one mask for all time steps
/// let dropout = LockedDropout::with_generator(0.5, &[1], &Generator::philox(42))?;
/// let y = dropout.draw(&[2, 3, 4])?.expect("in training mode").forward_to_vec(&[1f32; 24])?;
/// assert!(y[..4] == y[4..8] && y[..4] == y[8..12]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is a [`Layer`], whose methods it has.
#[derive(Clone, Debug)]
pub struct LockedDropout(Layer);

impl LockedDropout {
    /// A layer that drops with probability `p`, drawing from the process's [default generator](default_generator). The
    /// axes are numbered from 0.
    ///
    /// # Errors
    ///
    /// If `p` is below 0, above 1 or NaN.
    pub fn new(p: f64, shared_axes: &[usize]) -> Result<Self, ConfigError> {
        Self::with_generator(p, shared_axes, &default_generator())
    }

    /// The same, drawing from `generator`, which gives it its number.
    ///
    /// # Errors
    ///
    /// If `p` is below 0, above 1 or NaN.
    pub fn with_generator(p: f64, shared_axes: &[usize], generator: &Generator) -> Result<Self, ConfigError> {
        let config = Config::new(Kind::Dropout, p)?.with_shared_axes(shared_axes)?;
        Ok(Self(Layer::from_config(config, generator)))
    }
}
over_layer!(LockedDropout);

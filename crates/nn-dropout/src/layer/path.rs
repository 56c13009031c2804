//! Stochastic depth: dropout of the paths of samples, and of whole layers.

use super::config::PathMode;
use super::front::front;
use crate::spec::probability::{Probability, ProbabilityError};

front! {
    /// Zeroes whole samples, the first axis of a tensor, each with probability p, and multiplies the rest by `1 / (1 - p)`. It
    /// stands at the end of a residual branch, which is then as if it were not there for that sample.
    ///
    /// A tensor without an axis is an error. Everything else is as for [`Dropout`](crate::Dropout).
    ///
    /// Huang, Sun, Liu, Sedra and Weinberger, "Deep networks with stochastic depth", ECCV 2016. The interface is that of
    /// `timm.layers.DropPath` and `torchvision.ops.StochasticDepth`.
    ///
    /// ```
    /// use nn_dropout::{DropPath, Generator};
    ///
    /// let path = DropPath::with_generator(0.5, &Generator::philox(42))?;
    /// let y = path.draw(&[4, 3])?.expect("in training mode").forward_to_vec(&[1f32; 12])?;
    /// assert!(y.chunks(3).all(|sample| sample == [0.0; 3] || sample == [2.0; 3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    DropPath(p)
}

impl DropPath {
    /// Which samples are dropped together: each alone, or all of a batch.
    #[must_use]
    pub fn with_mode(self, mode: PathMode) -> Self {
        Self(self.0.map_config(|config| config.with_mode(mode)))
    }

    /// Leaves kept samples as they are: timm's `scale_by_keep=False`.
    #[must_use]
    pub fn without_scaling(self) -> Self {
        Self(self.0.map_config(|config| config.with_scale_by_keep(false)))
    }

    /// The rates of a network's layers, from 0 at the first to `p` at the last, in a line: `torch.linspace(0, p, depth)`.
    ///
    /// ```
    /// use nn_dropout::DropPath;
    ///
    /// assert_eq!(DropPath::rates(0.5, 3)?, [0.0, 0.25, 0.5]);
    /// # Ok::<(), nn_dropout::ProbabilityError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `p` is below 0, above 1 or NaN.
    pub fn rates(p: f64, depth: usize) -> Result<Vec<f64>, ProbabilityError> {
        let p = Probability::new(p)?.get();
        let last = depth.saturating_sub(1).max(1) as f64;
        Ok((0..depth).map(|layer| p * (layer as f64 / last)).collect())
    }
}

front! {
    /// Drops a whole layer of a network with probability p, in each call: its input is then its output. What is dropped
    /// does not run. Nothing is scaled.
    ///
    /// Fan, Grave and Joulin, "Reducing transformer depth on demand with structured dropout", ICLR 2020.
    ///
    /// ```
    /// use nn_dropout::{Generator, LayerDrop};
    ///
    /// let layer_drop = LayerDrop::with_generator(0.5, &Generator::philox(42))?;
    /// let outputs = [0; 6].map(|_| layer_drop.forward(1, |x| x + 1));
    /// assert_eq!(outputs, [1, 2, 2, 1, 2, 2]);
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    LayerDrop(p)
}

impl LayerDrop {
    /// Whether the layer runs in this call.
    pub fn keeps(&self) -> bool {
        match self.draw(&[]) {
            Ok(draw) => draw.is_none_or(|draw| draw.keeps(0)),
            Err(error) => unreachable!("it needs no tensor, but: {error}"),
        }
    }

    /// What `layer` makes of the input, or the input if the layer is dropped.
    pub fn forward<T>(&self, input: T, layer: impl FnOnce(T) -> T) -> T {
        if self.keeps() { layer(input) } else { input }
    }
}

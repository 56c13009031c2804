//! Dropout whose p is learned. It is not in the library: only a framework has gradients.

use std::fmt;

use candle_core::{DType, Error, ModuleT, Result, Tensor, bail};
use candle_nn::ops::sigmoid;
use candle_nn::{Init, VarBuilder};
use nn_dropout::{Draw, Effect, Generator, Index, Magnitude, Mode, Probability, default_generator};

use super::front::is_on;
use crate::op::ApplyDraw;

/// Configuration of [`ConcreteDropout`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConcreteDropoutConfig {
    /// p at first, above 0 and below 1.
    pub p: f64,
    /// The lower, the closer the noise is to zeros and ones. Above 0.
    pub temperature: f64,
    /// `l^2 / (tau N)`, for a prior length scale l, a precision of the observations tau and N samples to train on. At least 0.
    pub weight_regularizer: f64,
    /// `2 / (tau N)` for squared errors, `1 / N` for cross entropy. At least 0.
    pub dropout_regularizer: f64,
}

impl Default for ConcreteDropoutConfig {
    /// The numbers of the authors' code.
    fn default() -> Self {
        Self { p: 0.1, temperature: 0.1, weight_regularizer: 1e-6, dropout_regularizer: 1e-5 }
    }
}

/// Dropout that learns its p. The noise is not zeros and ones, but close to them, so that p has a gradient:
///
/// ```text
/// z = sigmoid((ln p - ln(1 - p) + ln u - ln(1 - u)) / temperature)      u uniform between 0 and 1, for each element
/// y = x * (1 - z) / (1 - p)
/// ```
///
/// It acts where [`Dropout`](super::Dropout) does, and is the identity elsewhere. Add its
/// [`regularization`](Self::regularization) to the loss: the loss alone would make p 0. The backward pass keeps tensors of the
/// input's size. The numbers u are our own, so generators of PyTorch's or JAX's masks are refused.
///
/// Gal, Hron and Kendall, "Concrete dropout", NeurIPS 2017.
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use nn_dropout_candle::{ConcreteDropout, ConcreteDropoutConfig};
///
/// let variables = VarMap::new();
/// let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
/// let dropout = ConcreteDropout::new(ConcreteDropoutConfig::default(), vb.pp("dropout"))?;
/// let linear = candle_nn::linear(4, 1, vb.pp("linear"))?;
/// let y = linear.forward(&dropout.forward(&Tensor::ones((8, 4), DType::F32, &Device::Cpu)?, true)?)?;
/// let loss = ((y - 1.0)?.sqr()?.mean_all()? + dropout.regularization(linear.weight(), 4)?)?;
/// assert!(loss.backward()?.get(dropout.p_logit()).is_some());
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConcreteDropout {
    p_logit: Tensor,
    config: ConcreteDropoutConfig,
    generator: Generator,
    number: u32,
    mode: Mode,
}

impl ConcreteDropout {
    /// A layer whose variable, `p_logit`, is in `vb`, and that draws from the process's [default generator](default_generator).
    ///
    /// # Errors
    ///
    /// If a value is out of its range, or `vb` has no such variable.
    pub fn new(config: ConcreteDropoutConfig, vb: VarBuilder) -> Result<Self> {
        Self::with_generator(config, &default_generator(), vb)
    }

    /// The same, drawing from `generator`, which gives it its number.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new).
    #[expect(clippy::needless_pass_by_value, reason = "as candle's layers take it")]
    pub fn with_generator(config: ConcreteDropoutConfig, generator: &Generator, vb: VarBuilder) -> Result<Self> {
        let ConcreteDropoutConfig { p, temperature, weight_regularizer, dropout_regularizer } = config;
        if !(p > 0.0 && p < 1.0) {
            bail!("concrete-dropout begins with p above 0 and below 1, but got {p}");
        }
        if !(temperature > 0.0 && temperature.is_finite()) {
            bail!("the temperature has to be a finite number above 0, but got {temperature}");
        }
        for regularizer in [weight_regularizer, dropout_regularizer] {
            if !(regularizer >= 0.0 && regularizer.is_finite()) {
                bail!("a regularizer has to be a finite number of at least 0, but got {regularizer}");
            }
        }
        let p_logit = vb.get_with_hints(1, "p_logit", Init::Const((p / (1.0 - p)).ln()))?;
        Ok(Self { p_logit, config, generator: generator.clone(), number: generator.next_layer(), mode: Mode::Train })
    }

    /// What is learned: `ln p - ln(1 - p)`, of shape `[1]`.
    pub const fn p_logit(&self) -> &Tensor {
        &self.p_logit
    }

    /// p, of shape `[1]`.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn p(&self) -> Result<Tensor> {
        sigmoid(&self.p_logit)
    }

    /// The same layer in another mode: as for [`Dropout`](super::Dropout::with_mode).
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Applies the layer.
    ///
    /// # Errors
    ///
    /// If the tensor is of a type that [`ApplyDraw`] does not take, or the generator draws no numbers, as PyTorch's and JAX's do
    /// not.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        if !is_on(self.mode, train) {
            return Ok(xs.clone());
        }
        let mask = self.generator.next_mask(self.number, Probability::ZERO, 0);
        if mask.word(0).is_none() {
            bail!("concrete-dropout draws from a Philox generator, not from one of PyTorch's or JAX's masks");
        }
        let shared: &[usize] = if self.mode == Mode::MonteCarlo && xs.rank() > 1 { &[0] } else { &[] };
        let effect = Effect::UniformNoise(Magnitude::new(1.0).map_err(Error::msg)?);
        let draw = Draw::new(mask, Index::shared(xs.dims(), shared), effect);
        // Between -1 and 1: it is 2 u - 1. In a narrow type it would reach them.
        let uniform = Tensor::zeros(xs.shape(), DType::F32, xs.device())?.apply_op1_no_bwd(&ApplyDraw(draw))?;
        let noise = ((&uniform + 1.0)?.log()? - (1.0 - uniform)?.log()?)?.to_dtype(xs.dtype())?;
        let logit = self.p_logit.to_dtype(xs.dtype())?;
        let kept = sigmoid(&(noise.broadcast_add(&logit.reshape(vec![1; xs.rank()])?)? / -self.config.temperature)?)?;
        (xs * kept)?.broadcast_div(&sigmoid(&logit.neg()?)?.reshape(vec![1; xs.rank()])?)
    }

    /// What to add to the loss for this layer and the weight that its output is multiplied by, which has `input_features` columns,
    /// as a tensor without axes:
    ///
    /// ```text
    /// weight_regularizer * sum(weight^2) / (1 - p) + dropout_regularizer * input_features * (p ln p + (1 - p) ln(1 - p))
    /// ```
    ///
    /// # Errors
    ///
    /// If the weight is no tensor of floats.
    pub fn regularization(&self, weight: &Tensor, input_features: usize) -> Result<Tensor> {
        let logit = self.p_logit.to_dtype(weight.dtype())?.reshape(())?;
        let weights = (weight.sqr()?.sum_all()? / sigmoid(&logit.neg()?)?)?;
        let negative_entropy = (negative_entropy(&logit)? + negative_entropy(&logit.neg()?)?)?;
        (weights * self.config.weight_regularizer)?
            + (negative_entropy * (self.config.dropout_regularizer * input_features as f64))?
    }
}

/// `p ln p` for the p of this logit, also where p is too small for its type.
fn negative_entropy(logit: &Tensor) -> Result<Tensor> {
    let softplus = (logit.neg()?.relu()? + (logit.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    sigmoid(logit)? * softplus.neg()?
}

impl ModuleT for ConcreteDropout {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        self.forward(xs, train)
    }
}

impl fmt::Display for ConcreteDropout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = self.p().and_then(|p| p.to_dtype(DType::F32)?.to_vec1()).unwrap_or_default();
        write!(f, "ConcreteDropout(p={:.3}, temperature={})", p.first().unwrap_or(&f32::NAN), self.config.temperature)
    }
}

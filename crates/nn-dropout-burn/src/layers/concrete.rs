//! Dropout whose p is learned. It is not in the library: only a framework has gradients.

use burn::config::Config;
use burn::module::{Content, DisplaySettings, Flag, Module, ModuleDisplay, Param};
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::{Device, Tensor};
use nn_dropout::{Draw, Effect, Generator, Index, Magnitude, Mode, Probability, default_generator};

use super::front::{apply, display_settings, expect, is_on};

/// Configuration of a [`ConcreteDropout`] module.
#[derive(Config, Debug)]
pub struct ConcreteDropoutConfig {
    /// p at first, above 0 and below 1.
    #[config(default = 0.1)]
    pub prob: f64,
    /// The lower, the closer the noise is to zeros and ones. Above 0.
    #[config(default = 0.1)]
    pub temperature: f64,
    /// `l^2 / (tau N)`, for a prior length scale l, a precision of the observations tau and N samples to train on. At least 0.
    #[config(default = 1e-6)]
    pub weight_regularizer: f64,
    /// `2 / (tau N)` for squared errors, `1 / N` for cross entropy. At least 0.
    #[config(default = 1e-5)]
    pub dropout_regularizer: f64,
}

impl ConcreteDropoutConfig {
    /// A module on `device` that draws from the process's [default generator](default_generator).
    ///
    /// # Panics
    ///
    /// If a value is out of its range.
    #[track_caller]
    pub fn init(&self, device: &Device) -> ConcreteDropout {
        self.init_with(&default_generator(), device)
    }

    /// A module on `device` that draws from `generator`, which gives it its number.
    ///
    /// # Panics
    ///
    /// If a value is out of its range.
    #[track_caller]
    pub fn init_with(&self, generator: &Generator, device: &Device) -> ConcreteDropout {
        let Self { prob, temperature, weight_regularizer, dropout_regularizer } = *self;
        assert!(prob > 0.0 && prob < 1.0, "concrete-dropout begins with p above 0 and below 1, but got {prob}");
        assert!(
            temperature > 0.0 && temperature.is_finite(),
            "the temperature has to be a finite number above 0, but got {temperature}"
        );
        for regularizer in [weight_regularizer, dropout_regularizer] {
            let allowed = regularizer >= 0.0 && regularizer.is_finite();
            assert!(allowed, "a regularizer has to be a finite number of at least 0, but got {regularizer}");
        }
        ConcreteDropout {
            p_logit: Param::from_tensor(Tensor::from_data([(prob / (1.0 - prob)).ln()], device)),
            training: Param::from_bool(true),
            number: generator.next_layer(),
            generator: generator.clone(),
            mode: Mode::Train,
            config: self.clone(),
        }
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
/// use burn::nn::LinearConfig;
/// use burn::tensor::{Device, Tensor};
/// use nn_dropout_burn::ConcreteDropoutConfig;
///
/// let device = Device::flex().autodiff();
/// let dropout = ConcreteDropoutConfig::new().init(&device);
/// let linear = LinearConfig::new(4, 1).init(&device);
/// let y = linear.forward(dropout.forward(Tensor::<2>::ones([8, 4], &device)));
/// let loss = (y - 1.0).powi_scalar(2).mean() + dropout.regularization(linear.weight.val(), 4);
/// assert!(dropout.p_logit.val().grad(&loss.backward()).is_some());
/// ```
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct ConcreteDropout {
    /// What is learned: `ln p - ln(1 - p)`, of shape `[1]`.
    pub p_logit: Param<Tensor<1>>,
    /// Whether to behave as during training; cleared by [`freeze`](Module::freeze).
    pub training: Param<Flag>,
    #[module(skip)]
    config: ConcreteDropoutConfig,
    #[module(skip)]
    generator: Generator,
    #[module(skip)]
    number: u32,
    #[module(skip)]
    mode: Mode,
}

impl ConcreteDropout {
    /// p, of shape `[1]`.
    pub fn prob(&self) -> Tensor<1> {
        sigmoid(self.p_logit.val())
    }

    /// The same module in another mode. A new one is in [`Mode::Train`]: it acts on tensors on an autodiff device, unless it is
    /// [frozen](Module::freeze). In [`Mode::MonteCarlo`] it acts on all tensors, in [`Mode::Eval`] on none.
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Applies the layer.
    ///
    /// # Panics
    ///
    /// If the generator draws no numbers, as PyTorch's and JAX's do not.
    #[track_caller]
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if !is_on(self.mode, &self.training, &input.device()) {
            return input;
        }
        let mask = self.generator.next_mask(self.number, Probability::ZERO, 0);
        assert!(
            mask.word(0).is_some(),
            "concrete-dropout draws from a Philox generator, not from one of PyTorch's or JAX's masks"
        );
        let shared: &[usize] = if self.mode == Mode::MonteCarlo && D > 1 { &[0] } else { &[] };
        let effect = Effect::UniformNoise(expect(Magnitude::new(1.0)));
        // Between -1 and 1: it is 2 u - 1.
        let uniform = apply(input.zeros_like(), Draw::new(mask, Index::shared(&input.dims(), shared), effect));
        let noise = uniform.clone().log1p() - uniform.neg().log1p();
        let logit = self.p_logit.val().cast(input.dtype()).reshape([1; D]);
        let kept = sigmoid((logit.clone() + noise) / -self.config.temperature);
        input * kept / sigmoid(-logit)
    }

    /// What to add to the loss for this layer and the weight that its output is multiplied by, which has `input_features` rows, as
    /// a tensor of shape `[1]`:
    ///
    /// ```text
    /// weight_regularizer * sum(weight^2) / (1 - p) + dropout_regularizer * input_features * (p ln p + (1 - p) ln(1 - p))
    /// ```
    pub fn regularization<const D: usize>(&self, weight: Tensor<D>, input_features: usize) -> Tensor<1> {
        let logit = self.p_logit.val().cast(weight.dtype());
        let weights = weight.powi_scalar(2).sum() / sigmoid(-logit.clone());
        let negative_entropy =
            sigmoid(logit.clone()) * log_sigmoid(logit.clone()) + sigmoid(-logit.clone()) * log_sigmoid(-logit);
        weights * self.config.weight_regularizer
            + negative_entropy * (self.config.dropout_regularizer * input_features as f64)
    }
}

impl ModuleDisplay for ConcreteDropout {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        display_settings()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let prob: f64 = self.prob().into_scalar();
        let content = content.add("prob", &prob).add("temperature", &self.config.temperature);
        if self.training.is_enabled() { content.optional() } else { content.add("training", &self.training).optional() }
    }
}

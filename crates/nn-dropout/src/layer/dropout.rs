//! Element-wise dropout.

use std::fmt;

use crate::{Draw, Generator, Input, Probability, ProbabilityError, default_generator};

/// Zeroes every element with probability p, independently of all others, and multiplies the rest by `1 / (1 - p)`.
///
/// That is what it does in training mode, in which a new layer is. In eval mode, and at p = 0, the input comes back
/// as it is: the same buffer, and nothing is drawn.
///
/// Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
/// from overfitting", JMLR 2014. The interface is that of `torch.nn.Dropout`.
///
/// ```
/// use nn_dropout::Dropout;
///
/// let mut dropout = Dropout::new(0.25)?.with_inplace(true);
/// assert_eq!(dropout.to_string(), "Dropout(p=0.25, inplace=True)");
///
/// let mut activations = vec![0.5f32; 1000];
/// dropout.forward(&mut activations[..]);
/// let dropped = activations.iter().filter(|&&x| x == 0.0).count();
/// assert!((150..350).contains(&dropped));
///
/// assert!(!dropout.eval().is_training());
/// # Ok::<(), nn_dropout::ProbabilityError>(())
/// ```
///
/// A clone has the same number and the same generator: the two share one count of steps.
#[derive(Clone, Debug)]
pub struct Dropout {
    p: Probability,
    inplace: bool,
    training: bool,
    generator: Generator,
    layer: u32,
}

impl Dropout {
    /// A layer that drops with probability `p`, in training mode, drawing from the process's
    /// [default generator](default_generator).
    ///
    /// # Errors
    ///
    /// If `p` is below 0, above 1 or NaN.
    pub fn new(p: f64) -> Result<Self, ProbabilityError> {
        Self::with_generator(p, &default_generator())
    }

    /// The same, drawing from `generator`, which gives it its number.
    ///
    /// # Errors
    ///
    /// If `p` is below 0, above 1 or NaN.
    pub fn with_generator(p: f64, generator: &Generator) -> Result<Self, ProbabilityError> {
        Ok(Self {
            p: Probability::new(p)?,
            inplace: false,
            training: true,
            generator: generator.clone(),
            layer: generator.next_layer(),
        })
    }

    /// Whether owned inputs are overwritten instead of a new buffer being made (initially not).
    #[must_use]
    pub fn with_inplace(mut self, inplace: bool) -> Self {
        self.inplace = inplace;
        self
    }

    /// The probability that an element is dropped.
    pub fn p(&self) -> Probability {
        self.p
    }

    /// Whether owned inputs are overwritten.
    pub fn inplace(&self) -> bool {
        self.inplace
    }

    /// Switches to training mode.
    pub fn train(&mut self) -> &mut Self {
        self.training = true;
        self
    }

    /// Switches to eval mode.
    pub fn eval(&mut self) -> &mut Self {
        self.training = false;
        self
    }

    /// Whether the layer is in training mode.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// Applies the layer. What `input` may be, and what comes back for it, is listed at [`Input`].
    pub fn forward<I: Input>(&self, input: I) -> I::Output {
        match self.draw() {
            Some(draw) => input.apply(&draw, self.inplace),
            None => input.identity(),
        }
    }

    /// The noise of the next call, for who applies it elsewhere or needs it again for the backward pass; `None` where
    /// the layer is the identity (eval mode, or p = 0).
    ///
    /// ```
    /// use nn_dropout::Dropout;
    ///
    /// let dropout = Dropout::new(0.5)?;
    /// let draw = dropout.draw().expect("a new layer is in training mode");
    /// let (mut y, mut dx) = ([0f32; 4], [0f32; 4]);
    /// draw.forward(&[1.0, 2.0, 3.0, 4.0], &mut y)?;
    /// draw.backward(&[1.0, 1.0, 1.0, 1.0], &mut dx)?;
    /// assert!(dx.iter().zip(y).all(|(&dx, y)| (dx == 0.0) == (y == 0.0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn draw(&self) -> Option<Draw> {
        (self.training && self.p.get() > 0.0).then(|| Draw::dropout(self.generator.next_mask(self.layer, self.p)))
    }
}

impl fmt::Display for Dropout {
    /// As PyTorch prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inplace = if self.inplace { "True" } else { "False" };
        write!(f, "Dropout(p={}, inplace={inplace})", self.p)
    }
}

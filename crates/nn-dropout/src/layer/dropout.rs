//! Element-wise dropout.

use super::front::front;

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
    /// # Ok::<(), nn_dropout::ProbabilityError>(())
    /// ```
    Dropout, elements
}

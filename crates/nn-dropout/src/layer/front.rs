//! The types of layers that people know, each a thin front over a [`Layer`](crate::Layer) of its kind.

/// A front over [`Layer`]: a type of its own for one kind. With `elements`, for kinds that take all shapes, its `forward` returns
/// the output itself, not a `Result`.
macro_rules! front {
    ($(#[$doc:meta])* $name:ident, elements) => {
        front!($(#[$doc])* $name);

        impl $name {
            /// Applies the layer. What `input` may be, and what comes back for it, is listed at [`Input`](crate::Input).
            pub fn forward<I: $crate::Input>(&self, input: I) -> I::Output {
                self.0.forward(input).unwrap_or_else(|error| unreachable!("it takes tensors of any shape, but: {error}"))
            }
        }
    };
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// It is a [`Layer`](crate::Layer), whose methods it has.
        #[derive(Clone, Debug)]
        pub struct $name($crate::Layer);

        impl $name {
            /// A layer that drops with probability `p`, drawing from the process's
            /// [default generator](crate::default_generator).
            ///
            /// # Errors
            ///
            /// If `p` is below 0, above 1 or NaN.
            pub fn new(p: f64) -> Result<Self, $crate::ProbabilityError> {
                $crate::Layer::new($crate::Kind::$name, p).map(Self)
            }

            /// The same, drawing from `generator`, which gives it its number.
            ///
            /// # Errors
            ///
            /// If `p` is below 0, above 1 or NaN.
            pub fn with_generator(p: f64, generator: &$crate::Generator) -> Result<Self, $crate::ProbabilityError> {
                $crate::Layer::with_generator($crate::Kind::$name, p, generator).map(Self)
            }

            /// Takes the last axis for the channels: see [`Layer::with_channels_last`](crate::Layer::with_channels_last).
            #[must_use]
            pub fn with_channels_last(self) -> Self {
                Self(self.0.with_channels_last())
            }

            /// Switches to training mode.
            pub const fn train(&mut self) -> &mut Self {
                self.0.train();
                self
            }

            /// Switches to eval mode.
            pub const fn eval(&mut self) -> &mut Self {
                self.0.eval();
                self
            }

            /// Switches to [Monte Carlo mode](crate::Mode::MonteCarlo).
            pub const fn monte_carlo(&mut self) -> &mut Self {
                self.0.monte_carlo();
                self
            }
        }

        impl std::ops::Deref for $name {
            type Target = $crate::Layer;

            fn deref(&self) -> &$crate::Layer {
                &self.0
            }
        }

        impl std::ops::DerefMut for $name {
            fn deref_mut(&mut self) -> &mut $crate::Layer {
                &mut self.0
            }
        }

        impl From<$name> for $crate::Layer {
            fn from(front: $name) -> Self {
                front.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
pub(super) use front;

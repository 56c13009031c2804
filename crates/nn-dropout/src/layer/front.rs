//! The types of layers that people know, each a thin front over a [`Layer`](crate::Layer) of its kind.

/// A front over [`Layer`]: a type of its own for one kind, and the name of the number that it takes. With `any shape`, for kinds that
/// take tensors of all shapes, its `forward` returns the output itself, not a `Result`.
macro_rules! front {
    ($(#[$doc:meta])* $name:ident($amount:ident), any shape) => {
        front!($(#[$doc])* $name($amount));

        impl $name {
            /// Applies the layer. What `input` may be, and what comes back for it, is listed at [`Input`](crate::Input).
            pub fn forward<I: $crate::Input>(&self, input: I) -> I::Output {
                self.0.forward(input).unwrap_or_else(|error| unreachable!("it takes tensors of any shape, but: {error}"))
            }
        }
    };
    ($(#[$doc:meta])* $name:ident($amount:ident)) => {
        $(#[$doc])*
        ///
        /// It is a [`Layer`](crate::Layer), whose methods it has.
        #[derive(Clone, Debug)]
        pub struct $name(pub(super) $crate::Layer);

        impl $name {
            #[doc = concat!("A layer with this ", stringify!($amount), ", drawing from the process's")]
            /// [default generator](crate::default_generator).
            ///
            /// # Errors
            ///
            #[doc = concat!("If `", stringify!($amount), "` is out of its [range](crate::Config).")]
            pub fn new($amount: f64) -> Result<Self, $crate::ConfigError> {
                $crate::Layer::new($crate::Kind::$name, $amount).map(Self)
            }

            /// The same, drawing from `generator`, which gives it its number.
            ///
            /// # Errors
            ///
            #[doc = concat!("If `", stringify!($amount), "` is out of its [range](crate::Config).")]
            pub fn with_generator($amount: f64, generator: &$crate::Generator) -> Result<Self, $crate::ConfigError> {
                $crate::Layer::with_generator($crate::Kind::$name, $amount, generator).map(Self)
            }

            /// Takes the last axis for the channels: see [`Layer::with_channels_last`](crate::Layer::with_channels_last).
            #[must_use]
            pub fn with_channels_last(self) -> Self {
                Self(self.0.with_channels_last())
            }
        }
        $crate::layer::front::over_layer!($name);
    };
}
pub(super) use front;

/// What every type over a [`Layer`] has.
macro_rules! over_layer {
    ($name:ident) => {
        impl $name {
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
pub(super) use over_layer;

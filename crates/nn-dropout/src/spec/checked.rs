//! What numbers that are checked once have in common.

/// Gives a type over an `f64` that is never NaN nor -0.0 what such numbers have, and its error, which holds the number that was refused.
macro_rules! checked {
    ($name:ident, $error:ident) => {
        impl $name {
            /// 0.
            pub const ZERO: Self = Self(0.0);

            /// This times a factor from 0 to 1.
            pub(crate) const fn scaled(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }

            /// The number itself.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl Eq for $name {}

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.to_bits().hash(state);
            }
        }

        impl TryFrom<f64> for $name {
            type Error = $error;

            fn try_from(number: f64) -> Result<Self, $error> {
                Self::new(number)
            }
        }

        impl From<$name> for f64 {
            fn from(checked: $name) -> Self {
                checked.0
            }
        }

        impl std::error::Error for $error {}
    };
}
pub(super) use checked;

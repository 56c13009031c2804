//! Layers applied to slices, vectors and arrays of a fixed length.

use std::borrow::Cow;

use super::{Input, fit};
use crate::draw::Draw;
use crate::kernel::Element;

/// One that is read.
macro_rules! borrowed {
    ($type:ty $(, $length:ident)?) => {
        impl<'a, T: Element $(, const $length: usize)?> Input for &'a $type {
            type Output = Cow<'a, [T]>;

            fn with_shape<R>(&self, f: impl FnOnce(&[usize]) -> R) -> R {
                f(&[self.len()])
            }

            fn identity(self) -> Self::Output {
                Cow::Borrowed(self)
            }

            fn apply(self, draw: &Draw) -> Self::Output {
                Cow::Owned(fit(draw.forward_to_vec(self)))
            }
        }
    };
}
borrowed!([T]);
borrowed!(Vec<T>);
borrowed!([T; N], N);

impl<T: Element> Input for Cow<'_, [T]> {
    type Output = Self;

    fn with_shape<R>(&self, f: impl FnOnce(&[usize]) -> R) -> R {
        f(&[self.len()])
    }

    fn identity(self) -> Self {
        self
    }

    fn apply(self, draw: &Draw) -> Self {
        match self {
            Cow::Borrowed(slice) => slice.apply(draw),
            Cow::Owned(vec) => Cow::Owned(vec.apply(draw)),
        }
    }
}

/// One that is overwritten.
macro_rules! overwritten {
    ($type:ty $(, $length:ident)?) => {
        impl<T: Element $(, const $length: usize)?> Input for $type {
            type Output = Self;

            fn with_shape<R>(&self, f: impl FnOnce(&[usize]) -> R) -> R {
                f(&[self.len()])
            }

            fn identity(self) -> Self {
                self
            }

            #[allow(unused_mut, reason = "a reference need not be mutable itself")]
            fn apply(mut self, draw: &Draw) -> Self {
                fit(draw.forward_inplace(&mut self[..]));
                self
            }
        }
    };
}
overwritten!(&mut [T]);
overwritten!(&mut Vec<T>);
overwritten!(&mut [T; N], N);
overwritten!(Vec<T>);
overwritten!([T; N], N);

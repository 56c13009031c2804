//! Layers applied to `ndarray` arrays, of any dimension and memory order.

use ndarray::{Array, ArrayBase, CowArray, Data, DataMut, Dimension};

use crate::{Draw, Element, Input};

impl<'a, T: Element, S: Data<Elem = T>, D: Dimension> Input for &'a ArrayBase<S, D> {
    type Output = CowArray<'a, T, D>;

    fn identity(self) -> Self::Output {
        self.view().into()
    }

    fn apply(self, draw: &Draw, inplace: bool) -> Self::Output {
        let mut output = self.to_owned();
        (&mut output).apply(draw, inplace);
        output.into()
    }
}

impl<T: Element, S: DataMut<Elem = T>, D: Dimension> Input for &mut ArrayBase<S, D> {
    type Output = Self;

    fn identity(self) -> Self {
        self
    }

    fn apply(self, draw: &Draw, _inplace: bool) -> Self {
        match self.as_slice_mut() {
            Some(row_major) => draw.forward_inplace(row_major),
            None => draw.scale_each(self.iter_mut(), |x, scale: T| *x = *x * scale),
        }
        self
    }
}

impl<T: Element, D: Dimension> Input for Array<T, D> {
    type Output = Self;

    fn identity(self) -> Self {
        self
    }

    fn apply(mut self, draw: &Draw, inplace: bool) -> Self {
        if !inplace {
            return (&self).apply(draw, inplace).into_owned();
        }
        (&mut self).apply(draw, inplace);
        self
    }
}

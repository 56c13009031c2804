//! Layers applied to `ndarray` arrays, of any dimension and memory order.

use ndarray::{Array, ArrayBase, ArrayViewMut, Axis, CowArray, Data, DataMut, Dimension};

use crate::input::too_short;
use crate::{Draw, Element, Input};

impl<'a, T: Element, S: Data<Elem = T>, D: Dimension> Input for &'a ArrayBase<S, D> {
    type Output = CowArray<'a, T, D>;

    fn count(&self) -> usize {
        self.len()
    }

    fn dimensions(&self) -> Vec<usize> {
        self.shape().to_vec()
    }

    fn identity(self) -> Self::Output {
        self.view().into()
    }

    fn apply(self, draw: &Draw, _inplace: bool) -> Self::Output {
        let order = memory_order(self);
        let mut output = self.to_owned();
        apply_in_order(draw, &order, output.view_mut());
        output.into()
    }
}

impl<T: Element, S: DataMut<Elem = T>, D: Dimension> Input for &mut ArrayBase<S, D> {
    type Output = Self;

    fn count(&self) -> usize {
        self.len()
    }

    fn dimensions(&self) -> Vec<usize> {
        self.shape().to_vec()
    }

    fn identity(self) -> Self {
        self
    }

    fn apply(self, draw: &Draw, _inplace: bool) -> Self {
        let order = memory_order(self);
        apply_in_order(draw, &order, self.view_mut());
        self
    }
}

impl<T: Element, D: Dimension> Input for Array<T, D> {
    type Output = Self;

    fn count(&self) -> usize {
        self.len()
    }

    fn dimensions(&self) -> Vec<usize> {
        self.shape().to_vec()
    }

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

/// The axes from the slowest to the fastest in memory.
fn memory_order<S: Data, D: Dimension>(array: &ArrayBase<S, D>) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..array.ndim()).collect();
    axes.sort_by_key(|&axis| std::cmp::Reverse(array.stride_of(Axis(axis)).unsigned_abs()));
    axes
}

/// How many elements that are not neighbours in memory are taken at once.
const BUFFER: usize = 4096;

/// Applies `draw` to the elements in row-major order, or with the axes in `order` where the draw follows memory.
fn apply_in_order<T: Element, D: Dimension>(draw: &Draw, order: &[usize], array: ArrayViewMut<T, D>) {
    let mut array = array.into_dyn();
    if draw.follows_memory() {
        array = array.permuted_axes(order);
    }
    if let Some(elements) = array.as_slice_mut() {
        return draw.forward_inplace(elements).unwrap_or_else(too_short);
    }
    // They take turns in a buffer whose elements are neighbours.
    let mut places = Vec::with_capacity(BUFFER);
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut elements = array.iter_mut();
    for start in (0..).step_by(BUFFER) {
        places.extend(elements.by_ref().take(BUFFER));
        if places.is_empty() {
            break;
        }
        buffer.extend(places.iter().map(|place: &&mut T| **place));
        draw.at(start).forward_inplace(&mut buffer).unwrap_or_else(too_short);
        for (place, value) in places.drain(..).zip(buffer.drain(..)) {
            *place = value;
        }
    }
}

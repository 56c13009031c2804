//! Layers applied to `ndarray` arrays and views, of any dimension and strides.

use std::cmp::Reverse;

use ndarray::{Array, ArrayBase, ArrayViewMut, ArrayViewMutD, Axis, CowArray, Data, DataMut, Dimension};

use super::{Input, too_short};
use crate::draw::Draw;
use crate::kernel::Element;
use crate::spec::index::Index;

impl<'a, T: Element, S: Data<Elem = T>, D: Dimension> Input for &'a ArrayBase<S, D> {
    type Output = CowArray<'a, T, D>;

    fn with_shape<R>(&self, f: impl FnOnce(&[usize]) -> R) -> R {
        f(self.shape())
    }

    fn memory_order(&self) -> Option<Vec<usize>> {
        Some(memory_order(self))
    }

    fn identity(self) -> Self::Output {
        self.view().into()
    }

    fn apply(self, draw: &Draw) -> Self::Output {
        if let Some(input) = self.as_slice() {
            let output = draw.forward_to_vec(input).unwrap_or_else(too_short);
            return Array::from_shape_vec(self.raw_dim(), output).expect("as many elements").into();
        }
        self.to_owned().apply(draw).into()
    }
}

impl<T: Element, S: DataMut<Elem = T>, D: Dimension> Input for &mut ArrayBase<S, D> {
    type Output = Self;

    fn with_shape<R>(&self, f: impl FnOnce(&[usize]) -> R) -> R {
        f(self.shape())
    }

    fn memory_order(&self) -> Option<Vec<usize>> {
        Some(memory_order(self))
    }

    fn identity(self) -> Self {
        self
    }

    fn apply(self, draw: &Draw) -> Self {
        apply_to_view(draw, self.view_mut());
        self
    }
}

impl<T: Element, D: Dimension> Input for Array<T, D> {
    type Output = Self;

    fn with_shape<R>(&self, f: impl FnOnce(&[usize]) -> R) -> R {
        f(self.shape())
    }

    fn memory_order(&self) -> Option<Vec<usize>> {
        Some(memory_order(self))
    }

    fn identity(self) -> Self {
        self
    }

    fn apply(mut self, draw: &Draw) -> Self {
        apply_to_view(draw, self.view_mut());
        self
    }
}

/// The axes from the slowest to the fastest in memory.
fn memory_order<S: Data, D: Dimension>(array: &ArrayBase<S, D>) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..array.ndim()).collect();
    axes.sort_by_key(|&axis| Reverse(array.stride_of(Axis(axis)).unsigned_abs()));
    axes
}

/// Applies `draw`, whose elements are in row-major order, to those of `view`, however they lie in memory.
fn apply_to_view<T: Element, D: Dimension>(draw: &Draw, view: ArrayViewMut<T, D>) {
    let mut view = view.into_dyn();
    if view.is_standard_layout() {
        return apply_in_order(draw, view);
    }
    let order = memory_order(&view);
    let mut start = draw.index().start();
    let mut strides = draw.index().strides(view.shape()).unwrap_or_else(|error| panic!("{error}"));
    let backwards: Vec<Axis> = order.iter().map(|&axis| Axis(axis)).filter(|&axis| view.stride_of(axis) < 0).collect();
    for &Axis(axis) in &backwards {
        let last = (view.shape()[axis] as u64).saturating_sub(1);
        start = start.wrapping_add(last.wrapping_mul(strides[axis]));
        strides[axis] = strides[axis].wrapping_neg();
    }
    let index = Index::new(start, order.iter().map(|&axis| (view.shape()[axis] as u64, strides[axis])));
    // If bits and elements are in different orders, one of the two is gathered: the bits, if they come in runs.
    if index.axes().last().is_none_or(|axis| axis.stride <= 1) {
        for axis in backwards {
            view.invert_axis(axis);
        }
        apply_in_order(&draw.clone().with_index(index), view.permuted_axes(order));
    } else {
        apply_in_order(draw, view);
    }
}

/// Rows of at least this many elements are worth a call each.
const ROW: usize = 64;

/// How many elements that are not neighbours in memory are taken at once.
const BUFFER: usize = 4096;

/// Applies `draw` to the elements of `view`, one row after the other.
fn apply_in_order<T: Element>(draw: &Draw, mut view: ArrayViewMutD<T>) {
    if let Some(elements) = view.as_slice_mut() {
        return draw.forward_inplace(elements).unwrap_or_else(too_short);
    }
    let mut first = 0;
    let mut apply = |elements: &mut [T]| {
        draw.forward_inplace_at(first, elements).unwrap_or_else(too_short);
        first += elements.len() as u64;
    };
    if view.strides().last() == Some(&1) && view.shape().last() >= Some(&ROW) {
        for mut row in view.rows_mut() {
            apply(row.as_slice_mut().expect("neighbours"));
        }
        return;
    }
    // They take turns in a buffer whose elements are neighbours.
    let mut places = Vec::with_capacity(BUFFER);
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut elements = view.iter_mut();
    loop {
        places.extend(elements.by_ref().take(BUFFER));
        if places.is_empty() {
            break;
        }
        buffer.extend(places.iter().map(|place: &&mut T| **place));
        apply(&mut buffer);
        for (place, value) in places.drain(..).zip(buffer.drain(..)) {
            *place = value;
        }
    }
}

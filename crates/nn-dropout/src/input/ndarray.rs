//! Layers applied to `ndarray` arrays and views, of any dimension and strides.

use std::cmp::Reverse;

use ndarray::{Array, ArrayBase, ArrayView, ArrayViewMut, ArrayViewMutD, Axis, CowArray, Data, DataMut, Dimension};

use super::{Input, fit};
use crate::draw::Draw;
use crate::kernel::Element;
use crate::spec::index::Index;

/// What all arrays have in common, and `identity` and `apply` of one kind. These are no closures: a panic in one would name
/// this file, not the caller's.
macro_rules! input {
    (
        [$($generics:tt)*] $array:ty => $output:ty,
        identity($given:ident) $identity:expr,
        apply($draw:ident, $input:ident) $apply:expr
    ) => {
        impl<$($generics)*> Input for $array {
            type Output = $output;

            fn with_shape<R>(&self, f: impl FnOnce(&[usize]) -> R) -> R {
                f(self.shape())
            }

            fn memory_order(&self) -> Option<Vec<usize>> {
                Some(memory_order(self))
            }

            fn identity(self) -> Self::Output {
                let $given = self;
                $identity
            }

            fn apply(self, $draw: &Draw) -> Self::Output {
                #[allow(unused_mut, reason = "a reference need not be mutable itself")]
                let mut $input = self;
                $apply
            }
        }
    };
}
input!(['a, T: Element, S: Data<Elem = T>, D: Dimension] &'a ArrayBase<S, D> => CowArray<'a, T, D>,
    identity(array) array.view().into(),
    apply(draw, array) noisy(draw, array).into());
input!(['a, T: Element, D: Dimension] ArrayView<'a, T, D> => CowArray<'a, T, D>,
    identity(view) view.into(),
    apply(draw, view) noisy(draw, &view).into());
input!(['a, T: Element, S: DataMut<Elem = T>, D: Dimension] &'a mut ArrayBase<S, D> => Self,
    identity(array) array,
    apply(draw, array) { overwrite(draw, array.view_mut()); array });
input!(['a, T: Element, D: Dimension] ArrayViewMut<'a, T, D> => Self,
    identity(view) view,
    apply(draw, view) { overwrite(draw, view.view_mut()); view });
input!([T: Element, D: Dimension] Array<T, D> => Self,
    identity(array) array,
    apply(draw, array) { overwrite(draw, array.view_mut()); array });
input!(['a, T: Element, D: Dimension] CowArray<'a, T, D> => Self,
    identity(array) array,
    apply(draw, array) if array.is_view() { noisy(draw, &array).into() } else { array.into_owned().apply(draw).into() });

/// The noisy elements of `array`, in memory of their own.
#[track_caller]
fn noisy<T: Element, S: Data<Elem = T>, D: Dimension>(draw: &Draw, array: &ArrayBase<S, D>) -> Array<T, D> {
    if let Some(input) = array.as_slice() {
        let output = fit(draw.forward_to_vec(input));
        return Array::from_shape_vec(array.raw_dim(), output).expect("as many elements");
    }
    array.to_owned().apply(draw)
}

/// The axes from the slowest to the fastest in memory.
fn memory_order<S: Data, D: Dimension>(array: &ArrayBase<S, D>) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..array.ndim()).collect();
    axes.sort_by_key(|&axis| Reverse(array.stride_of(Axis(axis)).unsigned_abs()));
    axes
}

/// Applies `draw`, whose elements are in row-major order, to those of `view`, however they lie in memory.
#[track_caller]
fn overwrite<T: Element, D: Dimension>(draw: &Draw, view: ArrayViewMut<T, D>) {
    let mut view = view.into_dyn();
    if view.is_standard_layout() {
        return apply_in_order(draw, view);
    }
    let order = memory_order(&view);
    let mut start = draw.index().start();
    let mut strides = fit(draw.index().strides(view.shape()));
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
#[track_caller]
fn apply_in_order<T: Element>(draw: &Draw, mut view: ArrayViewMutD<T>) {
    if let Some(elements) = view.as_slice_mut() {
        return fit(draw.forward_inplace(elements));
    }
    let mut first = 0;
    let mut apply = |elements: &mut [T]| {
        let applied = draw.forward_inplace_at(first, elements);
        first += elements.len() as u64;
        applied
    };
    if view.strides().last() == Some(&1) && view.shape().last() >= Some(&ROW) {
        for mut row in view.rows_mut() {
            fit(apply(row.as_slice_mut().expect("neighbours")));
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
        fit(apply(&mut buffer));
        for (place, value) in places.drain(..).zip(buffer.drain(..)) {
            *place = value;
        }
    }
}

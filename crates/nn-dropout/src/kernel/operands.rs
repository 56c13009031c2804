//! What a draw is applied to, as the kernels see it.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// The slices of `y = residual + (x + bias) * noise`, where `y` may be one of the others, and there may be no residual and
/// no bias.
///
/// All have `count` elements, except the bias: it has those of a row, and every row gets the same.
pub struct Operands<'a, T> {
    count: usize,
    y: *mut T,
    /// `y` itself, or disjoint from it.
    x: *const T,
    /// `y` itself, or disjoint from it.
    residual: Option<*const T>,
    bias: Option<Bias<T>>,
    memory: PhantomData<&'a mut [T]>,
}

#[derive(Clone, Copy)]
struct Bias<T> {
    row: *const T,
    columns: usize,
    /// The column of the first element.
    column: usize,
}

// SAFETY: it stands for the slices that it was made from: `&[T]`, which may be sent if `T: Sync`, and one `&mut [T]`, which may
// be sent if `T: Send`.
unsafe impl<T: Send + Sync> Send for Operands<'_, T> {}

impl<'a, T: Copy> Operands<'a, T> {
    /// `y = y * noise`
    pub fn inplace(y: &'a mut [T]) -> Self {
        Self::of(y.as_mut_ptr(), y.len())
    }

    /// `y = x * noise`
    ///
    /// # Panics
    ///
    /// If the lengths differ, here and below.
    pub fn new(x: &'a [T], y: &'a mut [T]) -> Self {
        assert_eq!(x.len(), y.len());
        Self { x: x.as_ptr(), ..Self::inplace(y) }
    }

    /// `y = x * noise`, for memory that is not initialised. The kernel writes all of it.
    pub fn uninit(x: &'a [T], y: &'a mut [MaybeUninit<T>]) -> Self {
        assert_eq!(x.len(), y.len());
        Self { x: x.as_ptr(), ..Self::of(y.as_mut_ptr().cast(), y.len()) }
    }

    /// Reads and writes `y` through one pointer: a second one would invalidate the first.
    fn of(y: *mut T, count: usize) -> Self {
        Self { count, y, x: y, residual: None, bias: None, memory: PhantomData }
    }

    /// `y = residual + x * noise`
    #[must_use]
    pub fn with_residual(self, residual: &'a [T]) -> Self {
        assert_eq!(residual.len(), self.count);
        Self { residual: Some(residual.as_ptr()), ..self }
    }

    /// `y = y + x * noise`
    #[must_use]
    pub fn accumulate(self) -> Self {
        Self { residual: Some(self.y), ..self }
    }

    /// `y = residual + (x + bias) * noise`
    ///
    /// # Panics
    ///
    /// If the elements are not whole rows.
    #[must_use]
    pub fn with_bias(self, bias: &'a [T]) -> Self {
        assert!(self.count.is_multiple_of(bias.len()));
        Self { bias: Some(Bias { row: bias.as_ptr(), columns: bias.len(), column: 0 }), ..self }
    }

    /// The number of elements that are written.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The elements before `middle`, and the others.
    pub fn split_at(self, middle: usize) -> (Self, Self) {
        assert!(middle <= self.count);
        // SAFETY: `middle` lies within the slices or at their end.
        let right = unsafe {
            Self {
                count: self.count - middle,
                y: self.y.add(middle),
                x: self.x.add(middle),
                residual: self.residual.map(|residual| residual.add(middle)),
                bias: self.bias.map(|bias| Bias { column: (bias.column + middle) % bias.columns, ..bias }),
                memory: PhantomData,
            }
        };
        (Self { count: middle, ..self }, right)
    }

    /// The number of elements before the end of the bias's row.
    pub fn row(&self) -> usize {
        self.bias.map_or(self.count, |bias| self.count.min(bias.columns - bias.column))
    }

    /// The pointers to its first elements. They are good for [`row`](Self::row) elements.
    pub fn unit(&self) -> Unit<T> {
        let bias = self.bias.map(|bias| bias.row.wrapping_add(bias.column));
        Unit { x: self.x, bias, residual: self.residual, y: self.y }
    }
}

/// Where elements that are applied together start.
#[derive(Clone, Copy)]
pub struct Unit<T> {
    pub x: *const T,
    pub bias: Option<*const T>,
    pub residual: Option<*const T>,
    pub y: *mut T,
}

impl<T> Unit<T> {
    /// `i` elements further on.
    ///
    /// # Safety
    ///
    /// `i` is at most the number of elements.
    #[inline(always)]
    pub unsafe fn at(self, i: usize) -> Self {
        // SAFETY: the pointers stay within their slices, or at the end.
        unsafe {
            Self {
                x: self.x.add(i),
                bias: self.bias.map(|bias| bias.add(i)),
                residual: self.residual.map(|residual| residual.add(i)),
                y: self.y.add(i),
            }
        }
    }
}

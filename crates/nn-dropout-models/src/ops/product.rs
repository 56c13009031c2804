//! Products of matrices.

use gemm::Parallelism;

/// A matrix in memory: row by row, or column by column.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    numbers: &'a [f32],
    shape: [usize; 2],
    /// How far neighbours in a column lie apart, and those in a row.
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// A matrix row by row.
    pub fn new(numbers: &'a [f32], shape: [usize; 2]) -> Self {
        assert_eq!(numbers.len(), shape[0] * shape[1], "a matrix has all its elements");
        Self { numbers, shape, strides: [shape[1], 1] }
    }

    pub fn transpose(self) -> Self {
        let Self { numbers, shape: [rows, columns], strides: [row, column] } = self;
        Self { numbers, shape: [columns, rows], strides: [column, row] }
    }
}

/// From this many multiplications on, several threads share a product.
const PARALLEL: usize = 192 * 192 * 192;

/// `left right`, row by row, where each row starts as a copy of `start` if there is one. The sums are the same with any number of
/// threads.
pub fn product(left: Matrix, right: Matrix, start: Option<&[f32]>) -> Vec<f32> {
    let ([m, k], [rows, n]) = (left.shape, right.shape);
    assert_eq!(k, rows, "a row has as many elements as a column");
    let parallelism =
        if m * n * k < PARALLEL { Parallelism::None } else { Parallelism::Rayon(rayon::current_num_threads()) };
    let mut product = match start {
        Some(row) => {
            assert_eq!(row.len(), n, "a row to start with is as long as a row of the product");
            row.repeat(m)
        }
        None => Vec::with_capacity(m * n),
    };
    let [left_strides, right_strides] = [left, right].map(|matrix| matrix.strides.map(|stride| stride as isize));
    // SAFETY: the strides of both matrices stay within their elements, as their lengths were checked against their shapes. The
    // product has room for m rows of n elements. All of them are written; they are read before only if they were there.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            product.as_mut_ptr(),
            1,
            n as isize,
            start.is_some(),
            left.numbers.as_ptr(),
            left_strides[1],
            left_strides[0],
            right.numbers.as_ptr(),
            right_strides[1],
            right_strides[0],
            if start.is_some() { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            parallelism,
        );
        product.set_len(m * n);
    }
    product
}

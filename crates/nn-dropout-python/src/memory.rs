//! Memory that Python's tensors own: where it is, and how their elements lie in it.

use std::cmp::Reverse;

use ndarray::{ArrayViewMutD, ShapeBuilder};

/// The axes from the slowest to the fastest in memory.
pub fn order(strides: &[isize]) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..strides.len()).collect();
    axes.sort_by_key(|&axis| Reverse(strides[axis].unsigned_abs()));
    axes
}

/// `count` elements from an address on. An empty slice may have any address.
///
/// # Safety
///
/// - There are `count` elements of type `T`, aligned as `T` is, which stay where they are for `'a`.
/// - Nobody writes them meanwhile.
pub unsafe fn slice<'a, T>(address: usize, count: usize) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(address as *const T, count) }
}

/// The same to be written.
///
/// # Safety
///
/// As for [`slice`], and nobody reads them meanwhile.
pub unsafe fn slice_mut<'a, T>(address: usize, count: usize) -> &'a mut [T] {
    if count == 0 {
        return &mut [];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(address as *mut T, count) }
}

/// A tensor to be overwritten, of any strides, none of them negative.
///
/// # Safety
///
/// - All elements are of type `T`, aligned as `T` is, and no two of them share memory.
/// - Nobody else uses them for `'a`.
pub unsafe fn view<'a, T>(address: usize, shape: &[usize], strides: &[isize]) -> ArrayViewMutD<'a, T> {
    let strides: Vec<usize> = strides.iter().map(|stride| stride.unsigned_abs()).collect();
    let address = if shape.contains(&0) { align_of::<T>() } else { address };
    // SAFETY: the caller's promise.
    unsafe { ArrayViewMutD::from_shape_ptr(shape.to_vec().strides(strides), address as *mut T) }
}

/// Asks the system for large pages for memory that is about to be written for the first time. Whoever allocates a large tensor gets
/// fresh pages, and 4 KiB at a time they take longer than the noise. Nothing is lost where the system has none.
pub fn prefer_large_pages(address: usize, bytes: usize) {
    #[cfg(target_os = "linux")]
    if bytes >= FRESH {
        let start = address.next_multiple_of(LARGE_PAGE);
        let end = (address + bytes) / LARGE_PAGE * LARGE_PAGE;
        // SAFETY: advice does not change what is in memory, and this is about pages that lie within the tensor's.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (address, bytes);
}

#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

/// From how many bytes on an allocator takes memory from the system, and gives it back.
#[cfg(target_os = "linux")]
const FRESH: usize = 4 << 20;

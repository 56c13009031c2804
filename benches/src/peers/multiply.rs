//! The yardstick: a multiplication, as fast as this CPU can do it.
//!
//! No dropout can be faster: `y = x * c` reads and writes the same memory and has no mask to draw. For a residual it is
//! `y = r + x * c`, and for a backward pass a second multiplication. What is fastest depends on the CPU and the size, so
//! several kernels compete, and the best one of each case counts:
//!
//! - plain stores, for whatever stays in a cache, and streaming ones, which write to memory without reading it first;
//! - with and without fetching ahead in software, at several distances;
//! - on one thread, and where there are several, on all of them too.

use rayon::current_num_threads;
use rayon::prelude::*;

use super::{MULTIPLY, Number};
use crate::case::{Case, Op};
use crate::measure::Contender;

/// `y = x * c`, plus the residual if there is one. All slices are of the same length.
///
/// Unsafe to call: the CPU has to have the instructions it is made of.
type Kernel<T> = unsafe fn(x: &[T], residual: Option<&[T]>, y: &mut [T], c: T);

/// How a kernel is run.
type Run<T> = fn(Kernel<T>, x: &[T], residual: Option<&[T]>, y: &mut [T], c: T);

pub fn contenders<'a, T: Number>(case: Case, p: f64) -> Vec<Contender<'a, T>> {
    let c = T::from_f64(1.0 / (1.0 - p));
    let multiplications: [Run<T>; 2] = [on_this_thread, on_all_threads];
    let multiplications = &multiplications[..case.threads.min(2)];
    let mut contenders = Vec::new();
    for kernel in kernels() {
        for &multiply in multiplications {
            contenders.push(Contender::new(MULTIPLY, move |b| {
                multiply(kernel, b.input, (case.op == Op::Residual).then_some(b.second), b.output, c);
                if case.op == Op::ForwardBackward {
                    multiply(kernel, b.second, None, b.grad_input, c);
                }
                Ok(())
            }));
        }
    }
    contenders
}

fn on_this_thread<T>(kernel: Kernel<T>, x: &[T], residual: Option<&[T]>, y: &mut [T], c: T) {
    // SAFETY: `kernels` lists only what this CPU can run.
    unsafe { kernel(x, residual, y, c) }
}

/// Every thread gets pieces that start where a cache line does.
fn on_all_threads<T: Number>(kernel: Kernel<T>, x: &[T], residual: Option<&[T]>, y: &mut [T], c: T) {
    // Several pieces a thread, so that one that is held up does not keep the others waiting.
    let piece = x.len().div_ceil(4 * current_num_threads()).max(1).next_multiple_of(1 << 12);
    y.par_chunks_mut(piece).zip(x.par_chunks(piece)).enumerate().for_each(|(i, (y, x))| {
        on_this_thread(kernel, x, residual.map(|residual| &residual[i * piece..][..x.len()]), y, c);
    });
}

/// All that this CPU can run.
fn kernels<T: Number>() -> Vec<Kernel<T>> {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            return x86::kernels!(x86::avx512);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") {
            return x86::kernels!(x86::avx2);
        }
    }
    vec![portable]
}

/// For any CPU, and for what does not fill a few registers.
fn portable<T: Number>(x: &[T], residual: Option<&[T]>, y: &mut [T], c: T) {
    match residual {
        Some(residual) => {
            for ((y, &x), &residual) in y.iter_mut().zip(x).zip(residual) {
                *y = residual + x * c;
            }
        }
        None => {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x * c;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::Registers;

/// An element type that registers can be full of.
#[cfg(not(target_arch = "x86_64"))]
pub trait Registers {}

#[cfg(not(target_arch = "x86_64"))]
impl<T> Registers for T {}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::wildcard_imports, reason = "of intrinsics, whose names say where they are from")]
mod x86 {
    use std::arch::x86_64::*;

    use half::{bf16, f16};

    use super::{Number, portable};

    /// Kernels with plain and with streaming stores, and how many bytes each fetches ahead.
    macro_rules! kernels {
        ($kernel:path) => {{
            use $kernel as kernel;
            vec![
                kernel::<T, false, 0>,
                kernel::<T, false, 2048>,
                kernel::<T, true, 0>,
                kernel::<T, true, 4096>,
                kernel::<T, true, 16384>,
            ]
        }};
    }
    pub(super) use kernels;

    macro_rules! kernel {
        ($name:ident, $features:literal, $register:ty, $load:ident, $store:ident, $stream:ident) => {
            #[target_feature(enable = $features)]
            pub fn $name<T: Number, const STREAM: bool, const AHEAD: usize>(
                x: &[T],
                residual: Option<&[T]>,
                y: &mut [T],
                c: T,
            ) {
                assert!(x.len() == y.len() && residual.is_none_or(|residual| residual.len() == y.len()));
                // Four cache lines at a time, from where one starts in the output: streaming stores have to be aligned.
                let step = 4 * LINE / size_of::<T>();
                let start = y.as_ptr().align_offset(LINE).min(y.len());
                let end = y.len() - (y.len() - start) % step;
                portable(&x[..start], residual.map(|r| &r[..start]), &mut y[..start], c);
                portable(&x[end..], residual.map(|r| &r[end..]), &mut y[end..], c);
                for i in (start..end).step_by(step) {
                    for byte in (0..4 * LINE).step_by(size_of::<$register>()) {
                        let i = i + byte / size_of::<T>();
                        if AHEAD > 0 && byte % LINE == 0 {
                            _mm_prefetch::<_MM_HINT_T0>(x.as_ptr().wrapping_add(i).wrapping_byte_add(AHEAD).cast());
                            if let Some(residual) = residual {
                                let residual = residual.as_ptr().wrapping_add(i);
                                _mm_prefetch::<_MM_HINT_T0>(residual.wrapping_byte_add(AHEAD).cast());
                            }
                        }
                        // SAFETY: all slices are of the same length, and from `i` to `end` there is at least a register
                        // full of elements. Output and `i` are aligned to a line, so streaming stores are, too.
                        unsafe {
                            let residual = residual.map(|residual| $load(residual.as_ptr().add(i).cast()));
                            let scaled = T::$name($load(x.as_ptr().add(i).cast()), residual, c);
                            let y = y.as_mut_ptr().add(i).cast();
                            if STREAM { $stream(y, scaled) } else { $store(y, scaled) }
                        }
                    }
                }
                if STREAM {
                    _mm_sfence();
                }
            }
        };
    }

    const LINE: usize = 64;
    kernel!(avx512, "avx512f,avx512bw", __m512i, _mm512_loadu_si512, _mm512_storeu_si512, _mm512_stream_si512);
    kernel!(avx2, "avx2,f16c", __m256i, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_stream_si256);

    /// An element type that registers can be full of.
    pub trait Registers: Sized {
        /// `x * c`, plus the residual if there is one.
        ///
        /// # Safety
        ///
        /// The CPU has AVX-512F and AVX-512BW.
        unsafe fn avx512(x: __m512i, residual: Option<__m512i>, c: Self) -> __m512i;

        /// The same.
        ///
        /// # Safety
        ///
        /// The CPU has AVX2 and F16C.
        unsafe fn avx2(x: __m256i, residual: Option<__m256i>, c: Self) -> __m256i;
    }

    impl Registers for f32 {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn avx512(x: __m512i, residual: Option<__m512i>, c: Self) -> __m512i {
            let y = _mm512_mul_ps(_mm512_castsi512_ps(x), _mm512_set1_ps(c));
            _mm512_castps_si512(residual.map_or(y, |residual| _mm512_add_ps(_mm512_castsi512_ps(residual), y)))
        }

        #[inline]
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn avx2(x: __m256i, residual: Option<__m256i>, c: Self) -> __m256i {
            let y = _mm256_mul_ps(_mm256_castsi256_ps(x), _mm256_set1_ps(c));
            _mm256_castps_si256(residual.map_or(y, |residual| _mm256_add_ps(_mm256_castsi256_ps(residual), y)))
        }
    }

    impl Registers for f64 {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn avx512(x: __m512i, residual: Option<__m512i>, c: Self) -> __m512i {
            let y = _mm512_mul_pd(_mm512_castsi512_pd(x), _mm512_set1_pd(c));
            _mm512_castpd_si512(residual.map_or(y, |residual| _mm512_add_pd(_mm512_castsi512_pd(residual), y)))
        }

        #[inline]
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn avx2(x: __m256i, residual: Option<__m256i>, c: Self) -> __m256i {
            let y = _mm256_mul_pd(_mm256_castsi256_pd(x), _mm256_set1_pd(c));
            _mm256_castpd_si256(residual.map_or(y, |residual| _mm256_add_pd(_mm256_castsi256_pd(residual), y)))
        }
    }

    // In f32, each half of a register by itself.
    impl Registers for f16 {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn avx512(x: __m512i, residual: Option<__m512i>, c: Self) -> __m512i {
            let c = _mm512_set1_ps(c.to_f32());
            let scale = |x, residual: Option<__m256i>| {
                let y = _mm512_mul_ps(_mm512_cvtph_ps(x), c);
                let y = residual.map_or(y, |residual| _mm512_add_ps(_mm512_cvtph_ps(residual), y));
                _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(y)
            };
            let low = scale(_mm512_castsi512_si256(x), residual.map(|residual| _mm512_castsi512_si256(residual)));
            let high = |x| _mm512_extracti64x4_epi64::<1>(x);
            let high = scale(high(x), residual.map(high));
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
        }

        #[inline]
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn avx2(x: __m256i, residual: Option<__m256i>, c: Self) -> __m256i {
            let c = _mm256_set1_ps(c.to_f32());
            let scale = |x, residual: Option<__m128i>| {
                let y = _mm256_mul_ps(_mm256_cvtph_ps(x), c);
                let y = residual.map_or(y, |residual| _mm256_add_ps(_mm256_cvtph_ps(residual), y));
                _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(y)
            };
            let low = scale(_mm256_castsi256_si128(x), residual.map(|residual| _mm256_castsi256_si128(residual)));
            let high = |x| _mm256_extracti128_si256::<1>(x);
            let high = scale(high(x), residual.map(high));
            _mm256_set_m128i(high, low)
        }
    }

    // In f32, elements with even and with odd indices apart: a bf16 is the upper half of an f32. Rounded half to even.
    impl Registers for bf16 {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn avx512(x: __m512i, residual: Option<__m512i>, c: Self) -> __m512i {
            let c = _mm512_set1_ps(c.to_f32());
            let upper = _mm512_set1_epi32(0xFFFF_0000_u32 as i32);
            let even = |x| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(x));
            let odd = |x| _mm512_castsi512_ps(_mm512_and_si512(x, upper));
            let scale = |x, residual: Option<__m512>| {
                let y = _mm512_mul_ps(x, c);
                let y = _mm512_castps_si512(residual.map_or(y, |residual| _mm512_add_ps(residual, y)));
                let is_odd = _mm512_and_si512(_mm512_srli_epi32::<16>(y), _mm512_set1_epi32(1));
                _mm512_add_epi32(y, _mm512_add_epi32(is_odd, _mm512_set1_epi32(0x7FFF)))
            };
            let even = _mm512_srli_epi32::<16>(scale(even(x), residual.map(even)));
            let odd = _mm512_and_si512(scale(odd(x), residual.map(odd)), upper);
            _mm512_or_si512(odd, even)
        }

        #[inline]
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn avx2(x: __m256i, residual: Option<__m256i>, c: Self) -> __m256i {
            let c = _mm256_set1_ps(c.to_f32());
            let upper = _mm256_set1_epi32(0xFFFF_0000_u32 as i32);
            let even = |x| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(x));
            let odd = |x| _mm256_castsi256_ps(_mm256_and_si256(x, upper));
            let scale = |x, residual: Option<__m256>| {
                let y = _mm256_mul_ps(x, c);
                let y = _mm256_castps_si256(residual.map_or(y, |residual| _mm256_add_ps(residual, y)));
                let is_odd = _mm256_and_si256(_mm256_srli_epi32::<16>(y), _mm256_set1_epi32(1));
                _mm256_add_epi32(y, _mm256_add_epi32(is_odd, _mm256_set1_epi32(0x7FFF)))
            };
            let even = _mm256_srli_epi32::<16>(scale(even(x), residual.map(even)));
            let odd = _mm256_and_si256(scale(odd(x), residual.map(odd)), upper);
            _mm256_or_si256(odd, even)
        }
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    /// All kernels that this CPU can run, at lengths and places around the edges of cache lines.
    fn all_kernels_multiply<T: Number>() {
        let numbers: Vec<T> = (0..4000).map(|i| T::from_f64(f64::from(i % 97 - 48) / 8.0)).collect();
        let c = T::from_f64(1.25);
        for kernel in kernels::<T>() {
            for (start, count) in [(0, 0), (0, 1), (1, 63), (0, 64), (3, 1000), (0, 1024), (7, 3993)] {
                let x = &numbers[start..start + count];
                let residual = &numbers[4000 - count..];
                for residual in [None, Some(residual)] {
                    let (mut expected, mut y) = (vec![T::from_f64(0.0); 4000], vec![T::from_f64(0.0); 4000]);
                    portable(x, residual, &mut expected[start..start + count], c);
                    on_this_thread(kernel, x, residual, &mut y[start..start + count], c);
                    assert_eq!(y, expected);
                    on_all_threads(kernel, x, residual, &mut y[start..start + count], c);
                    assert_eq!(y, expected);
                }
            }
        }
    }

    #[test]
    fn all_kernels_multiply_all_types() {
        all_kernels_multiply::<f32>();
        all_kernels_multiply::<f64>();
        all_kernels_multiply::<f16>();
        all_kernels_multiply::<bf16>();
    }
}

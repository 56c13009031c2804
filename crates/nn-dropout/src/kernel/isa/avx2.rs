//! x86-64 with AVX2 and F16C.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::{Blocks, Vector, arithmetic_in_f32};

pub struct Avx2;

impl Blocks for Avx2 {
    const BLOCKS: usize = 4;
    /// In the low halves of 64-bit lanes; see AVX-512.
    type Words = __m256i;
    type Products = __m256i;
    type Pairs = __m256i;
    type Lanes = [__m256i; 2];

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn splat(word: u32) -> __m256i {
        _mm256_set1_epi32(word.cast_signed())
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn ascending() -> __m256i {
        _mm256_setr_epi64x(0, 1, 2, 3)
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        _mm256_add_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn xor(a: __m256i, b: __m256i) -> __m256i {
        _mm256_xor_si256(a, b)
    }

    /// The last two first: neither waits for a product.
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        _mm256_xor_si256(a, _mm256_xor_si256(b, c))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn product(a: __m256i, b: __m256i) -> __m256i {
        _mm256_mul_epu32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn high(products: __m256i) -> __m256i {
        _mm256_shuffle_epi32::<0b11_11_01_01>(products)
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn low(products: __m256i) -> __m256i {
        products
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn pairs(products: __m256i, a: __m256i, b: __m256i) -> __m256i {
        let swapped = _mm256_shuffle_epi32::<0b10_11_00_01>(products);
        _mm256_blend_epi32::<0b1010_1010>(_mm256_xor_si256(swapped, _mm256_xor_si256(a, b)), swapped)
    }

    /// Two pairs to a 128-bit lane make a block in order; those with even numbers make one register, the others another.
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn lanes(first: __m256i, second: __m256i) -> [__m256i; 2] {
        [_mm256_unpacklo_epi64(first, second), _mm256_unpackhi_epi64(first, second)]
    }

    /// There is no unsigned comparison, but the maximum shows which lanes are not below.
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn below(lanes: [__m256i; 2], threshold: u16) -> u64 {
        let threshold = _mm256_set1_epi16(threshold.cast_signed());
        let [even, odd] = lanes;
        let even = _mm256_cmpeq_epi16(_mm256_max_epu16(even, threshold), even);
        let odd = _mm256_cmpeq_epi16(_mm256_max_epu16(odd, threshold), odd);
        u64::from(!flags(even, odd))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn equal(lanes: [__m256i; 2], threshold: u16) -> u64 {
        let threshold = _mm256_set1_epi16(threshold.cast_signed());
        let [even, odd] = lanes;
        u64::from(flags(_mm256_cmpeq_epi16(even, threshold), _mm256_cmpeq_epi16(odd, threshold)))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn any_equal<const N: usize>(lanes: &[[__m256i; 2]; N], threshold: u16) -> bool {
        let threshold = _mm256_set1_epi16(threshold.cast_signed());
        let mut any = _mm256_setzero_si256();
        for lanes in lanes {
            any = _mm256_or_si256(any, _mm256_cmpeq_epi16(lanes[0], threshold));
            any = _mm256_or_si256(any, _mm256_cmpeq_epi16(lanes[1], threshold));
        }
        _mm256_testz_si256(any, any) == 0
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn prefetch(address: *const u8) {
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
}

/// A bit for each sixteen-bit lane, which holds -1 or 0: packing takes 128-bit lanes of the two in turn, as the blocks go.
#[inline]
#[target_feature(enable = "avx2,f16c")]
fn flags(even: __m256i, odd: __m256i) -> u32 {
    _mm256_movemask_epi8(_mm256_packs_epi16(even, odd)).cast_unsigned()
}

/// All types are loaded and stored alike.
macro_rules! memory {
    ($element:ty) => {
        const COUNT: usize = size_of::<__m256i>() / size_of::<$element>();
        type Register = __m256i;

        #[inline]
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn load(from: *const $element) -> __m256i {
            // SAFETY: `COUNT` elements can be read at `from`.
            unsafe { _mm256_loadu_si256(from.cast()) }
        }

        #[inline]
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn store(to: *mut $element, register: __m256i) {
            // SAFETY: `COUNT` elements can be written at `to`.
            unsafe { _mm256_storeu_si256(to.cast(), register) }
        }

        #[inline]
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn stream(to: *mut $element, register: __m256i) {
            // SAFETY: `COUNT` elements can be written at `to`, which is aligned to 64 bytes.
            unsafe { _mm256_stream_si256(to.cast(), register) }
        }

        #[inline]
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn fence() {
            _mm_sfence();
        }
    };
}

impl Vector<f32> for Avx2 {
    memory!(f32);

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn splat(value: f32) -> __m256i {
        _mm256_castps_si256(_mm256_set1_ps(value))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn select(bits: u32, index: usize, kept: __m256i, dropped: __m256i) -> __m256i {
        let lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        let lanes = _mm256_sllv_epi32(lanes, _mm256_set1_epi32(8 * index as i32));
        let bits = _mm256_and_si256(_mm256_set1_epi32(bits.cast_signed()), lanes);
        _mm256_blendv_epi8(dropped, kept, _mm256_cmpeq_epi32(bits, lanes))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn mul(a: __m256i, b: __m256i) -> __m256i {
        _mm256_castps_si256(_mm256_mul_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn div(a: __m256i, b: __m256i) -> __m256i {
        _mm256_castps_si256(_mm256_div_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        _mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)))
    }
}

impl Vector<f64> for Avx2 {
    memory!(f64);

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn splat(value: f64) -> __m256i {
        _mm256_castpd_si256(_mm256_set1_pd(value))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn select(bits: u32, index: usize, kept: __m256i, dropped: __m256i) -> __m256i {
        let lanes = _mm256_sllv_epi64(_mm256_setr_epi64x(1, 2, 4, 8), _mm256_set1_epi64x(4 * index as i64));
        let bits = _mm256_and_si256(_mm256_set1_epi64x(i64::from(bits)), lanes);
        _mm256_blendv_epi8(dropped, kept, _mm256_cmpeq_epi64(bits, lanes))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn mul(a: __m256i, b: __m256i) -> __m256i {
        _mm256_castpd_si256(_mm256_mul_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b)))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn div(a: __m256i, b: __m256i) -> __m256i {
        _mm256_castpd_si256(_mm256_div_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b)))
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        _mm256_castpd_si256(_mm256_add_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b)))
    }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn widen_f16(register: __m256i) -> [__m256i; 2] {
    let (low, high) = (_mm256_castsi256_si128(register), _mm256_extracti128_si256::<1>(register));
    [_mm256_castps_si256(_mm256_cvtph_ps(low)), _mm256_castps_si256(_mm256_cvtph_ps(high))]
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn narrow_f16([low, high]: [__m256i; 2]) -> __m256i {
    let low = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_castsi256_ps(low));
    let high = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_castsi256_ps(high));
    _mm256_set_m128i(high, low)
}

/// The elements with even and with odd indices: bf16 is the upper half of an f32.
#[inline]
#[target_feature(enable = "avx2,f16c")]
fn widen_bf16(register: __m256i) -> [__m256i; 2] {
    let upper = _mm256_set1_epi32(0xFFFF_0000_u32.cast_signed());
    [_mm256_slli_epi32::<16>(register), _mm256_and_si256(register, upper)]
}

/// Rounds half to even to what the upper half can hold. A NaN from bf16 has nothing in the lower half, and stays one.
#[inline]
#[target_feature(enable = "avx2,f16c")]
fn narrow_bf16([even, odd]: [__m256i; 2]) -> __m256i {
    let [even, odd] = [round_to_bf16(even), round_to_bf16(odd)];
    _mm256_blend_epi16::<0b1010_1010>(_mm256_srli_epi32::<16>(even), odd)
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn round_to_bf16(bits: __m256i) -> __m256i {
    let is_odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
    _mm256_add_epi32(bits, _mm256_add_epi32(is_odd, _mm256_set1_epi32(0x7FFF)))
}

/// A register of 16-bit floats.
macro_rules! half {
    ($element:ty, $widen:ident, $narrow:ident) => {
        impl Vector<$element> for Avx2 {
            memory!($element);
            arithmetic_in_f32!("avx2,f16c", $widen, $narrow);

            #[inline]
            #[target_feature(enable = "avx2,f16c")]
            unsafe fn splat(value: $element) -> __m256i {
                _mm256_set1_epi16(value.to_bits().cast_signed())
            }

            #[inline]
            #[target_feature(enable = "avx2,f16c")]
            unsafe fn select(bits: u32, index: usize, kept: __m256i, dropped: __m256i) -> __m256i {
                let lanes =
                    _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, i16::MIN);
                let bits = _mm256_and_si256(_mm256_set1_epi16((bits >> (16 * index)) as i16), lanes);
                _mm256_blendv_epi8(dropped, kept, _mm256_cmpeq_epi16(bits, lanes))
            }
        }
    };
}
half!(f16, widen_f16, narrow_f16);
half!(bf16, widen_bf16, narrow_bf16);

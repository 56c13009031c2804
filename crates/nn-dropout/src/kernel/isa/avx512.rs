//! x86-64 with AVX-512F and AVX-512BW.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::{Blocks, Vector, arithmetic_in_f32};

pub struct Avx512;

impl Blocks for Avx512 {
    const BLOCKS: usize = 8;
    /// In the low halves of 64-bit lanes. The high halves hold anything: no operation but `low` looks at them, and what
    /// it returns is a product as it is.
    type Words = __m512i;
    type Products = __m512i;
    type Pairs = __m512i;
    type Lanes = [__m512i; 2];

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn splat(word: u32) -> __m512i {
        _mm512_set1_epi32(word.cast_signed())
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn ascending() -> __m512i {
        _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        _mm512_add_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn xor(a: __m512i, b: __m512i) -> __m512i {
        _mm512_xor_si512(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0x96>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn product(a: __m512i, b: __m512i) -> __m512i {
        _mm512_mul_epu32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn high(products: __m512i) -> __m512i {
        _mm512_shuffle_epi32::<{ _MM_PERM_DDBB }>(products)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn low(products: __m512i) -> __m512i {
        products
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn pairs(products: __m512i, a: __m512i, b: __m512i) -> __m512i {
        let swapped = _mm512_shuffle_epi32::<{ _MM_PERM_CDAB }>(products);
        // swapped ^ (a ^ b) & low; of a masked operation the compiler would make a slow permutation
        _mm512_ternarylogic_epi32::<0x78>(swapped, _mm512_xor_si512(a, b), _mm512_set1_epi64(0xFFFF_FFFF))
    }

    /// Two pairs to a 128-bit lane make a block in order; the even lanes of all registers make one register of blocks, the
    /// odd ones the other.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn lanes(first: __m512i, second: __m512i) -> [__m512i; 2] {
        [_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second)]
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn below(lanes: [__m512i; 2], threshold: u16) -> u64 {
        let threshold = _mm512_set1_epi16(threshold.cast_signed());
        let [low, high] = lanes;
        let (low, high) = (_mm512_cmplt_epu16_mask(low, threshold), _mm512_cmplt_epu16_mask(high, threshold));
        u64::from(low) | u64::from(high) << 32
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn equal(lanes: [__m512i; 2], threshold: u16) -> u64 {
        let threshold = _mm512_set1_epi16(threshold.cast_signed());
        let [low, high] = lanes;
        let (low, high) = (_mm512_cmpeq_epi16_mask(low, threshold), _mm512_cmpeq_epi16_mask(high, threshold));
        u64::from(low) | u64::from(high) << 32
    }

    /// The smallest difference is 0 if any lane is equal.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn any_equal<const N: usize>(lanes: &[[__m512i; 2]; N], threshold: u16) -> bool {
        let threshold = _mm512_set1_epi16(threshold.cast_signed());
        let mut least = _mm512_set1_epi16(-1);
        for lanes in lanes {
            least = _mm512_min_epu16(least, _mm512_sub_epi16(lanes[0], threshold));
            least = _mm512_min_epu16(least, _mm512_sub_epi16(lanes[1], threshold));
        }
        _mm512_testn_epi16_mask(least, least) != 0
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn prefetch(address: *const u8) {
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
}

/// All types are loaded and stored alike.
macro_rules! memory {
    ($element:ty) => {
        const COUNT: usize = size_of::<__m512i>() / size_of::<$element>();
        type Register = __m512i;

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn load(from: *const $element) -> __m512i {
            // SAFETY: `COUNT` elements can be read at `from`.
            unsafe { _mm512_loadu_si512(from.cast()) }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn store(to: *mut $element, register: __m512i) {
            // SAFETY: `COUNT` elements can be written at `to`.
            unsafe { _mm512_storeu_si512(to.cast(), register) }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn stream(to: *mut $element, register: __m512i) {
            // SAFETY: `COUNT` elements can be written at `to`, which is aligned to 64 bytes.
            unsafe { _mm512_stream_si512(to.cast(), register) }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        unsafe fn fence() {
            _mm_sfence();
        }
    };
}

impl Vector<f32> for Avx512 {
    memory!(f32);

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn splat(value: f32) -> __m512i {
        _mm512_castps_si512(_mm512_set1_ps(value))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn select(bits: u32, index: usize, kept: __m512i, dropped: __m512i) -> __m512i {
        _mm512_mask_mov_epi32(dropped, (bits >> (16 * index)) as u16, kept)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn mul(a: __m512i, b: __m512i) -> __m512i {
        _mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn div(a: __m512i, b: __m512i) -> __m512i {
        _mm512_castps_si512(_mm512_div_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)))
    }
}

impl Vector<f64> for Avx512 {
    memory!(f64);

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn splat(value: f64) -> __m512i {
        _mm512_castpd_si512(_mm512_set1_pd(value))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn select(bits: u32, index: usize, kept: __m512i, dropped: __m512i) -> __m512i {
        _mm512_mask_mov_epi64(dropped, (bits >> (8 * index)) as u8, kept)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn mul(a: __m512i, b: __m512i) -> __m512i {
        _mm512_castpd_si512(_mm512_mul_pd(_mm512_castsi512_pd(a), _mm512_castsi512_pd(b)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn div(a: __m512i, b: __m512i) -> __m512i {
        _mm512_castpd_si512(_mm512_div_pd(_mm512_castsi512_pd(a), _mm512_castsi512_pd(b)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        _mm512_castpd_si512(_mm512_add_pd(_mm512_castsi512_pd(a), _mm512_castsi512_pd(b)))
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn widen_f16(register: __m512i) -> [__m512i; 2] {
    let (low, high) = (_mm512_castsi512_si256(register), _mm512_extracti64x4_epi64::<1>(register));
    [_mm512_castps_si512(_mm512_cvtph_ps(low)), _mm512_castps_si512(_mm512_cvtph_ps(high))]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn narrow_f16([low, high]: [__m512i; 2]) -> __m512i {
    let low = _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm512_castsi512_ps(low));
    let high = _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm512_castsi512_ps(high));
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
}

/// The elements with even and with odd indices: bf16 is the upper half of an f32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn widen_bf16(register: __m512i) -> [__m512i; 2] {
    let upper = _mm512_set1_epi32(0xFFFF_0000_u32.cast_signed());
    [_mm512_slli_epi32::<16>(register), _mm512_and_si512(register, upper)]
}

/// Rounds half to even to what the upper half can hold. A NaN from bf16 has nothing in the lower half, and stays one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn narrow_bf16([even, odd]: [__m512i; 2]) -> __m512i {
    let [even, odd] = [round_to_bf16(even), round_to_bf16(odd)];
    _mm512_mask_mov_epi16(_mm512_srli_epi32::<16>(even), 0xAAAA_AAAA, odd)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn round_to_bf16(bits: __m512i) -> __m512i {
    let is_odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    _mm512_add_epi32(bits, _mm512_add_epi32(is_odd, _mm512_set1_epi32(0x7FFF)))
}

/// A register of 16-bit floats.
macro_rules! half {
    ($element:ty, $widen:ident, $narrow:ident) => {
        impl Vector<$element> for Avx512 {
            memory!($element);
            arithmetic_in_f32!("avx512f,avx512bw", $widen, $narrow);

            #[inline]
            #[target_feature(enable = "avx512f,avx512bw")]
            unsafe fn splat(value: $element) -> __m512i {
                _mm512_set1_epi16(value.to_bits().cast_signed())
            }

            #[inline]
            #[target_feature(enable = "avx512f,avx512bw")]
            unsafe fn select(bits: u32, _index: usize, kept: __m512i, dropped: __m512i) -> __m512i {
                _mm512_mask_mov_epi16(dropped, bits, kept)
            }
        }
    };
}
half!(f16, widen_f16, narrow_f16);
half!(bf16, widen_bf16, narrow_bf16);

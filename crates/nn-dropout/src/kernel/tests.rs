//! Every kernel that this CPU can run against the scalar specification.

use std::fmt::Debug;

use half::{bf16, f16};
use proptest::prelude::*;

use super::*;
use crate::spec::philox::PhiloxMask;
use crate::spec::probability::Probability;
use crate::spec::stored::StoredMask;
use crate::spec::threefry::JaxKey;

fn philox(p: f64) -> PhiloxMask {
    PhiloxMask { seed: 0x0123_4567_89AB_CDEF, layer: 3, step: 9, p: Probability::new(p).unwrap() }
}

fn mask(p: f64) -> Family {
    Family::Philox(philox(p))
}

fn jax(p: f64) -> Family {
    Family::Jax(JaxMask { key: JaxKey::from_data([3, u32::MAX]), p: Probability::new(p).unwrap() })
}

fn stored(count: usize) -> Family {
    let bits = (0..count.div_ceil(8)).map(|i| (i * i % 251) as u8).collect();
    Family::Stored(StoredMask::new(bits, count as u64, Probability::new(0.3).unwrap()))
}

/// The keep bits from `start` on, one element at a time.
fn kept(mask: &Family, start: u64, count: usize) -> Vec<bool> {
    (0..count as u64).map(|i| mask.keeps(start.wrapping_add(i))).collect()
}

fn check_bits(kernel: &Kernel, mask: &Family, start: u64, expected: &[bool]) {
    let mut bits = vec![0xAA; expected.len() / 8];
    kernel.fill_bits(mask, start, &mut bits);
    for (i, &expected) in expected[..8 * bits.len()].iter().enumerate() {
        assert_eq!(bits[i / 8] >> (i % 8) & 1 == 1, expected, "{}: {mask:?}, {i} from {start}", kernel.name);
    }
}

#[test]
fn bits_match_the_specification_at_every_start_and_length() {
    for kernel in KERNELS.iter() {
        for p in [0.3, 0.5] {
            let expected = kept(&mask(p), 0, 4000);
            for start in 0..70 {
                for bytes in (0..140).chain([191, 192, 193, 400]) {
                    check_bits(kernel, &mask(p), start as u64, &expected[start..][..8 * bytes]);
                }
            }
        }
    }
}

#[test]
fn bits_match_the_specification_at_the_limits() {
    // Where the upper half of the block's number changes, and where indices wrap around.
    for start in [(1 << 35) - 5000, (1 << 35) - 77, 1 << 35, (5 << 35) - 3, 0_u64.wrapping_sub(5000), u64::MAX - 99] {
        let expected = kept(&mask(0.3), start, 10_000);
        for kernel in KERNELS.iter() {
            check_bits(kernel, &mask(0.3), start, &expected);
        }
    }
    for p in [0.0, 1e-16, 2f64.powi(-16), 1.0 - 2f64.powi(-16), 1.0 - 2f64.powi(-48), 1.0] {
        let expected = kept(&mask(p), 13, 3000);
        for kernel in KERNELS.iter() {
            check_bits(kernel, &mask(p), 13, &expected);
        }
    }
}

/// Tie words decide about sixteen or so of a million elements. Here they are made to lie at every place of a chunk.
#[test]
fn ties_are_decided_as_specified() {
    for p in [0.1, 1.0 / 3.0, 0.5 + 2f64.powi(-17)] {
        let mask = mask(p);
        let (high, _) = philox(p).threshold();
        let ties: Vec<u64> = (0..1 << 20).filter(|&i| u32::from(philox(p).sixteen(i)) == high).collect();
        assert!(ties.len() > 4, "{ties:?}");
        for &tie in &ties {
            for before in (0..70).chain([255, 256, 257, 511, 700]) {
                let start = tie.saturating_sub(before);
                let expected = kept(&mask, start, 1024);
                for kernel in KERNELS.iter() {
                    check_bits(kernel, &mask, start, &expected);
                }
            }
        }
    }
}

static ENDLESS: LazyLock<Index> = LazyLock::new(Index::endless);

/// Kept elements times `kept`, the others times 0. Each has its own bit.
fn scale<T: Default>(mask: &Family, kept: T) -> Noise<'_, T> {
    Noise { mask, index: &ENDLESS, affine: Affine::Scale([kept, T::default()]) }
}

/// All that can be done with a draw, by `y = residual + (x + bias) * noise` in `T`, one element at a time.
struct Reference<T> {
    start: u64,
    x: Vec<T>,
    residual: Vec<T>,
    bias: Vec<T>,
    noise: Vec<T>,
}

impl<T: Element + PartialEq> Reference<T> {
    fn new(start: u64, count: usize, columns: usize, kept_scale: T) -> Self {
        let numbers = |step: usize| (0..count).map(|i| T::narrow(((i * step) % 509) as f64 / 37.0 - 6.5)).collect();
        let noise = kept(&mask(0.3), start, count).into_iter().map(|kept| if kept { kept_scale } else { T::default() });
        let (x, residual): (Vec<T>, Vec<T>) = (numbers(7), numbers(11));
        Self { start, bias: residual[..columns].to_vec(), noise: noise.collect(), x, residual }
    }

    /// Checks all forms for `count` elements from `first` on, in slices that start `offset` elements after an allocation.
    fn check(&self, kernel: &Kernel, first: usize, count: usize, offset: usize, stream: bool) {
        let part = first..first + count;
        let (x, residual, noise) = (&self.x[part.clone()], &self.residual[part.clone()], &self.noise[part]);
        let apply = |operands: Operands<T>| {
            let kept = self.noise.iter().copied().find(|&n| n != T::default()).unwrap();
            kernel.apply(&scale(&mask(0.3), kept), self.start + first as u64, operands, stream);
        };
        let compare = |form: &str, memory: &[T], expected: &dyn Fn(usize) -> T| {
            let y = &memory[offset..offset + count];
            let same = (0..count).all(|i| y[i] == expected(i));
            assert!(same, "{}: {form}, {count} from {first}, offset {offset}, streaming {stream}", kernel.name);
            let guard = [&memory[..offset], &memory[offset + count..]].concat();
            assert!(guard.iter().all(|&guard| guard == T::narrow(77.0)), "{}: written outside", kernel.name);
        };
        let memory = |content: &[T]| {
            let mut memory = vec![T::narrow(77.0); offset + count + 40];
            memory[offset..offset + count].copy_from_slice(content);
            memory
        };
        let slice = offset..offset + count;

        let mut y = memory(residual);
        apply(Operands::new(x, &mut y[slice.clone()]));
        compare("forward", &y, &|i| x[i] * noise[i]);
        let mut y = memory(x);
        apply(Operands::inplace(&mut y[slice.clone()]));
        compare("in place", &y, &|i| x[i] * noise[i]);
        let mut y = memory(x);
        apply(Operands::new(x, &mut y[slice.clone()]).with_residual(residual));
        compare("residual", &y, &|i| residual[i] + x[i] * noise[i]);
        let mut y = memory(residual);
        apply(Operands::new(x, &mut y[slice.clone()]).accumulate());
        compare("accumulated", &y, &|i| residual[i] + x[i] * noise[i]);
        let columns = self.bias.len();
        if count.is_multiple_of(columns) {
            let biased = |i: usize| residual[i] + (x[i] + self.bias[i % columns]) * noise[i];
            let mut y = memory(x);
            apply(Operands::new(x, &mut y[slice.clone()]).with_residual(residual).with_bias(&self.bias));
            compare("bias and residual", &y, &biased);
            let mut y = memory(x);
            apply(Operands::new(x, &mut y[slice.clone()]).with_bias(&self.bias));
            compare("bias", &y, &|i| (x[i] + self.bias[i % columns]) * noise[i]);
            let mut y = memory(residual);
            apply(Operands::new(x, &mut y[slice]).accumulate().with_bias(&self.bias));
            compare("bias, accumulated", &y, &biased);
        }
    }
}

/// Every length to a few chunks, every start modulo a block, every place in a line.
fn check_type<T: Element + PartialEq>(kept_scale: T) {
    for kernel in KERNELS.iter() {
        let reference = Reference::new(1000, 4000, 1, kept_scale);
        for count in 0..1300 {
            let stream = count % 3 == 0;
            reference.check(kernel, count % 8, count, count % 31, stream);
        }
        for first in 0..8 {
            for offset in 0..64 {
                for count in [63, 520, 1100 + offset] {
                    reference.check(kernel, first, count, offset, true);
                    reference.check(kernel, first, count, offset, false);
                }
            }
        }
        for columns in [2, 7, 64, 100, 256, 300, 1030] {
            let reference = Reference::new(5, 4200, columns, kept_scale);
            for rows in 0..4 {
                reference.check(kernel, 3, rows * columns, rows, rows == 2);
            }
        }
        // The upper half of the block's number changes on the way.
        let reference = Reference::new((1 << 35) - 1500, 3000, 1, kept_scale);
        reference.check(kernel, 2, 2900, 1, false);
        reference.check(kernel, 3, 2900, 5, true);
    }
}

#[test]
fn values_match_the_specification_for_f32() {
    check_type(1.25f32);
}

#[test]
fn values_match_the_specification_for_f64() {
    check_type(1.0 / 0.7f64);
}

#[test]
fn values_match_the_specification_for_f16() {
    check_type(f16::from_f32(1.0 / 0.7));
}

#[test]
fn values_match_the_specification_for_bf16() {
    check_type(bf16::from_f32(1.0 / 0.7));
}

/// The mask of PyTorch's generator, one word at a time.
fn in_sequence(sequence: &mut Mt19937, p: f64, count: usize) -> Vec<bool> {
    let mut next = || {
        let number = u64::from(sequence.next_word()) << 32 | u64::from(sequence.next_word());
        (number % (1 << 53)) as f64 * 2f64.powi(-53) < 1.0 - p
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn sequences_are_read_as_word_by_word() {
    for kernel in KERNELS.iter() {
        for p in [0.3, 1e-17, 0.5, 1.0 - 2f64.powi(-53)] {
            let threshold = ((1.0 - p) * 2f64.powi(53)).ceil() as u64;
            let (mut fast, mut plain) = (Mt19937::new(42), Mt19937::new(42));
            for count in (0..140_usize).chain([311, 312, 313, 623, 624, 625, 1535, 1536, 1537, 5000]) {
                // A state that is handed over may have read an odd number of words.
                if count % 3 == 0 {
                    assert_eq!(fast.next_word(), plain.next_word());
                }
                let mut bits = vec![0; count.div_ceil(8)];
                kernel.fill_bits_in_sequence(&mut fast, threshold, count, &mut bits);
                let expected = in_sequence(&mut plain, p, count);
                for (i, &expected) in expected.iter().enumerate() {
                    assert_eq!(bits[i / 8] >> (i % 8) & 1 == 1, expected, "{}: {i} of {count}, p = {p}", kernel.name);
                }
                assert_eq!(fast, plain);
            }
        }
    }
}

#[test]
fn jax_and_stored_bits_match_the_specification() {
    for mask in [jax(0.3), jax(0.0), jax(1e-10), jax(1.0), stored(4000), stored(1001), stored(0)] {
        let expected = kept(&mask, 0, 5000);
        for kernel in KERNELS.iter() {
            for start in 0..70 {
                for bytes in (0..140).step_by(3).chain([191, 192, 193, 400]) {
                    check_bits(kernel, &mask, start as u64, &expected[start..][..8 * bytes]);
                }
            }
        }
    }
    for (mask, start) in [(jax(0.3), (1 << 32) - 300), (jax(0.3), u64::MAX - 99), (stored(500), 1 << 32)] {
        let expected = kept(&mask, start, 1000);
        for kernel in KERNELS.iter() {
            check_bits(kernel, &mask, start, &expected);
        }
    }
}

/// Applies `affine` one element at a time.
fn one_by_one<T: Element>(affine: Affine<T>, mask: &Family, bit: u64, x: T) -> T {
    let number = |distribution: Distribution, base: f64, amount| {
        let mut number = [T::default()];
        T::amounts(base, amount, &[distribution.number(mask.word(bit).unwrap())], &mut number);
        number[0]
    };
    match (affine, mask.keeps(bit)) {
        (Affine::Scale([scale, _]), true) | (Affine::Scale([_, scale]), false) => x * scale,
        (Affine::ScaleAndShift([scale, _], [shift, _]), true)
        | (Affine::ScaleAndShift([_, scale], [_, shift]), false) => x * scale + shift,
        (Affine::Divide(divisor), true) => x / divisor,
        (Affine::Divide(_), false) => T::default(),
        (Affine::MultiplyBy(distribution, amount), _) => x * number(distribution, 1.0, amount),
        (Affine::Add(distribution, amount), _) => x + number(distribution, 0.0, amount),
    }
}

/// All families and numbers, for elements from `first` on, against the specification.
fn check_index<T: Element + PartialEq>(index: &Index, parts: &[(usize, usize)]) {
    let number = |i: usize| T::narrow((i * 7 % 509) as f64 / 37.0 - 6.5);
    let longest = parts.iter().map(|(_, count)| *count).max().unwrap_or_default();
    let (x, residual): (Vec<T>, Vec<T>) = (0..longest).map(|i| (number(i), number(i + 5))).unzip();
    let [scale, shift, other] = [1.0 / 0.7, 0.3, -0.8].map(T::narrow);
    let affines = [
        Affine::Scale([scale, T::default()]),
        Affine::Scale([scale, other]),
        Affine::ScaleAndShift([scale, T::default()], [shift, other]),
        Affine::ScaleAndShift([scale, other], [shift, other]),
        Affine::Divide(T::narrow(0.7)),
        Affine::MultiplyBy(Distribution::Normal, 0.3),
        Affine::Add(Distribution::Normal, 0.7),
        Affine::Add(Distribution::Uniform, 0.7),
    ];
    for mask in [mask(0.3), jax(0.3), stored(8000)] {
        for &(first, count) in parts {
            for affine in affines {
                if matches!(affine, Affine::MultiplyBy(..) | Affine::Add(..)) && !mask.has_words() {
                    continue;
                }
                let bit = |i: usize| index.bit((first + i) as u64);
                let expected: Vec<T> = (0..count).map(|i| one_by_one(affine, &mask, bit(i), x[i])).collect();
                let noise = &Noise { mask: &mask, index, affine };
                for kernel in KERNELS.iter() {
                    for stream in [false, true] {
                        let mut y = vec![T::default(); count];
                        kernel.apply(noise, first as u64, Operands::new(&x[..count], &mut y), stream);
                        let same = y == expected;
                        assert!(same, "{}: {count} from {first}, {index:?}, {mask:?}, {affine:?}", kernel.name);
                        let mut y = residual[..count].to_vec();
                        let operands = Operands::new(&x[..count], &mut y).accumulate();
                        kernel.apply(noise, first as u64, operands, stream);
                        let same = (0..count).all(|i| y[i] == residual[i] + expected[i]);
                        assert!(same, "{}: residual, {count} from {first}, {index:?}", kernel.name);
                    }
                }
            }
        }
    }
}

/// Bits shared by neighbours, of any number.
fn check_effects<T: Element + PartialEq>() {
    let parts = [(0, 0), (0, 1), (1, 31), (5, 64), (13, 1023), (1020, 1024), (8, 1025), (2999, 3000)];
    for share in [1, 2, 3, 7, 31, 32, 33, 56, 57, 64, 65, 100, 1024, 4999] {
        check_index::<T>(&Index::new(0, [(6000, 1), (share, 0)]), &parts);
    }
}

/// Rows that repeat, columns of a larger tensor, several shared axes, orders of memory, backwards, and around 2^64.
#[test]
fn elements_get_the_bits_of_the_index() {
    let parts = [(0, 1), (1, 31), (0, 900), (13, 887), (250, 600)];
    for size in [1_u64, 2, 3, 5, 8, 31, 32, 33, 63, 64, 65, 100] {
        for outer in [(300, 0), (300, size), (300, 777), (300, size.wrapping_neg())] {
            for inner in [(size, 1), (size, 0), (size, 2), (size, 300), (size, u64::MAX)] {
                check_index::<f32>(&Index::new(1000, [(3, 4096), outer, inner]), &parts);
            }
        }
    }
    // Axes without an end.
    for axes in [[(u64::MAX, 0), (3, 1)], [(u64::MAX, 1), (3, 0)], [(3, 1), (u64::MAX, 0)], [(u64::MAX, 5), (3, 2)]] {
        check_index::<f32>(&Index::new(1000, axes), &parts);
    }
    let long = [(0, 1), (1500, 3000), (1023, 4097), (7, 9000)];
    for axes in [[(4, 5000), (2500, 1)], [(4, 0), (2500, 1)], [(4, 2500), (2500, 0)], [(100, 3), (100, 1)]] {
        for start in [0, 3, (1 << 35) - 700, u64::MAX - 600] {
            check_index::<f32>(&Index::new(start, axes), &long);
        }
    }
}

proptest! {
    #[test]
    fn elements_get_the_bits_of_any_index(
        start in prop_oneof![0..5000_u64, Just((1 << 35) - 50), any::<u64>()],
        axes in prop::collection::vec((1..70_u64, prop_oneof![Just(0), Just(1), 0..300_u64, any::<u64>()]), 0..5),
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let index = Index::new(start, axes);
        let count = index.count().min(20_000) as usize;
        let first = cut.0.index(count);
        check_index::<f32>(&index, &[(first, cut.1.index(count - first + 1).min(3000))]);
    }
}

#[test]
fn effects_are_as_one_by_one() {
    check_effects::<f32>();
    check_effects::<f64>();
    check_effects::<f16>();
    check_effects::<bf16>();
}

/// Products, sums, quotients and conversions of every f16 and bf16 there is, infinities, NaNs and subnormals included.
fn check_roundings<T: Element + PartialEq + Debug>(
    from_bits: impl Fn(u16) -> T,
    to_bits: impl Fn(T) -> u16,
    is_nan: impl Fn(T) -> bool,
) {
    let all: Vec<T> = (0..=u16::MAX).map(from_bits).collect();
    for kernel in KERNELS.iter() {
        for kept in [T::narrow(1.0 / 0.7), T::narrow(3e4), T::narrow(1.0)] {
            for shift in [1, 12_345] {
                let residual: Vec<T> = all.iter().copied().cycle().skip(shift).take(all.len()).collect();
                let mut y = all.clone();
                let operands = Operands::new(&all, &mut y).with_residual(&residual);
                kernel.apply(&scale(&mask(0.3), kept), 0, operands, false);
                for (i, &y) in y.iter().enumerate() {
                    let noise = if mask(0.3).keeps(i as u64) { kept } else { T::default() };
                    let expected = residual[i] + all[i] * noise;
                    let same = to_bits(y) == to_bits(expected) || is_nan(y) && is_nan(expected);
                    assert!(same, "{}: {:?} + {:?} * {noise:?} = {y:?}", kernel.name, residual[i], all[i]);
                }
                let (all_kept, mut y) = (mask(0.0), all.clone());
                let divide = Noise { affine: Affine::Divide(kept), ..scale(&all_kept, kept) };
                kernel.apply(&divide, 0, Operands::inplace(&mut y), false);
                for (&x, &y) in all.iter().zip(&y) {
                    let same = to_bits(y) == to_bits(x / kept) || is_nan(y) && is_nan(x / kept);
                    assert!(same, "{}: {x:?} / {kept:?} = {y:?}", kernel.name);
                }
            }
        }
    }
}

#[test]
fn halves_are_rounded_as_one_by_one() {
    check_roundings(f16::from_bits, f16::to_bits, f16::is_nan);
    check_roundings(bf16::from_bits, bf16::to_bits, bf16::is_nan);
}

#[test]
fn infinities_nans_and_signs_propagate_as_in_a_product() {
    let x = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -1.0, -0.0, f32::MIN_POSITIVE / 8.0, f32::MAX].repeat(100);
    for kernel in KERNELS.iter() {
        let mut y = vec![0.0; x.len()];
        kernel.apply(&scale(&mask(0.3), 1.25), 0, Operands::new(&x, &mut y), false);
        for (i, (&x, &y)) in x.iter().zip(&y).enumerate() {
            let expected = x * if mask(0.3).keeps(i as u64) { 1.25 } else { 0.0 };
            assert!(y.to_bits() == expected.to_bits() || y.is_nan() && expected.is_nan(), "{}: {y}", kernel.name);
        }
    }
}

/// Few elements of every type, in all forms and with all families and indices: what Miri has time for.
#[test]
fn small_calls_match_the_specification() {
    fn check<T: Element + PartialEq>(kept: T) {
        for kernel in KERNELS.iter() {
            let reference = Reference::new(3, 100, 7, kept);
            reference.check(kernel, 1, 70, 3, true);
            reference.check(kernel, 0, 0, 0, false);
        }
        for index in
            [Index::endless(), Index::new(5, [(9, 3), (2, 0), (3, 1)]), Index::new(9, [(20, u64::MAX), (3, 0)])]
        {
            check_index::<T>(&index, &[(1, 45)]);
        }
    }
    check(1.25f32);
    check(1.25f64);
    check(f16::from_f32(1.25));
    check(bf16::from_f32(1.25));
}

#[cfg(feature = "rayon")]
#[test]
fn results_do_not_depend_on_the_threads() {
    let count = 1_234_567;
    let x: Vec<f32> = (0..count).map(|i| i as f32).collect();
    let mask = mask(0.3);
    let noise = &scale(&mask, 1.25);
    let mut expected = vec![0.0; count];
    KERNEL.apply(noise, 5, Operands::new(&x, &mut expected), false);
    for threads in [1, 2, 3, 7] {
        for stream in [false, true] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut y = vec![0.0; count];
            let operands = Operands::new(&x, &mut y);
            pool.install(|| threads::share_out(operands, 5, &|part, first| KERNEL.apply(noise, first, part, stream)));
            assert!(y == expected, "{threads} threads, streaming {stream}");
        }
    }
}

#[test]
fn the_widest_kernel_is_used_unless_one_is_named() {
    let expected = env::var(VARIABLE).unwrap_or_else(|_| KERNELS[0].name.to_owned());
    assert_eq!(kernel_name(), expected);
    assert_eq!(KERNELS.last().unwrap().name, "portable");
}

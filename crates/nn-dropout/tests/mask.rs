//! The mask: its promise (fixtures), and what must hold for any of them (properties).

use nn_dropout::{Mask, Probability};
use proptest::prelude::*;

fn mask(seed: u64, layer: u32, step: u32, p: f64) -> Mask {
    Mask::philox(seed, layer, step, Probability::new(p).unwrap())
}

fn any_mask() -> impl Strategy<Value = Mask> {
    let p = prop_oneof![0.0..=1.0, Just(0.5), Just(0.0), Just(1.0)];
    (any::<u64>(), any::<u32>(), any::<u32>(), p).prop_map(|(s, l, t, p)| mask(s, l, t, p))
}

fn is_set(bits: &[u8], i: usize) -> bool {
    bits[i / 8] >> (i % 8) & 1 == 1
}

fn kept(bits: &[u8]) -> u64 {
    bits.iter().map(|byte| u64::from(byte.count_ones())).sum()
}

/// `tests/fixtures/masks.csv` comes from the NumPy reference beside it.
#[test]
fn equals_the_numpy_reference() {
    let rows = include_str!("fixtures/masks.csv").lines().skip(1);
    let mut checked = 0;
    for row in rows {
        let [seed, layer, step, p, start, expected] = row.split(',').collect::<Vec<_>>().try_into().unwrap();
        let mask = mask(seed.parse().unwrap(), layer.parse().unwrap(), step.parse().unwrap(), p.parse().unwrap());
        let start: u64 = start.parse().unwrap();
        let count = 150;
        let mut bits = vec![0; expected.len() / 2];
        mask.fill_bits(start, &mut bits);
        *bits.last_mut().unwrap() &= (1 << (count % 8)) - 1;
        let expected: Vec<u8> =
            (0..expected.len()).step_by(2).map(|i| u8::from_str_radix(&expected[i..i + 2], 16).unwrap()).collect();
        assert_eq!(bits, expected, "{mask} from {start}");
        for i in 0..count {
            let index = start.wrapping_add(i);
            assert_eq!(mask.keeps(index), is_set(&bits, i as usize), "{mask} at {index}");
        }
        checked += 1;
    }
    assert!(checked > 100, "only {checked} rows");
}

/// Among the fixtures are elements that their sixteen bits alone do not decide.
#[test]
fn ties_are_decided_by_the_tie_words() {
    let (p, count) = (0.5 + 2f64.powi(-18), 1 << 22);
    let high = mask(3, 6, 7, 0.5); // same sixteen bits, threshold 2^15 without a remainder
    let differing = (0..count).filter(|&i| mask(3, 6, 7, p).keeps(i) != high.keeps(i)).count();
    // T >> 32 is one less than at p = 0.5; a quarter of that lane's elements are dropped by their tie word.
    assert!((1..=60).contains(&differing), "{differing}");
}

#[test]
fn is_a_small_value() {
    let value = mask(42, 7, 9, 0.25);
    assert_ne!(value, mask(42, 7, 10, 0.25));
    assert_eq!(value.to_string(), "Mask(seed=42, layer=7, step=9, p=0.25)");
    assert!(size_of::<Mask>() <= 40);

    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(json, r#"{"philox":{"seed":42,"layer":7,"step":9,"p":0.25}}"#);
    assert_eq!(serde_json::from_str::<Mask>(&json).unwrap(), value);
    let error = serde_json::from_str::<Mask>(&json.replace("0.25", "1.5")).unwrap_err();
    assert!(error.to_string().contains("between 0 and 1, but got 1.5"));
}

#[test]
fn keeps_all_at_zero_and_none_at_one() {
    assert!(mask(1, 2, 3, 0.0).bits(0..80_000).iter().all(|&b| b == 0xFF));
    assert!(mask(1, 2, 3, 1.0).bits(0..80_000).iter().all(|&b| b == 0));
}

#[test]
fn an_empty_range_has_no_bits() {
    assert!(mask(1, 2, 3, 0.5).bits(5..5).is_empty());
    let backwards = std::ops::Range { start: 5, end: 4 };
    assert!(mask(1, 2, 3, 0.5).bits(backwards).is_empty());
}

proptest! {
    #[test]
    fn any_part_equals_that_part_of_the_whole(
        mask in any_mask(),
        base in prop_oneof![Just(0), any::<u64>()],
        start in 0..2000u64,
        count in 0..1000u64,
    ) {
        let base = base.min(u64::MAX - 3000);
        let whole = mask.bits(base..base + 3000);
        let part = mask.bits(base + start..base + start + count);
        prop_assert_eq!(part.len() as u64, count.div_ceil(8));
        for i in 0..part.len() * 8 {
            let expected = (i as u64) < count && is_set(&whole, start as usize + i);
            prop_assert_eq!(is_set(&part, i), expected, "element {}", i);
        }
    }

    #[test]
    fn the_kept_share_is_within_five_deviations(mask in any_mask(), start in any::<u32>()) {
        let n = 40_000;
        let start = u64::from(start);
        let p = mask.p().get();
        let share = kept(&mask.bits(start..start + n)) as f64 / n as f64;
        let deviation = (p * (1.0 - p) / n as f64).sqrt();
        prop_assert!((share - (1.0 - p)).abs() <= 5.0 * deviation, "share {} at p = {}", share, p);
    }

    /// Two masks that differ in one number only agree as often as independent ones do.
    #[test]
    fn seeds_layers_and_steps_are_uncorrelated(
        (seed, layer, step) in any::<(u64, u32, u32)>(),
        p in 0.05..0.95,
        bit in 0..32u32,
    ) {
        let n = 40_000;
        let bits = mask(seed, layer, step, p).bits(0..n);
        for other in [
            mask(seed ^ 1 << bit, layer, step, p),
            mask(seed ^ 1 << 32 << bit, layer, step, p),
            mask(seed, layer ^ 1 << bit, step, p),
            mask(seed, layer, step ^ 1 << bit, p),
        ] {
            let other_bits = other.bits(0..n);
            let both: u64 = bits.iter().zip(&other_bits).map(|(a, b)| u64::from((a & b).count_ones())).sum();
            let expected = (1.0 - p) * (1.0 - p);
            let deviation = (expected * (1.0 - expected) / n as f64).sqrt();
            let share = both as f64 / n as f64;
            prop_assert!((share - expected).abs() <= 5.5 * deviation, "{} and {}", mask(seed, layer, step, p), other);
        }
    }
}

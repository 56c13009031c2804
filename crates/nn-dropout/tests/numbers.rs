//! Normal and uniform numbers: to the bit as the reference says, distributed as they should be, and the same from anywhere.

use nn_dropout::{
    ApplyError, Distribution, Draw, Effect, Generator, Index, JaxKey, Layer, Magnitude, Mask, Probability,
};
use proptest::prelude::*;

fn mask(seed: u64) -> Mask {
    Mask::philox(seed, 1, 2, Probability::new(0.2).unwrap())
}

fn noise(effect: Effect) -> Draw {
    Draw::new(mask(42), Index::endless(), effect)
}

fn one() -> Magnitude {
    Magnitude::new(1.0).unwrap()
}

/// `fixtures/make_numbers.py` has the columns.
#[test]
fn words_become_the_numbers_of_the_reference() {
    let table = include_str!("fixtures/numbers.csv");
    let mut farthest = 0f64;
    for line in table.lines() {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let [word, in_units, quantile, odd] = cells[..] else { panic!("{line}") };
        let normal = f64::from(Distribution::Normal.number(word as u32));
        assert_eq!(normal * 2f64.powi(21), in_units, "{line}");
        assert_eq!(f64::from(Distribution::Uniform.number(word as u32)) * 2f64.powi(24), odd, "{line}");
        farthest = farthest.max((normal - quantile).abs());
    }
    assert!(table.lines().count() > 1000 && farthest < 6e-7, "{farthest}");
    // The last thousand are those of this mask.
    let words = table.lines().skip(table.lines().count() - 1000).map(|line| line.split_once(',').unwrap().0);
    for (i, word) in (0..).zip(words) {
        assert_eq!(mask(42).word(i).unwrap().to_string(), word);
    }
}

/// The two halves of the distribution mirror each other, and every piece of the table is looked at.
#[test]
fn numbers_are_symmetric_and_go_down_to_the_middle() {
    let number = |word: u32| Distribution::Normal.number(word);
    let mut before = f32::MAX;
    for octave in 0..31 {
        for step in 0..64 {
            let word = (1_u32 << octave) + ((1_u64 << octave) * step / 64) as u32;
            assert_eq!(number(word | 1 << 31), -number(word));
            assert_eq!(
                Distribution::Uniform.number(word),
                -Distribution::Uniform.number(!word),
                "the uniform numbers of a word and its complement"
            );
            assert!(number(word) <= before, "{word}");
            before = number(word);
        }
    }
    assert_eq!(number(u32::MAX >> 1), 0.0);
    assert!(number(0) > 6.3 && number(0) < 6.34);
}

#[test]
fn moments_are_those_of_the_distributions() {
    let count = 1 << 20;
    let moments = |effect| {
        let numbers = noise(effect).forward_to_vec(&vec![0f64; count]).unwrap();
        [1, 2, 3, 4].map(|n| numbers.iter().map(|x| x.powi(n)).sum::<f64>() / count as f64)
    };
    let errors = (count as f64).sqrt().recip();
    // Five standard errors of each: its variance is that of a power of the number.
    let check = |got: [f64; 4], expected: [f64; 4], variances: [f64; 4]| {
        for i in 0..4 {
            assert!((got[i] - expected[i]).abs() < 5.0 * errors * variances[i].sqrt(), "{got:?}");
        }
    };
    check(moments(Effect::GaussianNoise(one())), [0.0, 1.0, 0.0, 3.0], [1.0, 2.0, 15.0, 96.0]);
    let third = 1.0 / 3.0;
    check(moments(Effect::UniformNoise(one())), [0.0, third, 0.0, 0.2], [third, 4.0 / 45.0, 1.0 / 7.0, 16.0 / 225.0]);
    let gaussian = noise(Effect::GaussianDropout).forward_to_vec(&vec![1f64; count]).unwrap();
    let mean = gaussian.iter().sum::<f64>() / count as f64;
    let variance = gaussian.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
    assert!(
        (mean - 1.0).abs() < 5.0 * errors * 0.5 && (variance - 0.25).abs() < 5.0 * errors * 0.36,
        "{mean} {variance}"
    );
}

/// Neither neighbours, nor the mask's bits, nor other calls have anything to do with each other.
#[test]
fn numbers_are_not_correlated() {
    let count = 1 << 18;
    let numbers = |mask: &Mask| -> Vec<f64> { (0..=count).map(|i| mask.normal(i).unwrap().into()).collect() };
    let (these, others) = (numbers(&mask(42)), numbers(&Mask::philox(42, 1, 3, mask(42).p())));
    let kept: Vec<f64> = (0..=count).map(|i| f64::from(u8::from(mask(42).keeps(i))) - 0.8).collect();
    let correlation = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / count as f64;
    let limit = 5.0 / (count as f64).sqrt();
    assert!(correlation(&these[1..], &these).abs() < limit);
    assert!(correlation(&these, &others).abs() < limit);
    assert!(correlation(&these, &kept).abs() < limit);
}

#[test]
fn masks_of_other_generators_have_no_numbers() {
    let p = Probability::new(0.5).unwrap();
    for mask in [Mask::jax(JaxKey::new(1), p), Mask::from_bits(vec![0xFF; 8], 64, p)] {
        assert_eq!((mask.word(0), mask.normal(0), mask.uniform(0)), (None, None, None));
        let draw = Draw::new(mask, Index::of(&[8]), Effect::GaussianNoise(one()));
        let error = draw.forward_inplace(&mut [1f32; 8]).unwrap_err();
        assert_eq!(error, ApplyError::Numbers);
        assert!(error.to_string().starts_with("normal and uniform numbers are drawn by a Philox generator"));
        assert!(draw.forward_to_vec(&[1f32; 8]).is_err());
        // Its gradient is the identity, which needs none.
        draw.backward_inplace(&mut [1f32; 8]).unwrap();
    }
    for generator in [Generator::torch(1), Generator::jax(1)] {
        for name in ["gaussian-dropout", "gaussian-noise", "neftune-noise"] {
            let layer = Layer::with_generator(name.parse().unwrap(), 0.5, &generator).unwrap();
            let before = generator.state();
            let error = layer.draw(&[2, 3]).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("{name} draws from a Philox generator, not from one of PyTorch's or JAX's masks")
            );
            assert_eq!(generator.state(), before);
        }
    }
}

proptest! {
    /// By any index, the kernels give what the specification says of each element alone.
    #[test]
    fn elements_get_the_numbers_of_their_index(
        seed: u64,
        start in prop_oneof![0..5000_u64, any::<u64>()],
        axes in prop::collection::vec((1..40_u64, prop_oneof![Just(0), Just(1), 0..300_u64, any::<u64>()]), 0..4),
    ) {
        let index = Index::new(start, axes);
        let x: Vec<f32> = (0..index.count().min(5000)).map(|i| i as f32 / 16.0 - 20.0).collect();
        for effect in [Effect::GaussianDropout, Effect::GaussianNoise(one()), Effect::UniformNoise(one())] {
            let draw = Draw::new(mask(seed), index.clone(), effect);
            let y = draw.forward_to_vec(&x).unwrap();
            for (i, (x, y)) in (0..).zip(x.iter().zip(&y)) {
                let [scale, shift] = draw.scale_and_shift::<f32>(i);
                prop_assert_eq!(*y, x * scale + shift);
                let number = match effect {
                    Effect::UniformNoise(_) => draw.mask().uniform(draw.index().bit(i)).unwrap(),
                    _ => draw.mask().normal(draw.index().bit(i)).unwrap(),
                };
                let expected = if effect == Effect::GaussianDropout { x * (1.0 + 0.5 * number) } else { x + number };
                prop_assert_eq!(*y, expected);
            }
        }
    }
}

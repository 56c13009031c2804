//! Compares this platform's kernel with the scalar specification of the mask: every element type and form, at many lengths
//! and starts. Prints one line if all is well and panics otherwise, so that it runs where there is no test harness.

use std::fmt::Debug;

use nn_dropout::{Draw, Dropout, Effect, Element, Generator, Index, JaxKey, Magnitude, Mask, Probability, bf16, f16};

fn main() {
    for p in [0.1, 0.5, 0.9] {
        let mask = Mask::philox(42, 1, 2, Probability::new(p).expect("between 0 and 1"));
        bits(&mask);
        let single = 1.0 / (1.0 - p) as f32;
        values(&mask, 1.0 / (1.0 - p), f64::from);
        values(&mask, single, |x| x);
        values(&mask, f16::from_f32(single), f16::from_f32);
        values(&mask, bf16::from_f32(single), bf16::from_f32);
    }
    bits(&Mask::jax(JaxKey::new(42), Probability::new(0.3).expect("between 0 and 1")));
    sequence();
    numbers();
    println!("{}: all bits and values are as specified", nn_dropout::kernel_name());
}

fn bits(mask: &Mask) {
    for start in (0..70).chain([(1 << 35) - 99, u64::MAX - 99]) {
        let mut bits = [0; 400];
        mask.fill_bits(start, &mut bits);
        for i in 0..8 * bits.len() {
            let kept = mask.keeps(start.wrapping_add(i as u64));
            assert_eq!(bits[i / 8] >> (i % 8) & 1 == 1, kept, "{mask}: {i} from {start}");
        }
    }
}

/// PyTorch's masks: a long one is several short ones one after the other, and starts as PyTorch's own does.
fn sequence() {
    let dropout = |seed| Dropout::with_generator(0.5, &Generator::torch(seed)).expect("between 0 and 1");
    let (whole, parts) = (dropout(123), dropout(123));
    let whole = whole.forward(vec![1f32; 3000]);
    let parts: Vec<f32> = (0..24).flat_map(|_| parts.forward([1f32; 125])).collect();
    assert_eq!(whole, parts);
    assert_eq!(whole[..12], [2.0, 2.0, 0.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 2.0]);
}

/// Numbers from anywhere, as the specification makes them one by one.
fn numbers() {
    let one = Magnitude::new(1.0).expect("a finite number");
    for (start, effect) in [0, 3, (1 << 34) - 9, u64::MAX - 99]
        .into_iter()
        .flat_map(|start| [Effect::GaussianNoise(one), Effect::UniformNoise(one)].map(|effect| (start, effect)))
    {
        let mask = Mask::philox(42, 1, 2, Probability::ZERO);
        let draw = Draw::new(mask, Index::new(start, [(1200, 1)]), effect);
        let numbers = draw.forward_to_vec(&[0f32; 1200]).expect("as many as it has");
        assert!((0..).zip(&numbers).all(|(i, &number)| number == draw.scale_and_shift::<f32>(i)[1]), "from {start}");
    }
}

fn values<T: Element + PartialEq + Debug>(mask: &Mask, kept: T, convert: impl Fn(f32) -> T) {
    let numbers = |step: u32| -> Vec<T> { (0..1200).map(|i| convert((i * step % 509) as f32 / 37.0 - 6.5)).collect() };
    let (x, residual, bias) = (numbers(7), numbers(11), &numbers(13)[..150]);
    for start in [0, 3, 8, 13] {
        let draw = Draw::dropout(mask.clone()).with_index(Index::new(start, [(1200, 1)]));
        let noise = |i: usize| if mask.keeps(start + i as u64) { kept } else { T::default() };
        for count in (0..140).chain([1023, 1050, 1200]) {
            let mut y = vec![T::default(); count];
            let (x, residual) = (&x[..count], &residual[..count]);
            draw.forward(x, &mut y).expect("of the same length");
            assert!((0..count).all(|i| y[i] == x[i] * noise(i)), "{count} from {start}");
            draw.on(x).add(residual, &mut y).expect("of the same length");
            assert!((0..count).all(|i| y[i] == residual[i] + x[i] * noise(i)), "{count} from {start}, residual");
            if count.is_multiple_of(bias.len()) {
                draw.on(x).bias(bias).add(residual, &mut y).expect("whole rows");
                let expected = |i: usize| residual[i] + (x[i] + bias[i % bias.len()]) * noise(i);
                assert!((0..count).all(|i| y[i] == expected(i)), "{count} from {start}, bias");
            }
        }
    }
}

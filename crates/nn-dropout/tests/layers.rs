//! Every kind of layer: parts, modes, gradients, settings and errors.

use std::fmt::Debug;

use nn_dropout::{
    Config, Draw, DropBlock2d, DropPath, Effect, GaussianDropout, Generator, GeneratorState, Kind, LabelDropout, Layer,
    Magnitude, Mask, Mode, MonteCarlo, PathMode, Probability, Schedule, TokenDropout, Zoneout,
};
use proptest::prelude::*;

/// A shape that a kind takes, made of these sizes.
fn shape(kind: Kind, sizes: [usize; 5]) -> Vec<usize> {
    let dimensions = match kind {
        Kind::DropBlock3d | Kind::Dropout3d => 5,
        Kind::DropBlock2d | Kind::Dropout2d | Kind::FeatureAlphaDropout => 4,
        Kind::Dropout1d | Kind::TokenDropout | Kind::NeftuneNoise => 3,
        Kind::EmbeddingDropout => 2,
        Kind::NodeDropout | Kind::EdgeDropout => 1,
        _ => 1 + sizes[4] % 4,
    };
    sizes[..dimensions].to_vec()
}

/// Configurations of a kind, with all that it takes.
fn configs(kind: Kind, amount: f64, axis: usize, size: usize) -> Vec<Config> {
    let plain = Config::new(kind, amount).unwrap();
    let options = [
        plain.clone().with_shared_axes([axis]),
        plain.clone().with_channels_last(true),
        plain.clone().with_mode(PathMode::Batch),
        plain.clone().with_scale_by_keep(false),
        plain.clone().with_block_size(size),
        plain.clone().with_block_size(size).and_then(|config| config.with_clipping(true)),
        plain.clone().with_coupled_channels(true).and_then(|config| config.with_channels_last(true)),
    ];
    options.into_iter().flatten().chain([plain]).collect()
}

fn layer(config: &Config, seed: u64, mode: Mode) -> Layer {
    let mut layer = Layer::from_config(config.clone(), &Generator::philox(seed));
    layer.set_mode(mode);
    layer
}

/// The elements of a block of a tensor.
fn block_of<T: Copy>(tensor: &[T], whole: &[usize], offset: &[usize], shape: &[usize]) -> Vec<T> {
    let count = shape.iter().product::<usize>();
    let element = |number: usize| {
        let (mut rest, mut place, mut stride) = (number, 0, 1);
        for axis in (0..whole.len()).rev() {
            place += (offset[axis] + rest % shape[axis]) * stride;
            rest /= shape[axis];
            stride *= whole[axis];
        }
        tensor[place]
    };
    (0..count).map(element).collect()
}

fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(|i| (7 * i % 509) as f64 / 37.0 - 6.5).collect()
}

proptest! {
    #[test]
    fn any_part_of_any_layer_is_that_part_of_the_whole(
        sizes in [1..7_usize, 1..7_usize, 1..9_usize, 1..9_usize, 1..5_usize],
        cuts in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 5),
        seed: u64,
        amount in 0.05..0.95,
        monte_carlo: bool,
        torch: bool,
    ) {
        for kind in Kind::ALL {
            let whole = shape(kind, sizes);
            let (offset, part): (Vec<usize>, Vec<usize>) = whole.iter().zip(&cuts).map(|(&size, (from, to))| {
                let (from, to) = (from.index(size + 1), to.index(size + 1));
                (from.min(to), from.abs_diff(to))
            }).unzip();
            for config in configs(kind, amount, sizes[4] % whole.len(), sizes[0]) {
                let generator = if torch && !kind.takes_numbers() { Generator::torch(seed) } else { Generator::philox(seed) };
                let mut layer = Layer::from_config(config.clone(), &generator);
                layer.set_mode(if monte_carlo { Mode::MonteCarlo } else { Mode::Train });
                let draw = layer.draw(&whole).unwrap().unwrap();
                let x = numbers(whole.iter().product());
                let y = draw.forward_to_vec(&x).unwrap();
                // The specification, one element at a time.
                for (i, (&x, &y)) in (0..).zip(x.iter().zip(&y)) {
                    let [scale, shift] = draw.scale_and_shift::<f64>(i);
                    prop_assert_eq!(x * scale + shift, y + 0.0, "{}", &config);
                }
                let of_part = draw.block(&whole, &offset, &part).unwrap();
                let got = of_part.forward_to_vec(&block_of(&x, &whole, &offset, &part)).unwrap();
                prop_assert_eq!(got, block_of(&y, &whole, &offset, &part), "{}, {:?} {:?} {:?}", &config, &whole, &offset, &part);
            }
        }
    }

    /// In Monte Carlo mode a call is one sub-network for all samples, however many there are.
    #[test]
    fn monte_carlo_samples_share_everything(
        sizes in [1..7_usize, 1..5_usize, 1..7_usize, 1..7_usize, 1..5_usize],
        seed: u64,
        amount in 0.05..0.95,
    ) {
        let with_batch = Kind::ALL.into_iter().filter(|kind| {
            let none = [Kind::DropConnect, Kind::EmbeddingDropout, Kind::LayerDrop, Kind::NodeDropout, Kind::EdgeDropout];
            !none.contains(kind)
        });
        for kind in with_batch {
            let several = shape(kind, [sizes[0], sizes[1], sizes[2], sizes[3], sizes[4].max(2)]);
            if several.len() < 2 || kind == Kind::DropPath || kind == Kind::LabelDropout {
                continue;
            }
            let one = [&[1], &several[1..]].concat();
            for config in configs(kind, amount, 1, 2) {
                let draw = |shape: &[usize]| layer(&config, seed, Mode::MonteCarlo).draw(shape).unwrap().unwrap();
                let x = numbers(one.iter().product());
                let expected = draw(&one).forward_to_vec(&x).unwrap();
                for sample in draw(&several).forward_to_vec(&x.repeat(several[0])).unwrap().chunks(x.len()) {
                    // Blocks share of the whole batch is that of one sample, so their scale is the same too.
                    prop_assert_eq!(sample, &expected[..], "{} {:?}", &config, &several);
                }
            }
        }
    }

    /// What `backward` gives against the difference quotient of the weighted sum of the outputs.
    #[test]
    fn gradients_are_difference_quotients(
        sizes in [1..5_usize, 1..5_usize, 1..5_usize, 1..5_usize, 1..5_usize],
        seed: u64,
        amount in 0.05..0.9,
    ) {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::DropKey) {
            let shape = shape(kind, sizes);
            for config in configs(kind, amount, sizes[4] % shape.len(), 2) {
                let draw = layer(&config, seed, Mode::Train).draw(&shape).unwrap().unwrap();
                let x = numbers(shape.iter().product());
                let weights: Vec<f64> = (0..x.len()).map(|i| (i * i % 23) as f64 / 8.0 - 1.0).collect();
                let mut gradient = weights.clone();
                draw.backward_inplace(&mut gradient).unwrap();
                let loss = |x: &[f64]| -> f64 {
                    draw.forward_to_vec(x).unwrap().iter().zip(&weights).map(|(y, w)| y * w).sum()
                };
                for i in [0, x.len() / 2, x.len() - 1] {
                    let (mut above, mut below) = (x.clone(), x.clone());
                    above[i] += 1e-3;
                    below[i] -= 1e-3;
                    let quotient = (loss(&above) - loss(&below)) / 2e-3;
                    prop_assert!((quotient - gradient[i]).abs() < 1e-8, "{}: {} {}", &config, quotient, gradient[i]);
                }
            }
        }
    }

    #[test]
    fn settings_survive_a_file(amount in 0.05..0.95, axis in 0..4_usize, size in 1..9_usize, steps: u64) {
        for kind in Kind::ALL {
            for config in configs(kind, amount, axis, size) {
                for config in [config.clone().with_schedule(Schedule::Late { steps }), config] {
                    let json = serde_json::to_string(&config).unwrap();
                    prop_assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config, "{}", json);
                }
            }
        }
    }
}

#[test]
fn drop_key_sends_no_gradient_to_what_it_drops() {
    let draw = layer(&Config::new(Kind::DropKey, 0.4).unwrap(), 3, Mode::Train).draw(&[4, 25]).unwrap().unwrap();
    let y = draw.forward_to_vec(&[0.5f32; 100]).unwrap();
    let mut gradient = [2f32; 100];
    draw.backward_inplace(&mut gradient).unwrap();
    for (i, (y, dx)) in (0..).zip(y.iter().zip(gradient)) {
        assert_eq!((*y, dx), if draw.keeps(i) { (0.5, 2.0) } else { (f32::NEG_INFINITY, 0.0) });
    }
    assert!(y.contains(&0.5) && y.contains(&f32::NEG_INFINITY));
}

#[test]
fn what_is_dropped_together_is_what_the_kind_says() {
    let draw = |config: Config, shape: &[usize]| layer(&config, 5, Mode::Train).draw(shape).unwrap().unwrap();
    let bits = |draw: &Draw| draw.index().clone();
    let config = |kind| Config::new(kind, 0.5).unwrap();
    let index = |axes: &[(u64, u64)]| nn_dropout::Index::new(0, axes.iter().copied());
    assert_eq!(bits(&draw(config(Kind::DropPath), &[4, 3, 2])), index(&[(4, 1), (6, 0)]));
    assert_eq!(bits(&draw(config(Kind::DropPath).with_mode(PathMode::Batch).unwrap(), &[4, 3, 2])), index(&[(24, 0)]));
    assert_eq!(bits(&draw(config(Kind::EmbeddingDropout), &[7, 3])), index(&[(7, 1), (3, 0)]));
    assert_eq!(bits(&draw(config(Kind::TokenDropout), &[2, 5, 3])), index(&[(10, 1), (3, 0)]));
    assert_eq!(bits(&draw(config(Kind::LayerDrop), &[2, 5])), index(&[(10, 0)]));
    let shared = config(Kind::Dropout).with_shared_axes([0, 2]).unwrap();
    assert_eq!(bits(&draw(shared, &[2, 5, 3])), index(&[(2, 0), (5, 1), (3, 0)]));
    // torch draws as many words as there are bits, and no more.
    assert_eq!(draw(config(Kind::DropConnect), &[3, 4]).effect(), Effect::Dropout);
    let unscaled = DropPath::new(0.5).unwrap().without_scaling().with_mode(PathMode::Batch);
    assert_eq!(unscaled.draw(&[3]).unwrap().unwrap().effect(), Effect::Keep);
    assert_eq!(unscaled.to_string(), "DropPath(p=0.5, mode=batch, scale_by_keep=False)");
}

#[test]
fn blocks_are_as_large_as_said_and_make_up_for_what_is_dropped() {
    for (size, shape) in [(1, [2, 3, 9, 11]), (3, [2, 3, 9, 11]), (4, [1, 2, 8, 7]), (50, [2, 2, 5, 6])] {
        let block = DropBlock2d::with_generator(0.2, &Generator::philox(8)).unwrap().with_block_size(size).unwrap();
        let [n, c, h, w] = shape;
        let draw = block.draw(&shape).unwrap().unwrap();
        let kept: Vec<bool> = (0..(n * c * h * w) as u64).map(|i| draw.keeps(i)).collect();
        let side = size.min(h).min(w);
        for plane in kept.chunks(h * w) {
            for (i, _) in plane.iter().enumerate().filter(|(_, kept)| !**kept) {
                // It lies in a square that is dropped as a whole.
                let (row, column) = (i / w, i % w);
                let from = |at: usize, length: usize| at.saturating_sub(side - 1)..=at.min(length - side);
                let is_whole = |top: usize, left: usize| {
                    (top..top + side).all(|row| (left..left + side).all(|column| !plane[row * w + column]))
                };
                assert!(
                    from(row, h).any(|top| from(column, w).any(|left| is_whole(top, left))),
                    "{size} {shape:?} {i}"
                );
            }
        }
        let share = kept.iter().filter(|kept| **kept).count() as f64 / kept.len() as f64;
        let mean = draw.forward_to_vec(&vec![1f64; kept.len()]).unwrap().iter().sum::<f64>() / kept.len() as f64;
        assert!(share == 0.0 || (mean - 1.0).abs() < 1e-12, "{size}: {share} {mean}");
    }
    // About a share p is dropped.
    let draw = DropBlock2d::with_generator(0.1, &Generator::philox(1)).unwrap().draw(&[8, 8, 32, 32]).unwrap().unwrap();
    let dropped = (0..65_536).filter(|&i| !draw.keeps(i)).count() as f64 / 65_536.0;
    assert!((0.07..0.11).contains(&dropped), "{dropped}");
}

/// Klambauer and others' promise: mean 0 and variance 1 stay, however deep the network is.
#[test]
fn alpha_dropout_keeps_mean_and_variance_through_a_deep_network() {
    const WIDTH: usize = 256;
    const SAMPLES: usize = 64;
    let weights = |layer: u32| {
        let mask = Mask::philox(1, layer, 0, Probability::ZERO);
        move |i: usize| f64::from(mask.normal(i as u64).unwrap()) / (WIDTH as f64).sqrt()
    };
    let selu = |x: f64| if x > 0.0 { 1.050_700_987_355_480_5 * x } else { 1.758_099_340_847_376_6 * x.exp_m1() };
    let moments = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64)
    };
    let through = |kind: Kind| {
        let generator = Generator::philox(2);
        let noise = Mask::philox(3, 0, 0, Probability::ZERO);
        let mut x: Vec<f64> = (0..SAMPLES * WIDTH).map(|i| f64::from(noise.normal(i as u64).unwrap())).collect();
        for layer in 0..16 {
            let dropout = Layer::with_generator(kind, 0.1, &generator).unwrap();
            let weight = weights(layer);
            let matrix: Vec<f64> = (0..WIDTH * WIDTH).map(weight).collect();
            let linear = |row: &[f64]| -> Vec<f64> {
                matrix.chunks(WIDTH).map(|w| selu(w.iter().zip(row).map(|(w, x)| w * x).sum())).collect()
            };
            x = dropout.forward(x.chunks(WIDTH).flat_map(linear).collect::<Vec<f64>>()).unwrap();
        }
        moments(&x)
    };
    let (mean, variance) = through(Kind::AlphaDropout);
    assert!(mean.abs() < 0.1 && (0.8..1.25).contains(&variance), "{mean} {variance}");
    let (mean, variance) = through(Kind::Dropout);
    assert!(!(mean.abs() < 0.1 && (0.8..1.25).contains(&variance)), "plain dropout does not: {mean} {variance}");
}

#[test]
fn tokens_with_the_lowest_words_are_kept() {
    let dropout = TokenDropout::with_generator(0.6, &Generator::philox(4)).unwrap();
    let kept = dropout.kept(3, 12, 2).unwrap();
    let mask = Mask::philox(4, 0, 0, Probability::new(0.6).unwrap());
    for (sample, kept) in kept.chunks(2 + 4).enumerate() {
        let mut others: Vec<u64> = (0..10).collect();
        others.sort_by_key(|&token| mask.word(sample as u64 * 10 + token));
        let mut expected: Vec<usize> = others[..4].iter().map(|token| *token as usize + 2).chain([0, 1]).collect();
        expected.sort_unstable();
        assert_eq!(kept, expected);
    }
    // Alone or with others, a sample keeps the same; so it is in another call of the same step.
    let alone = TokenDropout::with_generator(0.6, &Generator::philox(4)).unwrap();
    assert_eq!(alone.kept(1, 12, 2).unwrap(), kept[..6]);
    let mut eval = dropout.clone();
    assert_eq!(eval.eval().kept(2, 3, 1).unwrap(), [0, 1, 2, 0, 1, 2]);
    assert_eq!(dropout.kept(2, 2, 5).unwrap(), [0, 1, 0, 1]);
    assert_eq!(dropout.kept(0, 5, 1).unwrap(), [0_usize; 0]);
    let torch = TokenDropout::with_generator(0.6, &Generator::torch(4)).unwrap();
    let before = torch.generator().state();
    assert!(torch.kept(1, 4, 0).is_err());
    assert_eq!(torch.generator().state(), before);
}

#[test]
fn zoneout_takes_one_of_two_states() {
    let mut zoneout = Zoneout::with_generator(0.3, &Generator::philox(6)).unwrap();
    let (new, previous) = (numbers(1000), numbers(2000)[1000..].to_vec());
    let mut state = new.clone();
    zoneout.forward(&[10, 100], &mut state, &previous).unwrap();
    let draw =
        Draw::new(Mask::philox(6, 0, 0, Probability::new(0.3).unwrap()), nn_dropout::Index::of(&[1000]), Effect::Keep);
    for i in 0..1000 {
        assert_eq!(state[i], if draw.keeps(i as u64) { new[i] } else { previous[i] });
    }
    // What backward sends to the two is what came from each.
    let (mut to_new, mut to_previous) = (vec![1f64; 1000], vec![1f64; 1000]);
    draw.backward_inplace(&mut to_new).unwrap();
    draw.complement().backward_inplace(&mut to_previous).unwrap();
    assert!((0..1000).all(|i| to_new[i] + to_previous[i] == 1.0 && (to_new[i] == 1.0) == draw.keeps(i as u64)));

    let mut expected = [1f64, 2.0];
    zoneout.eval().forward(&[2], &mut expected, &[3.0, 4.0]).unwrap();
    assert_eq!(expected, [0.7 + 3.0 * 0.3, 2.0 * 0.7 + 4.0 * 0.3]);
    let error = zoneout.forward(&[3], &mut expected, &[3.0, 4.0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "new and a tensor of this shape have to be of the same length, but got 2 and 3 elements"
    );
    // All of the batch alike.
    let mut rows = [0f32; 20];
    zoneout.monte_carlo().forward(&[4, 5], &mut rows, &[1f32; 20]).unwrap();
    assert!(rows.chunks(5).all(|row| row == &rows[..5]));
}

#[test]
fn labels_are_replaced_as_whole_rows() {
    let dropout = LabelDropout::with_generator(0.5, &Generator::philox(6)).unwrap();
    let mut rows = numbers(300);
    dropout.forward(&mut rows, &[9.0, -9.0, 99.0]).unwrap();
    let kept = rows.chunks(3).zip(numbers(300).chunks(3)).filter(|(new, old)| new == old).count();
    let null = rows.chunks(3).filter(|row| *row == [9.0, -9.0, 99.0]).count();
    assert!(kept + null == 100 && kept > 20 && null > 20, "{kept} {null}");
    let error = dropout.forward(&mut rows, &[1.0; 7]).unwrap_err();
    assert!(error.to_string().contains("whole rows of 7 elements"), "{error}");
    // Whatever was there before.
    let (mut broken, null) = ([f32::NAN; 200], [f32::NEG_INFINITY, -0.0]);
    dropout.forward(&mut broken, &null).unwrap();
    let is_null = |row: &[f32]| row[0] == null[0] && row[1].to_bits() == null[1].to_bits();
    assert!(broken.chunks(2).all(|row| is_null(row) || row.iter().all(|x| x.is_nan())));
    assert!(broken.chunks(2).any(is_null));
    dropout.forward(&mut [0f32; 0], &[]).unwrap();
    assert!(dropout.forward(&mut [0f32; 4], &[]).is_err());
}

#[test]
fn what_cannot_be_is_named() {
    let message = |error: &dyn Debug, text: String| (format!("{error:?}"), text).1;
    let config = |json: &str| serde_json::from_str::<Config>(json).map_err(|error| message(&error, error.to_string()));
    for (json, expected) in [
        (r#"{"kind": "dropuot", "p": 0.1}"#, "a layer is one of dropout, dropout1d, "),
        ("1.5", "dropout probability has to be between 0 and 1, but got 1.5"),
        (r#"{"kind": "drop-path", "p": -1}"#, "dropout probability has to be between 0 and 1, but got -1"),
        (r#"{"kind": "drop-path"}"#, "drop-path needs `p`"),
        (r#"{"kind": "gaussian-noise", "p": 0.1}"#, "gaussian-noise needs `stddev`, and takes no `p` or `alpha`"),
        (r#"{"kind": "gaussian-noise", "stddev": 0.1, "p": 0.1}"#, "gaussian-noise needs `stddev`, and takes no `p`"),
        (
            r#"{"kind": "gaussian-noise", "stddev": -0.1}"#,
            "stddev: expected a finite number of at least 0, but got -0.1",
        ),
        (r#"{"kind": "gaussian-dropout", "p": 1}"#, "gaussian-dropout takes p below 1"),
        (
            r#"{"kind": "dropout", "p": 0.1, "block_size": 3}"#,
            "block_size is for drop-block2d, drop-block3d, not for dropout",
        ),
        (r#"{"kind": "drop-block2d", "p": 0.1, "block_size": 0}"#, "block_size has to be at least 1, but got 0"),
        (r#"{"kind": "dropout", "p": 0.1, "shared": [1]}"#, "unknown field `shared`, expected one of `kind`, `p`"),
        (r#"{"p": 0.1}"#, "missing field `kind`"),
        (r#"{"kind": "dropout", "p": 0.1, "channels_last": false}"#, "channels_last is for dropout1d, dropout2d"),
        (r#""0.1""#, "expected a dropout rate from 0 to 1, or a table with `kind` and `p`"),
        (r#"{"kind": "dropout", "p": 0.1, "schedule": {"kind": "linear"}}"#, "missing field `steps`"),
    ] {
        let error = config(json).unwrap_err();
        assert!(error.contains(expected), "{json}: {error}");
    }
    let draw = |kind: Kind, shape: &[usize]| {
        let layer = Layer::with_generator(kind, 0.5, &Generator::philox(1)).unwrap();
        layer.draw(shape).unwrap_err().to_string()
    };
    assert_eq!(
        draw(Kind::DropBlock2d, &[3, 4, 5]),
        "drop-block2d takes tensors of 4 dimensions (sample, channel, height, width), but got 3"
    );
    assert_eq!(
        draw(Kind::DropBlock3d, &[3, 4, 5, 6]),
        "drop-block3d takes tensors of 5 dimensions (sample, channel, depth, height, width), but got 4"
    );
    assert_eq!(draw(Kind::DropPath, &[]), "drop-path takes tensors of at least 1 dimension, but got 0");
    assert_eq!(
        draw(Kind::EmbeddingDropout, &[5]),
        "embedding-dropout takes tensors of at least 2 dimensions, but got 1"
    );
    let shared = Config::new(Kind::Dropout, 0.5).unwrap().with_shared_axes([0, 3]).unwrap();
    let error = Layer::from_config(shared, &Generator::philox(1)).draw(&[2, 3]).unwrap_err().to_string();
    assert_eq!(error, "axis 3 cannot be shared by a tensor of 2 dimensions: axes are numbered from 0");
    assert!(GaussianDropout::new(1.0).is_err() && GaussianDropout::new(0.999).is_ok());
    assert!(Magnitude::new(f64::INFINITY).is_err() && Magnitude::new(f64::NAN).is_err());
    let mut statistics = MonteCarlo::new(2);
    assert!(statistics.add(&[1f32; 3]).is_err());
    statistics.add(&[1f32; 4]).unwrap();
    let error = statistics.add(&[1f32; 6]).unwrap_err().to_string();
    assert_eq!(error, "sample and the first sample have to be of the same length, but got 6 and 4 elements");
}

#[test]
fn every_layer_is_the_identity_where_it_has_nothing_to_do() {
    for kind in Kind::ALL {
        let generator = Generator::torch(1);
        let mut layer = Layer::with_generator(kind, 0.5, &generator).unwrap();
        let shape = shape(kind, [2, 3, 4, 5, 2]);
        let none = Layer::with_generator(kind, 0.0, &generator).unwrap();
        let before = generator.state();
        assert!(layer.eval().draw(&shape).unwrap().is_none(), "{kind}");
        assert!(none.draw(&shape).unwrap().is_none(), "{kind}");
        assert_eq!(generator.state(), before);
        assert_eq!(kind.name().parse(), Ok(kind));
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
    }
}

#[test]
fn schedules_move_with_the_training_and_are_resumed() {
    let generator = Generator::philox(1);
    generator.set_schedule(Schedule::Linear { steps: 4 });
    let whole = Layer::with_generator(Kind::Dropout, 0.8, &generator).unwrap();
    let own = Config::new(Kind::GaussianNoise, 0.5).unwrap().with_schedule(Schedule::Early { steps: 2 });
    let own = Layer::from_config(own, &generator);
    let rates = |generator: &Generator, whole: &Layer, own: &Layer| {
        let rates: Vec<(f64, bool)> = (0..3)
            .map(|_| {
                let now = (
                    whole.draw(&[9]).unwrap().map_or(0.0, |draw| draw.mask().p().get()),
                    own.draw(&[9]).unwrap().is_some(),
                );
                assert_eq!(now.0, whole.p_now().get());
                generator.advance();
                now
            })
            .collect();
        rates
    };
    assert_eq!(rates(&generator, &whole, &own), [(0.0, true), (0.2, true), (0.4, false)]);
    let saved = serde_json::to_string(&generator.state()).unwrap();
    let next = rates(&generator, &whole, &own);
    assert_eq!(next, [(0.8 * 0.75, false), (0.8, false), (0.8, false)]);

    let resumed = Generator::philox(9);
    let layers = [whole.config(), own.config()].map(|config| Layer::from_config(config.clone(), &resumed));
    resumed.set_state(serde_json::from_str(&saved).unwrap());
    assert_eq!(resumed.training_step(), 3);
    assert_eq!(rates(&resumed, &layers[0], &layers[1]), next);
    assert_eq!(resumed.state(), generator.state());
    generator.manual_seed(1);
    assert_eq!((generator.training_step(), generator.schedule()), (0, Schedule::Linear { steps: 4 }));

    // A state that was saved before there were schedules.
    let old = r#"{"next_layer":8,"stream":{"philox":{"seed":42,"steps":{"7":1000}}}}"#;
    assert_eq!(serde_json::from_str::<GeneratorState>(old).unwrap(), GeneratorState::philox(42, 8, [(7, 1000)]));
}

#[test]
fn statistics_of_what_is_no_number_are_none() {
    let mut statistics = MonteCarlo::new(2);
    for sample in [[0.5, 0.5, 1.0, 0.0], [f64::NAN, 0.5, 1.0, 0.0]] {
        statistics.add(&sample).unwrap();
    }
    let (entropy, information) = (statistics.entropy(), statistics.mutual_information());
    assert!(entropy[0].is_nan() && information[0].is_nan());
    assert_eq!([entropy[1], information[1]].map(f64::to_bits), [0, 0], "certain, and not -0");
}

#[test]
fn large_blocks_are_dropped_whole() {
    // Half of all places have a block of nearly the whole image.
    let block = DropBlock2d::with_generator(0.5, &Generator::philox(1)).unwrap().with_block_size(300).unwrap();
    let draw = block.with_clipping().draw(&[1, 1, 300, 300]).unwrap().unwrap();
    assert!((0..90_000).all(|i| !draw.keeps(i)));
}

#[test]
#[should_panic(expected = "an edge has node 7, but there are 1 nodes, numbered from 0")]
fn edges_have_nodes_that_there_are() {
    nn_dropout::NodeDropout::new(0.9).unwrap().forward(1, &[[0, 7]]);
}

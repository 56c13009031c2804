//! Every layer draws what the library's does, and says what it does not take.

use candle_core::{D, DType, Device, ModuleT, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use nn_dropout_candle::*;

fn numbers(shape: &[usize]) -> Result<Tensor> {
    let count = shape.iter().product::<usize>();
    Tensor::from_iter((0..count).map(|i| (i as f32 * 1.7).sin() * 2.0), &Device::Cpu)?.reshape(shape)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|tensor| tensor.to_vec1()).unwrap()
}

fn error<T>(result: Result<T>) -> String {
    let Err(error) = result else { panic!("it is no error") };
    error.to_string().lines().next().unwrap().to_owned()
}

/// What each kind that takes one tensor does, in all modes and with the masks of each generator.
macro_rules! agree {
    ($($test:ident: $kind:ident $(.$option:ident($($value:expr)?))*, $config:expr, $shape:expr;)*) => {$(
        #[test]
        fn $test() -> Result<()> {
            let config = Config::new(Kind::$kind, 0.3).and_then($config).unwrap();
            let generators = || [Generator::philox(42), Generator::torch(42), Generator::jax(42)];
            for (generator, other) in generators().into_iter().zip(generators()) {
                let ours = $kind::with_generator(0.3, &generator)$(.$option($($value)?))*;
                let mut theirs = nn_dropout::Layer::from_config(config.clone(), &other);
                assert_eq!((ours.layer()?.config(), ours.to_string()), (&config, theirs.to_string()));
                let x = numbers(&$shape)?;
                for (mode, train) in [(Mode::Train, true), (Mode::MonteCarlo, false), (Mode::Train, true)] {
                    let ours = ours.clone().with_mode(mode);
                    let draw = match theirs.set_mode(mode).draw(&$shape) {
                        Ok(draw) => draw.unwrap(),
                        Err(expected) => {
                            assert_eq!(error(ours.forward(&x, train)), expected.to_string());
                            continue;
                        }
                    };
                    let state = generator.state();
                    let y = ours.forward_t(&x, train)?;
                    let expected = draw.forward_to_vec(&values(&x)).unwrap();
                    assert_eq!((y.dims(), values(&y)), (&$shape[..], expected));
                    generator.set_state(state);
                    assert_eq!(values(&ours.forward_add(&x, &(&x * 0.3)?, train)?), values(&((&x * 0.3)? + y)?));
                }
                assert_eq!(generator.state(), other.state());
                assert_eq!(ours.forward(&x, false)?.id(), x.id());
                assert_eq!(ours.clone().with_mode(Mode::Eval).forward(&x, true)?.id(), x.id());
                assert_eq!(generator.state(), other.state());
            }
            Ok(())
        }
    )*};
}

agree! {
    dropout: Dropout, Ok, [3, 5, 7];
    locked_dropout: Dropout.with_shared_axes([1]), |config| config.with_shared_axes([1]), [3, 5, 7];
    alpha_dropout: AlphaDropout, Ok, [3, 5, 7];
    dropout1d: Dropout1d, Ok, [3, 5, 7];
    dropout2d: Dropout2d, Ok, [3, 5, 4, 2];
    dropout2d_with_channels_last: Dropout2d.with_channels_last(), |config| config.with_channels_last(true), [3, 5, 4, 2];
    dropout3d: Dropout3d, Ok, [9, 2, 3, 4];
    feature_alpha_dropout: FeatureAlphaDropout, Ok, [4, 6, 3];
    drop_path: DropPath, Ok, [40, 2];
    drop_path_of_a_batch: DropPath.with_path_mode(PathMode::Batch), |config| config.with_mode(PathMode::Batch), [4, 3];
    drop_path_without_scaling: DropPath.without_scaling(), |config| config.with_scale_by_keep(false), [9, 3];
    drop_block2d: DropBlock2d.with_block_size(3), |config| config.with_block_size(3), [2, 3, 9, 8];
    drop_block2d_as_in_timm: DropBlock2d.with_clipping().with_coupled_channels(),
        |config| config.with_clipping(true)?.with_coupled_channels(true), [2, 3, 20, 20];
    drop_block3d: DropBlock3d.with_block_size(2), |config| config.with_block_size(2), [2, 1, 6, 5, 4];
    gaussian_dropout: GaussianDropout, Ok, [3, 5, 7];
    gaussian_noise: GaussianNoise, Ok, [3, 5, 7];
    neftune_noise: NeftuneNoise, Ok, [3, 5, 7];
    drop_connect: DropConnect, Ok, [8, 9];
    token_dropout: TokenDropout, Ok, [3, 8, 4];
    drop_key: DropKey, Ok, [2, 5, 8];
    with_a_schedule: Dropout.with_schedule(Schedule::Constant), |config| Ok(config.with_schedule(Schedule::Constant)), [3, 5];
}

#[test]
fn an_option_keeps_the_number_and_the_mode() -> Result<()> {
    let generator = Generator::philox(42);
    let first = Dropout::with_generator(0.5, &generator).with_mode(Mode::MonteCarlo).with_shared_axes([0]);
    let second = Dropout::with_generator(0.5, &generator);
    assert_eq!([first.layer()?.number(), second.layer()?.number()], [0, 1]);
    assert_eq!(first.layer()?.mode(), Mode::MonteCarlo);
    Ok(())
}

#[test]
fn zoneout_and_label_dropout_choose_between_two() -> Result<()> {
    let draw = |kind, shape: &[usize]| {
        nn_dropout::Layer::with_generator(kind, 0.4, &Generator::philox(42)).unwrap().draw(shape).unwrap().unwrap()
    };
    let (new, previous) = (numbers(&[6, 8])?, (numbers(&[6, 8])? + 10.0)?);
    let state = values(&Zoneout::with_generator(0.4, &Generator::philox(42)).forward(&new, &previous, true)?);
    let draw_of_state = draw(Kind::Zoneout, &[6, 8]);
    for (i, (y, (new, previous))) in state.iter().zip(values(&new).iter().zip(values(&previous))).enumerate() {
        assert_eq!(*y, if draw_of_state.keeps(i as u64) { *new } else { previous });
    }

    let labels = || LabelDropout::with_generator(0.4, &Generator::philox(42));
    let draw = draw(Kind::LabelDropout, &[40]);
    let kept: Vec<bool> = (0..40).map(|i| draw.keeps(i)).collect();
    let null = Tensor::full(f32::NAN, (2, 3), &Device::Cpu)?;
    let y = labels().forward(&numbers(&[40, 2, 3])?, &null, true)?.to_vec3::<f32>()?;
    assert_eq!(y.iter().map(|row| row[0][0].is_finite()).collect::<Vec<_>>(), kept);
    let numbers = Tensor::arange(0i64, 40, &Device::Cpu)?;
    let y = labels().forward_labels(&numbers, -1i64, true)?.to_vec1::<i64>()?;
    assert_eq!(y.iter().map(|y| *y >= 0).collect::<Vec<_>>(), kept);
    assert_eq!(labels().forward_labels(&numbers, -1i64, false)?.id(), numbers.id());
    Ok(())
}

#[test]
fn words_are_dropped_as_rows_of_the_table() -> Result<()> {
    let table = numbers(&[30, 4])?;
    let tokens = Tensor::from_iter((0..60).map(|i| i * 7 % 30u32), &Device::Cpu)?;
    for generator in [|| Generator::philox(42), || Generator::torch(42), || Generator::jax(42)] {
        let layer = nn_dropout::EmbeddingDropout::with_generator(0.4, &generator()).unwrap();
        let draw = layer.draw(&[30, 4]).unwrap().unwrap();
        let expected = table.apply_op1(ApplyDraw(draw))?.index_select(&tokens, 0)?;
        let ours = EmbeddingDropout::with_generator(0.4, &generator());
        let y = ours.forward(&table, &tokens.reshape((3, 4, 5))?, true)?;
        assert_eq!((y.dims(), values(&y)), (&[3, 4, 5, 4][..], values(&expected)));
        assert_eq!(values(&ours.forward(&table, &tokens, false)?), values(&table.index_select(&tokens, 0)?));
    }
    Ok(())
}

#[test]
fn tokens_are_kept_as_in_the_library() -> Result<()> {
    let x = numbers(&[5, 9, 2])?;
    let ours = TokenDropout::with_generator(0.5, &Generator::philox(42));
    let theirs = nn_dropout::TokenDropout::with_generator(0.5, &Generator::philox(42)).unwrap();
    let expected = theirs.kept(5, 9, 1).unwrap();
    let (kept, tokens) = ours.keep_tokens(&x, 1, true)?;
    let tokens = tokens.flatten_all()?.to_vec1::<u32>()?;
    assert_eq!(tokens.iter().map(|token| *token as usize).collect::<Vec<_>>(), expected);
    assert_eq!(kept.dims(), [5, 5, 2]);
    assert_eq!(values(&kept.narrow(1, 0, 1)?), values(&x.narrow(1, 0, 1)?));
    let (all, numbers) = ours.keep_tokens(&x, 1, false)?;
    assert_eq!((all.id(), numbers.dims()), (x.id(), &[5, 9][..]));
    assert_eq!(ours.keep_tokens(&x.narrow(0, 0, 0)?, 1, true)?.0.dims(), [0, 9, 2]);
    Ok(())
}

#[test]
fn graphs_lose_what_the_library_drops() -> Result<()> {
    let list: Vec<[usize; 2]> = (0..40).map(|i| [i % 7, (i * 3 + 1) % 7]).collect();
    let ends = |end: usize| list.iter().map(move |edge| edge[end] as u32).collect::<Vec<_>>();
    for dtype in [DType::U32, DType::I64, DType::U8] {
        let edges = Tensor::new(vec![ends(0), ends(1)], &Device::Cpu)?.to_dtype(dtype)?;
        let generator = || Generator::philox(42);
        let ours = EdgeDropout::with_generator(0.5, &generator());
        let theirs = nn_dropout::EdgeDropout::with_generator(0.5, &generator()).unwrap();
        for (ours, theirs) in [
            (ours.forward(&edges, true)?, theirs.forward(&list)),
            (ours.forward_undirected(&edges, true)?, theirs.forward_undirected(&list)),
        ] {
            assert_eq!(ours.1.to_vec1::<u32>()?, theirs.numbers.iter().map(|n| *n as u32).collect::<Vec<_>>());
            let kept = ours.0.to_dtype(DType::U32)?.to_vec2::<u32>()?;
            assert_eq!(kept[1], theirs.edges.iter().map(|edge| edge[1] as u32).collect::<Vec<_>>());
            assert_eq!(ours.0.dtype(), dtype);
        }
        let theirs = nn_dropout::NodeDropout::with_generator(0.5, &generator()).unwrap().forward(7, &list);
        let ours = NodeDropout::with_generator(0.5, &generator());
        let (_, kept, nodes) = ours.forward(7, &edges, true)?;
        assert_eq!(kept.to_vec1::<u32>()?, theirs.edges.numbers.iter().map(|n| *n as u32).collect::<Vec<_>>());
        assert_eq!(nodes.to_vec1::<u8>()?, theirs.nodes.iter().map(|kept| u8::from(*kept)).collect::<Vec<_>>());
        let (all, kept, nodes) = ours.forward(7, &edges, false)?;
        assert_eq!((all.id(), kept.elem_count(), nodes.to_vec1::<u8>()?), (edges.id(), 40, vec![1; 7]));
        assert_eq!(
            error(ours.forward(3, &edges, true)).split(", but").next().unwrap(),
            "node-dropout takes edges of 3 nodes, numbered from 0"
        );
    }
    Ok(())
}

#[test]
fn a_layer_that_is_dropped_does_not_run() -> Result<()> {
    let ours = LayerDrop::with_generator(0.5, &Generator::philox(42));
    let theirs = nn_dropout::LayerDrop::with_generator(0.5, &Generator::philox(42)).unwrap();
    let x = Tensor::zeros((), DType::F32, &Device::Cpu)?;
    for _ in 0..20 {
        let y = ours.forward(&x, true, |x| x + 1.0)?.to_scalar::<f32>()?;
        assert_eq!(y, if theirs.keeps() { 1.0 } else { 0.0 });
        assert_eq!(ours.forward(&x, false, |x| x + 1.0)?.to_scalar::<f32>()?, 1.0);
    }
    Ok(())
}

#[test]
fn infinite_scores_stay_what_they_are() -> Result<()> {
    let scores = Tensor::full(f32::NEG_INFINITY, (4, 8), &Device::Cpu)?;
    assert!(values(&DropKey::new(0.5).forward(&scores, true)?).iter().all(|score| *score == f32::NEG_INFINITY));
    Ok(())
}

#[test]
fn concrete_dropout_is_that_of_its_formula() -> Result<()> {
    let (p, temperature) = (0.3_f64, 0.1);
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F64, &Device::Cpu);
    let config = ConcreteDropoutConfig { p, weight_regularizer: 0.5, dropout_regularizer: 0.25, temperature };
    let layer = ConcreteDropout::with_generator(config, &Generator::philox(42), vb)?;
    assert_eq!(layer.to_string(), "ConcreteDropout(p=0.300, temperature=0.1)");
    let x = Tensor::arange(-4.0, 4.0, &Device::Cpu)?.repeat((5, 3))?;
    let y = layer.forward(&x, true)?.flatten_all()?.to_vec1::<f64>()?;
    let mask = nn_dropout::Mask::philox(42, 0, 0, nn_dropout::Probability::ZERO);
    for ((i, x), y) in (0..).zip(x.flatten_all()?.to_vec1::<f64>()?).zip(y) {
        let u = f64::midpoint(1.0, mask.uniform(i).unwrap().into());
        let dropped = 1.0 / (1.0 + (-(p.ln() - (1.0 - p).ln() + u.ln() - (1.0 - u).ln()) / temperature).exp());
        assert!((y - x * (1.0 - dropped) / (1.0 - p)).abs() < 1e-5);
    }
    assert_eq!(layer.forward(&x, false)?.id(), x.id());
    let one = layer.clone().with_mode(Mode::MonteCarlo).forward(&x.ones_like()?, false)?.to_vec2::<f64>()?;
    assert!(one.iter().all(|row| *row == one[0]));

    let weight = Tensor::new(&[[1.0, 2.0], [3.0, -4.0], [0.0, 1.0]], &Device::Cpu)?;
    let expected = 0.5 * 31.0 / (1.0 - p) + 0.25 * 3.0 * (p * p.ln() + (1.0 - p) * (1.0 - p).ln());
    assert!((layer.regularization(&weight, 3)?.to_scalar::<f64>()? - expected).abs() < 1e-9);

    for dtype in [DType::F16, DType::BF16, DType::F32] {
        let x = candle_core::Var::from_tensor(&Tensor::ones(100_000, dtype, &Device::Cpu)?)?;
        let y = layer.forward(&x, true)?;
        let grads = y.to_dtype(DType::F32)?.sum_all()?.backward()?;
        assert!(values(&y.to_dtype(DType::F32)?).iter().all(|y| (0.0..=1.44).contains(y)));
        assert!(values(&grads.get(&x).unwrap().to_dtype(DType::F32)?).iter().all(|g| g.is_finite()));
        assert!(grads.get(layer.p_logit()).unwrap().to_vec1::<f64>()?[0].is_finite());
    }
    Ok(())
}

#[test]
fn errors_say_what_is_accepted() -> Result<()> {
    macro_rules! out_of_range {
        ($($layer:ident)*) => {$(
            for p in [1.5, -0.5, f64::NAN] {
                let message = $layer::new(p).layer().map_err(|error| error.to_string()).unwrap_err();
                assert!(message.starts_with(&format!("dropout probability has to be between 0 and 1, but got {p}")));
            }
        )*};
    }
    out_of_range! {
        Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout DropPath DropBlock2d DropBlock3d GaussianDropout
        DropConnect EmbeddingDropout TokenDropout DropKey LayerDrop Zoneout LabelDropout NodeDropout EdgeDropout
    }
    let x = numbers(&[3, 4])?;
    let ints = Tensor::ones((3, 4), DType::U32, &Device::Cpu)?;
    let is = |result: Result<Tensor>, message: &str| assert_eq!(error(result), message);
    let at_least = "expected a finite number of at least 0, but got -1";
    is(GaussianNoise::new(-1.0).forward(&x, true), &format!("stddev: {at_least}"));
    is(NeftuneNoise::new(-1.0).forward(&x, true), &format!("alpha: {at_least}"));
    is(DropBlock2d::new(0.5).with_block_size(0).forward(&x, true), "block_size has to be at least 1, but got 0");
    is(
        DropBlock2d::new(7.0).with_block_size(3).forward_add(&x, &x, true),
        "dropout probability has to be between 0 and 1, but got 7",
    );
    is(
        DropBlock3d::new(0.5).forward(&x, true),
        "drop-block3d takes tensors of 5 dimensions (sample, channel, depth, height, width), but got 2",
    );
    is(
        TokenDropout::new(0.5).forward(&x.get(0)?, true),
        "token-dropout takes tensors of at least 2 dimensions, but got 1",
    );
    is(
        DropPath::new(0.5).forward(&x.get(0)?.get(0)?, true),
        "drop-path takes tensors of at least 1 dimension, but got 0",
    );
    is(
        Dropout::new(0.5).with_shared_axes([2]).forward(&x, true),
        "axis 2 cannot be shared by a tensor of 2 dimensions: axes are numbered from 0",
    );
    is(Dropout::new(0.5).forward(&ints, true), "noise is for tensors of f64, f32, f16, bf16 or f8e4m3, but got u32");
    is(
        Zoneout::new(0.5).forward(&x, &x.t()?, true),
        "zoneout takes two states of one shape, but got [3, 4] and [4, 3]",
    );
    is(Zoneout::new(1.5).forward(&x, &x, true), "dropout probability has to be between 0 and 1, but got 1.5");
    assert_eq!(Zoneout::new(1.5).forward(&x, &x, false)?.id(), x.id());
    is(
        LabelDropout::new(0.5).forward(&x, &x, true),
        "label-dropout takes a null row like the rows, f32 [4], but got f32 [3, 4]",
    );
    is(
        LabelDropout::new(0.5).forward_labels(&ints, 1i64, true),
        "label-dropout takes labels of the type of the null label, i64, but got u32",
    );
    assert!(LabelDropout::new(0.5).forward(&x.get(0)?.get(0)?, &x, true).is_err());
    is(
        EdgeDropout::new(0.5).forward(&ints, true).map(|(edges, _)| edges),
        "edge-dropout takes edges of shape [2, edges] and a type of integers, but got [3, 4] of u32",
    );
    is(
        EdgeDropout::new(0.5).forward_undirected(&x.narrow(0, 0, 2)?, true).map(|(edges, _)| edges),
        "edge-dropout takes edges of shape [2, edges] and a type of integers, but got [2, 4] of f32",
    );
    assert!(EmbeddingDropout::new(0.5).forward(&x, &Tensor::new(&[3u32], &Device::Cpu)?, true).is_err());
    assert!(TokenDropout::new(0.5).keep_tokens(&x, 0, true).is_err());
    for generator in [Generator::torch(42), Generator::jax(42)] {
        let message = "draws from a Philox generator, not from one of PyTorch's or JAX's masks";
        let tokens = TokenDropout::with_generator(0.5, &generator).keep_tokens(&numbers(&[1, 3, 2])?, 0, true);
        assert!(error(tokens).ends_with(message));
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let concrete = ConcreteDropout::with_generator(ConcreteDropoutConfig::default(), &generator, vb)?;
        assert!(error(concrete.forward(&x, true)).ends_with(message));
    }
    let config = Config::new(Kind::Zoneout, 0.5).unwrap();
    assert!(error(DropoutLayer::from_config(config, &Generator::philox(42))).ends_with("drop-key, but got zoneout"));
    let vb = || VarBuilder::zeros(DType::F32, &Device::Cpu);
    let config = ConcreteDropoutConfig::default;
    for (config, message) in [
        (ConcreteDropoutConfig { p: 1.0, ..config() }, "concrete-dropout begins with p above 0 and below 1, but got 1"),
        (
            ConcreteDropoutConfig { temperature: 0.0, ..config() },
            "the temperature has to be a finite number above 0, but got 0",
        ),
        (
            ConcreteDropoutConfig { weight_regularizer: -1.0, ..config() },
            "a regularizer has to be a finite number of at least 0, but got -1",
        ),
    ] {
        assert_eq!(error(ConcreteDropout::new(config, vb())), message);
    }
    let softmax = candle_nn::ops::softmax(&DropKey::new(0.3).forward(&x, true)?, D::Minus1)?;
    assert_eq!(softmax.dims(), [3, 4]);
    Ok(())
}

/// Where a shape is taken, it is the result's.
#[test]
fn no_shape_and_no_type_makes_a_layer_panic() -> Result<()> {
    let shapes: [&[usize]; 9] =
        [&[], &[0], &[1], &[0, 3], &[3, 0], &[0, 0, 0], &[2, 0, 3, 3], &[2, 3, 0, 0, 4], &[1, 1, 1, 1, 1, 1, 1, 1]];
    for (shape, dtype) in shapes
        .into_iter()
        .flat_map(|shape| [DType::F32, DType::F16, DType::F8E4M3, DType::U8].map(|dtype| (shape, dtype)))
    {
        let x = Tensor::ones(shape, dtype, &Device::Cpu)?;
        for kind in Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor()) {
            for p in [0.0, 0.5, 1.0] {
                let Ok(config) = Config::new(kind, p) else { continue };
                for generator in [Generator::philox(1), Generator::torch(1), Generator::jax(1)] {
                    for mode in [Mode::Train, Mode::MonteCarlo] {
                        let layer = DropoutLayer::from_config(config.clone(), &generator)?.with_mode(mode);
                        for y in [layer.forward(&x, true), layer.forward_add(&x, &x, true)].into_iter().flatten() {
                            assert_eq!((y.dims(), y.dtype()), (shape, dtype), "{kind}");
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

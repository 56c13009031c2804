//! The layer against `candle_nn::Dropout`'s conventions, and what it draws.

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
use nn_dropout::{Draw, Mask, Probability};
use nn_dropout_candle::{Dropout, Generator, Mode};

fn ones(shape: &[usize]) -> Result<Tensor> {
    Tensor::ones(shape, DType::F32, &Device::Cpu)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|tensor| tensor.to_vec1()).unwrap()
}

/// Compiles with either import: the layer is a drop-in replacement.
macro_rules! model {
    ($name:ident, $($nn:ident)::+) => {
        mod $name {
            use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
            use candle_nn::{Linear, Sequential, VarBuilder, VarMap};
            use $($nn)::+::{Dropout, ops::dropout};

            #[derive(Clone, Debug)]
            struct Model {
                linear: Linear,
                dropout: Dropout,
            }

            impl Model {
                fn new(vb: VarBuilder) -> Result<Self> {
                    Ok(Self { linear: candle_nn::linear(4, 4, vb)?, dropout: Dropout::new(0.5) })
                }
            }

            impl ModuleT for Model {
                fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
                    let xs = xs.apply(&self.linear)?.apply_t(&self.dropout, train)?;
                    self.dropout.forward(&xs, train)
                }
            }

            #[test]
            fn is_noisy_in_training_only() -> Result<()> {
                let vb = VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu);
                let model = Model::new(vb)?;
                let x = Tensor::ones((100, 4), DType::F32, &Device::Cpu)?;
                let call = |train| model.forward_t(&x, train)?.to_vec2::<f32>();
                assert_ne!(call(true)?, call(true)?);
                assert_eq!(call(false)?, call(false)?);
                assert_eq!(call(false)?, model.linear.forward(&x)?.to_vec2::<f32>()?);
                Ok(())
            }

            #[test]
            fn p_may_be_an_f32() -> Result<()> {
                let p: f32 = 0.25;
                let x = Tensor::ones(64, DType::F32, &Device::Cpu)?;
                let y = Dropout::new(p).forward(&x, true)?.to_vec1::<f32>()?;
                assert!(y.iter().all(|y| *y == 0.0 || (y - 1.0 / 0.75).abs() < 1e-6));
                Ok(())
            }

            #[test]
            fn the_function_is_always_active() -> Result<()> {
                let x = Tensor::ones(1000, DType::F32, &Device::Cpu)?;
                let y = dropout(&x, 0.5)?.to_vec1::<f32>()?;
                assert!(y.contains(&0.0) && y.contains(&2.0));
                Ok(())
            }

            #[test]
            fn what_is_no_probability_is_an_error_of_training() -> Result<()> {
                let x = Tensor::ones(8, DType::F32, &Device::Cpu)?;
                for p in [1.5, -0.5, f32::NAN] {
                    let layer = Dropout::new(p);
                    assert!(layer.forward(&x, true).is_err() && dropout(&x, p).is_err());
                    assert_eq!(layer.forward(&x, false)?.to_vec1::<f32>()?, [1.0; 8]);
                }
                Ok(())
            }

            #[test]
            fn stands_where_modules_do() -> Result<()> {
                let _: Box<dyn ModuleT> = Box::new(Dropout::new(0.5));
                let _: Sequential = candle_nn::seq().add_fn(|x| Dropout::new(0.5).forward(x, false));
                Ok(())
            }
        }
    };
}
model!(with_candles_own, candle_nn);
model!(with_ours, nn_dropout_candle);

#[test]
fn draws_its_masks_from_the_generator() -> Result<()> {
    let generator = Generator::philox(42);
    let layers = [Dropout::with_generator(0.3, &generator), Dropout::with_generator(0.5, &generator)];
    let x: Vec<f32> = (0..105_u8).map(f32::from).collect();
    for (number, layer) in (0..).zip(&layers) {
        for step in 0..3 {
            let draw = Draw::dropout(Mask::philox(42, number, step, layer.layer()?.p()));
            let y = layer.forward(&Tensor::from_slice(&x, (5, 7, 3), &Device::Cpu)?, true)?;
            assert_eq!(values(&y), draw.forward_to_vec(&x).unwrap());
        }
    }
    Ok(())
}

#[test]
fn where_it_does_nothing_the_input_comes_back_and_nothing_is_drawn() -> Result<()> {
    let generator = Generator::philox(42);
    let half = Dropout::with_generator(0.5, &generator);
    let zero = Dropout::with_generator(0.0, &generator);
    let state = generator.state();
    let x = ones(&[10, 10])?;
    for y in [
        half.forward(&x, false)?,
        half.clone().with_mode(Mode::Eval).forward(&x, true)?,
        zero.forward(&x, true)?,
        zero.with_mode(Mode::MonteCarlo).forward(&x, true)?,
    ] {
        assert_eq!(y.id(), x.id());
    }
    assert_eq!(values(&half.forward_add(&x, &x, false)?), [2.0; 100]);
    assert_eq!(generator.state(), state);
    half.forward(&x, true)?;
    assert_ne!(generator.state(), state);
    Ok(())
}

#[test]
fn every_probability_is_taken_to_the_ends() -> Result<()> {
    let x = ones(&[100])?;
    assert_eq!(values(&Dropout::new(1.0).forward(&x, true)?), [0.0; 100]);
    assert_eq!(values(&Dropout::new(0.0).forward(&x, true)?), [1.0; 100]);
    assert_eq!(values(&nn_dropout_candle::ops::dropout(&x, 1.0)?), [0.0; 100]);
    assert_eq!(nn_dropout_candle::ops::dropout(&x, 0.0)?.id(), x.id());
    Ok(())
}

#[test]
fn clones_share_their_count_of_steps() -> Result<()> {
    let generator = Generator::philox(42);
    let layer = Dropout::with_generator(0.5, &generator);
    let monte_carlo = layer.clone().with_mode(Mode::MonteCarlo);
    let x = ones(&[1, 64])?;
    let first = values(&monte_carlo.forward(&x, false)?);
    assert_ne!(values(&layer.forward(&x, true)?), first);
    generator.manual_seed(42);
    assert_eq!(values(&layer.forward(&x, true)?), first);
    Ok(())
}

#[test]
fn a_layer_may_go_to_another_thread() -> Result<()> {
    let layer = || Dropout::with_generator(0.5, &Generator::philox(42));
    let x = ones(&[64])?;
    let expected = values(&layer().forward(&x, true)?);
    let moved = layer();
    let y = std::thread::spawn(move || moved.forward(&x, true)).join().unwrap()?;
    assert_eq!(values(&y), expected);
    Ok(())
}

#[test]
fn prints_what_it_was_made_from() {
    let layer = Dropout::new(0.5);
    assert_eq!(layer.to_string(), "Dropout(p=0.5)");
    assert_eq!(layer.with_shared_axes([1]).to_string(), "Dropout(p=0.5, shared_axes=[1])");
    assert_eq!(Dropout::new(1.5).to_string(), "dropout probability has to be between 0 and 1, but got 1.5");
}

#[test]
fn pytorchs_masks_follow_the_order_in_memory() -> Result<()> {
    let x = ones(&[6, 8, 10])?;
    let draw = |x: &Tensor| Dropout::with_generator(0.5, &Generator::torch(42)).forward(x, true);
    let transposed = draw(&x.t()?)?.t()?;
    assert_eq!(values(&transposed), values(&draw(&x)?));
    assert_eq!(values(&draw(&x.permute((2, 0, 1))?)?.permute((1, 2, 0))?), values(&draw(&x)?));
    Ok(())
}

#[test]
fn a_mask_is_the_same_in_pieces() -> Result<()> {
    let p = Probability::new(0.5).unwrap();
    let mask = Mask::philox(42, 0, 0, p);
    let y = values(&Dropout::with_generator(0.5, &Generator::philox(42)).forward(&ones(&[1000])?, true)?);
    assert!(y.iter().enumerate().all(|(i, y)| (*y != 0.0) == mask.keeps(i as u64)));
    // A module in eval mode is a module without it.
    let eval = candle_nn::func(|x| Dropout::new(0.5).forward_t(x, false));
    assert_eq!(values(&eval.forward(&ones(&[3])?)?), [1.0; 3]);
    Ok(())
}

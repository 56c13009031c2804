//! Burn's own `Dropout` and `GaussianNoise` on Flex, and ours for Burn.

use anyhow::Context;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Number, OURS_BURN};
use crate::case::Op;
use crate::measure::Contender;

pub fn contenders<'a, T: Number>(op: Op, p: f64, input: &[T]) -> Vec<Contender<'a, T>> {
    macro_rules! both {
        ($config:ident) => {{
            let (ours, burns) = (nn_dropout_burn::$config::new(p).init(), burn::nn::$config::new(p).init());
            vec![
                contender(OURS_BURN, op, input, move |x| ours.forward(x)),
                contender("burn", op, input, move |x| burns.forward(x)),
            ]
        }};
    }
    if op == Op::GaussianNoise { both!(GaussianNoiseConfig) } else { both!(DropoutConfig) }
}

fn contender<'a, T: Number>(
    who: &'static str,
    op: Op,
    input: &[T],
    noise: impl Fn(Tensor<1>) -> Tensor<1> + Send + 'a,
) -> Contender<'a, T> {
    // Without autodiff it would do nothing; what does not require a gradient is not tracked, though.
    let device = Device::flex().autodiff();
    let data = TensorData::new(input.to_vec(), [input.len()]);
    let x = Tensor::<1>::from_data(data, (&device, T::dtype()));
    match op {
        Op::ForwardBackward => {
            let x = x.require_grad();
            Contender::new(who, move |_| {
                let y = noise(x.clone());
                let dx = x.grad(&y.backward()).context("Burn gave no gradient")?;
                Ok((y, dx))
            })
        }
        Op::Residual => {
            let residual = x.clone();
            Contender::new(who, move |_| Ok(residual.clone() + noise(x.clone())))
        }
        Op::Forward | Op::GaussianNoise | Op::Bits => Contender::new(who, move |_| Ok(noise(x.clone()))),
    }
}

//! Burn's own `Dropout` and `GaussianNoise`, on Flex.

use anyhow::Context;
use burn::nn::{DropoutConfig, GaussianNoiseConfig};
use burn::tensor::{Device, Tensor, TensorData};

use super::Number;
use crate::case::Op;
use crate::measure::Contender;

pub fn contender<'a, T: Number>(op: Op, p: f64, input: &[T]) -> Contender<'a, T> {
    let who = "burn";
    let dropout = DropoutConfig::new(p).init();
    // Without autodiff it would do nothing; what does not require a gradient is not tracked, though.
    let device = Device::flex().autodiff();
    let data = TensorData::new(input.to_vec(), [input.len()]);
    let x = Tensor::<1>::from_data(data, (&device, T::dtype()));
    match op {
        Op::ForwardBackward => {
            let x = x.require_grad();
            Contender::new(who, move |_| {
                let y = dropout.forward(x.clone());
                let dx = x.grad(&y.backward()).context("Burn gave no gradient")?;
                Ok((y, dx))
            })
        }
        Op::Residual => {
            let residual = x.clone();
            Contender::new(who, move |_| Ok(residual.clone() + dropout.forward(x.clone())))
        }
        Op::GaussianNoise => {
            let noise = GaussianNoiseConfig::new(p).init();
            Contender::new(who, move |_| Ok(noise.forward(x.clone())))
        }
        Op::Forward | Op::Bits => Contender::new(who, move |_| Ok(dropout.forward(x.clone()))),
    }
}

//! candle-nn's `ops::dropout`, and normal noise as one adds it there.

use anyhow::{Context, Result};
use candle_core::{Device, Tensor, Var};
use candle_nn::ops::dropout;

use super::Number;
use crate::case::Op;
use crate::measure::Contender;

pub fn contender<'a, T: Number>(op: Op, p: f64, input: &[T]) -> Result<Contender<'a, T>> {
    let who = "candle";
    let p = p as f32;
    let x = Var::from_slice(input, input.len(), &Device::Cpu)?;
    Ok(match op {
        Op::ForwardBackward => Contender::new(who, move |_| {
            let y = dropout(&x, p)?;
            let dx = y.backward()?.remove(&x).context("candle gave no gradient")?;
            Ok((y, dx))
        }),
        Op::Residual => {
            let residual = x.as_detached_tensor().copy()?;
            let x = x.as_detached_tensor();
            Contender::new(who, move |_| Ok((&residual + dropout(&x, p)?)?))
        }
        Op::GaussianNoise => {
            let x = x.as_detached_tensor();
            Contender::new(who, move |_| Ok((&x + x.randn_like(0.0, f64::from(p))?)?))
        }
        Op::Forward | Op::Bits => {
            let x: Tensor = x.as_detached_tensor();
            Contender::new(who, move |_| Ok(dropout(&x, p)?))
        }
    })
}

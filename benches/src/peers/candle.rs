//! candle-nn's `ops::dropout`, and normal noise as one adds it there; and ours for candle.

use anyhow::{Context, Result};
use candle_core::{Device, Tensor, Var};
use candle_nn::ops::dropout;

use super::{Number, OURS_CANDLE};
use crate::case::Op;
use crate::measure::Contender;

pub fn contenders<'a, T: Number>(op: Op, p: f64, input: &[T]) -> Result<Vec<Contender<'a, T>>> {
    let (layer, noise) = (nn_dropout_candle::Dropout::new(p), nn_dropout_candle::GaussianNoise::new(p));
    let theirs = p as f32;
    let residual = Tensor::from_slice(input, input.len(), &Device::Cpu)?;
    Ok(match op {
        Op::GaussianNoise => vec![
            contender(OURS_CANDLE, op, input, move |x| noise.forward(x, true))?,
            contender("candle", op, input, move |x| x + x.randn_like(0.0, f64::from(theirs))?)?,
        ],
        Op::Residual => vec![
            contender(OURS_CANDLE, op, input, {
                let residual = residual.clone();
                move |x| layer.forward_add(x, &residual, true)
            })?,
            contender("candle", op, input, move |x| &residual + dropout(x, theirs)?)?,
        ],
        Op::Forward | Op::ForwardBackward | Op::Bits => vec![
            contender(OURS_CANDLE, op, input, move |x| layer.forward(x, true))?,
            contender("candle", op, input, move |x| dropout(x, theirs))?,
        ],
    })
}

fn contender<'a, T: Number>(
    who: &'static str,
    op: Op,
    input: &[T],
    noise: impl Fn(&Tensor) -> candle_core::Result<Tensor> + Send + 'a,
) -> Result<Contender<'a, T>> {
    let x = Var::from_slice(input, input.len(), &Device::Cpu)?;
    if op == Op::ForwardBackward {
        return Ok(Contender::new(who, move |_| {
            let y = noise(&x)?;
            let dx = y.backward()?.remove(&x).context("candle gave no gradient")?;
            Ok((y, dx))
        }));
    }
    let x = x.as_detached_tensor();
    Ok(Contender::new(who, move |_| Ok(noise(&x)?)))
}

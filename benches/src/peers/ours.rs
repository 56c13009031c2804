//! nn-dropout itself: into memory that exists already, and into new memory at each call as the peers do; and with the masks
//! of PyTorch and JAX.

use anyhow::Result;
use nn_dropout::{Dropout, Dropout2d, GaussianNoise, Generator, Input, Layer, Mask, Probability};

use super::{Number, OURS, OURS_ALLOC, OURS_CHANNELS, OURS_CHANNELS_LAST, OURS_JAX, OURS_TORCH};
use crate::case::Op;
use crate::measure::Contender;
use crate::memory::Buffers;

pub fn contenders<'a, T: Number>(op: Op, p: f64) -> Result<Vec<Contender<'a, T>>> {
    let dropout = Dropout::with_generator(p, &Generator::philox(42))?;
    let torch = Dropout::with_generator(p, &Generator::torch(42))?;
    let jax = Dropout::with_generator(p, &Generator::jax(42))?;
    let channels = Dropout2d::with_generator(p, &Generator::philox(42))?;
    let channels_last = Dropout2d::with_generator(p, &Generator::philox(42))?.with_channels_last();
    let noise = GaussianNoise::with_generator(p, &Generator::philox(42))?;
    let mask = Mask::philox(42, 0, 0, Probability::new(p)?);
    // Every call draws anew, as every call of a layer does. The last channel may be cut off.
    let drawing = |layer: &Layer, shape: fn(usize) -> [usize; 4]| {
        let layer = layer.clone();
        move |b: &Buffers<T>| {
            layer.draw(&shape(b.input.len())).ok().flatten().expect("in training mode, and p is not 0")
        }
    };
    let elements = |count| [1, 1, 1, count];
    let (draw, draw_torch) = (drawing(&dropout, elements), drawing(&torch, elements));
    let (draw_jax, draw_noise) = (drawing(&jax, elements), drawing(&noise, elements));
    let draw_channels = drawing(&channels, |count| [1, count.div_ceil(49), 7, 7]);
    let draw_channels_last = drawing(&channels_last, |count| [4, 1, count.div_ceil(12), 3]);
    Ok(match op {
        Op::Forward => vec![
            Contender::new(OURS, move |b| Ok(draw(b).forward(b.input, b.output)?)),
            Contender::new(OURS_ALLOC, move |b| Ok(dropout.forward(b.input).into_owned())),
            Contender::new(OURS_TORCH, move |b| Ok(draw_torch(b).forward(b.input, b.output)?)),
            Contender::new(OURS_JAX, move |b| Ok(draw_jax(b).forward(b.input, b.output)?)),
            Contender::new(OURS_CHANNELS, move |b| Ok(draw_channels(b).forward(b.input, b.output)?)),
            Contender::new(OURS_CHANNELS_LAST, move |b| Ok(draw_channels_last(b).forward(b.input, b.output)?)),
        ],
        Op::ForwardBackward => vec![
            Contender::new(OURS, {
                let draw = draw.clone();
                move |b| {
                    let draw = draw(b);
                    draw.forward(b.input, b.output)?;
                    Ok(draw.backward(b.second, b.grad_input)?)
                }
            }),
            Contender::new(OURS_ALLOC, move |b| {
                let draw = draw(b);
                // The gradient is scaled as the input was.
                Ok([b.input, b.second].map(|x| x.apply(&draw).into_owned()))
            }),
        ],
        Op::Residual => {
            vec![Contender::new(OURS, move |b| Ok(draw(b).on(b.input).add(b.second, b.output)?))]
        }
        Op::GaussianNoise => vec![
            Contender::new(OURS, move |b| Ok(draw_noise(b).forward(b.input, b.output)?)),
            Contender::new(OURS_ALLOC, move |b| Ok(noise.forward(b.input)?.into_owned())),
        ],
        Op::Bits => vec![Contender::new(OURS, move |b| {
            mask.fill_bits(0, b.bits);
            Ok(())
        })],
    })
}

//! nn-dropout itself: into memory that is there already, and into new memory at each call as the peers do it.

use anyhow::Result;
use nn_dropout::{Dropout, Generator, Input, Mask, Probability};

use super::{Number, OURS, OURS_ALLOC};
use crate::Op;
use crate::measure::Contender;

pub fn contenders<'a, T: Number>(op: Op, p: f64) -> Result<Vec<Contender<'a, T>>> {
    let dropout = Dropout::with_generator(p, &Generator::philox(42))?;
    let mask = Mask::new(42, 0, 0, Probability::new(p)?);
    // Every call draws anew, as every call of a layer does.
    let draw = {
        let dropout = dropout.clone();
        move || dropout.draw().expect("in training mode, and p is not 0")
    };
    Ok(match op {
        Op::Forward => vec![
            Contender::new(OURS, move |b| Ok(draw().forward(b.input, b.output)?)),
            Contender::new(OURS_ALLOC, move |b| Ok(dropout.forward(b.input).into_owned())),
        ],
        Op::ForwardBackward => vec![
            Contender::new(OURS, {
                let draw = draw.clone();
                move |b| {
                    let draw = draw();
                    draw.forward(b.input, b.output)?;
                    Ok(draw.backward(b.second, b.grad_input)?)
                }
            }),
            Contender::new(OURS_ALLOC, move |b| {
                let draw = draw();
                // The gradient is scaled as the input was.
                Ok([b.input, b.second].map(|x| x.apply(&draw, false).into_owned()))
            }),
        ],
        Op::Residual => {
            vec![Contender::new(OURS, move |b| Ok(draw().forward_residual(b.input, b.second, b.output)?))]
        }
        Op::Bits => vec![Contender::new(OURS, move |b| {
            mask.fill_bits(0, b.bits);
            Ok(())
        })],
    })
}

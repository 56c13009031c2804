//! The same GPT and its training step in candle, with its own AdamW.

use anyhow::Result;
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::loss::cross_entropy;
use candle_nn::ops::softmax;
use candle_nn::{AdamW, Optimizer, ParamsAdamW};

use super::{BATCH, SIZES, TOKENS};

/// A dropout layer in training mode.
pub type Dropout = Box<dyn Fn(&Tensor) -> candle_core::Result<Tensor> + Send>;

/// The model in training.
pub struct Training {
    wte: Var,
    wpe: Var,
    drop: Dropout,
    blocks: Vec<Block>,
    ln_f: Var,
    optimizer: AdamW,
    tokens: Tensor,
    positions: Tensor,
    /// Negative infinity where a key is later than the query.
    causal: Tensor,
}

struct Block {
    ln_1: Var,
    c_attn: Var,
    attn_c_proj: Var,
    ln_2: Var,
    c_fc: Var,
    mlp_c_proj: Var,
    attn_dropout: Dropout,
    resid_dropout: Dropout,
    dropout: Dropout,
}

impl Training {
    /// A model with the weights that `normal` gives, in the batch that all contenders have.
    pub fn new(normal: &mut dyn FnMut() -> f32, dropout: &dyn Fn() -> Dropout, tokens: &[i64]) -> Result<Self> {
        let (n, block) = (SIZES.n_embd, SIZES.block_size);
        let mut vars = Vec::new();
        let mut matrix = |rows: usize, columns: usize| -> Result<Var> {
            let numbers: Vec<f32> = (0..rows * columns).map(|_| 0.02 * normal()).collect();
            let var = Var::from_vec(numbers, (rows, columns), &Device::Cpu)?;
            vars.push(var.clone());
            Ok(var)
        };
        let (wte, wpe) = (matrix(SIZES.vocab_size, n)?, matrix(block, n)?);
        let gain = || Var::ones(n, DType::F32, &Device::Cpu);
        let new_block = |_| -> Result<Block> {
            Ok(Block {
                ln_1: gain()?,
                c_attn: matrix(n, 3 * n)?,
                attn_c_proj: matrix(n, n)?,
                ln_2: gain()?,
                c_fc: matrix(n, 4 * n)?,
                mlp_c_proj: matrix(4 * n, n)?,
                attn_dropout: dropout(),
                resid_dropout: dropout(),
                dropout: dropout(),
            })
        };
        let blocks = (0..SIZES.n_layer).map(new_block).collect::<Result<Vec<_>>>()?;
        let ln_f = gain()?;
        vars.extend(blocks.iter().flat_map(|block| [block.ln_1.clone(), block.ln_2.clone()]).chain([ln_f.clone()]));
        let later: Vec<f32> =
            (0..block * block).map(|i| if i % block > i / block { f32::NEG_INFINITY } else { 0.0 }).collect();
        Ok(Self {
            wte,
            wpe,
            drop: dropout(),
            blocks,
            ln_f,
            optimizer: AdamW::new(vars, ParamsAdamW { lr: 1e-3, ..ParamsAdamW::default() })?,
            tokens: Tensor::from_slice(tokens, TOKENS, &Device::Cpu)?,
            positions: Tensor::arange(0, block as i64, &Device::Cpu)?,
            causal: Tensor::from_vec(later, (block, block), &Device::Cpu)?,
        })
    }

    /// A step, on the same batch each time.
    pub fn step(&mut self) -> Result<()> {
        let loss = cross_entropy(&self.logits()?, &self.tokens)?;
        Ok(self.optimizer.backward_step(&loss)?)
    }

    fn logits(&self) -> candle_core::Result<Tensor> {
        let (n, block) = (SIZES.n_embd, SIZES.block_size);
        let tokens = self.wte.index_select(&self.tokens, 0)?.reshape((BATCH, block, n))?;
        let x = (self.drop)(&tokens.broadcast_add(&self.wpe.index_select(&self.positions, 0)?)?)?;
        let x = self.blocks.iter().try_fold(x, |x, block| block.forward(&x, &self.causal))?;
        linear(&layer_norm(&x, &self.ln_f)?, &self.wte.t()?)?.reshape((TOKENS, SIZES.vocab_size))
    }
}

impl Block {
    fn forward(&self, x: &Tensor, causal: &Tensor) -> candle_core::Result<Tensor> {
        let (batch, count, n) = x.dims3()?;
        let (heads, size) = (SIZES.n_head, n / SIZES.n_head);
        let three = linear(&layer_norm(x, &self.ln_1)?, &self.c_attn)?;
        let part = |number: usize| {
            three.narrow(D::Minus1, number * n, n)?.reshape((batch, count, heads, size))?.transpose(1, 2)?.contiguous()
        };
        let scores = (part(0)?.matmul(&part(1)?.t()?)? * (size as f64).sqrt().recip())?;
        let weights = (self.attn_dropout)(&softmax(&scores.broadcast_add(causal)?, D::Minus1)?)?;
        let y = weights.matmul(&part(2)?)?.transpose(1, 2)?.reshape((batch, count, n))?;
        let x = (x + (self.resid_dropout)(&linear(&y, &self.attn_c_proj)?)?)?;
        let hidden = linear(&layer_norm(&x, &self.ln_2)?, &self.c_fc)?.gelu_erf()?;
        &x + (self.dropout)(&linear(&hidden, &self.mlp_c_proj)?)?
    }
}

fn linear(x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
    let (batch, count, inputs) = x.dims3()?;
    x.reshape((batch * count, inputs))?.matmul(weight)?.reshape((batch, count, ()))
}

/// candle's own fast one has no gradient.
fn layer_norm(x: &Tensor, gain: &Tensor) -> candle_core::Result<Tensor> {
    let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (x.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()?;
    x.broadcast_div(&deviation)?.broadcast_mul(gain)
}

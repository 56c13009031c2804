//! GPT-2's decoder with nanoGPT's architecture and names: learned positions, pre-norm blocks of causal attention and a
//! perceptron, exact GELU, one matrix for input and output embeddings; dropout wherever nanoGPT has it.
//!
//! Radford, Wu, Child, Luan, Amodei and Sutskever, "Language models are unsupervised multitask learners", 2019; and
//! <https://github.com/karpathy/nanoGPT>, whose `state_dict` this model's weights are.

use burn::module::{Module, Param};
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::Noise;
use crate::ops::{causal_softmax, gelu, layer_norm, linear, matmul};

/// The sizes of a model.
#[derive(Clone, Copy)]
pub struct GptConfig {
    /// The number of different tokens.
    pub vocab_size: usize,
    /// The most tokens that the model sees at once.
    pub block_size: usize,
    /// The number of blocks.
    pub n_layer: usize,
    /// The number of attention heads of a block.
    pub n_head: usize,
    /// The number of channels of an embedding.
    pub n_embd: usize,
    /// Whether linear layers and layer norms have biases.
    pub bias: bool,
}

impl GptConfig {
    /// The number of weights in the matrices; biases and layer norms are few besides.
    pub fn parameters(&self) -> usize {
        let Self { vocab_size, block_size, n_layer, n_embd, .. } = *self;
        let block = n_embd.saturating_mul(n_embd).saturating_mul(12);
        let embeddings = vocab_size.saturating_add(block_size).saturating_mul(n_embd);
        embeddings.saturating_add(block.saturating_mul(n_layer))
    }
}

/// The model.
#[derive(Module, Debug)]
pub struct Gpt<N: Noise> {
    transformer: Transformer<N>,
}

#[derive(Module, Debug)]
struct Transformer<N: Noise> {
    wte: Embedding,
    wpe: Embedding,
    drop: N,
    h: Vec<Block<N>>,
    ln_f: LayerNorm,
}

#[derive(Module, Debug)]
struct Block<N: Noise> {
    ln_1: LayerNorm,
    attn: CausalSelfAttention<N>,
    ln_2: LayerNorm,
    mlp: Mlp<N>,
}

#[derive(Module, Debug)]
struct CausalSelfAttention<N: Noise> {
    c_attn: Linear,
    c_proj: Linear,
    attn_dropout: N,
    resid_dropout: N,
    n_head: usize,
}

#[derive(Module, Debug)]
struct Mlp<N: Noise> {
    c_fc: Linear,
    c_proj: Linear,
    dropout: N,
}

/// What a new model is made of.
pub struct Parts<'a, N> {
    /// The next normally distributed number, with mean 0 and variance 1.
    pub normal: &'a mut dyn FnMut() -> f32,
    /// A new dropout layer.
    pub dropout: &'a dyn Fn() -> N,
    /// Where its tensors live.
    pub device: &'a Device,
}

impl<N: Noise> Gpt<N> {
    /// A model with random weights, as GPT-2 begins.
    pub fn new(config: &GptConfig, parts: &mut Parts<N>) -> Self {
        let GptConfig { vocab_size, block_size, n_layer, n_embd, .. } = *config;
        let wte = Embedding { weight: parts.matrix([vocab_size, n_embd], 0.02) };
        let wpe = Embedding { weight: parts.matrix([block_size, n_embd], 0.02) };
        let drop = (parts.dropout)();
        let h = (0..n_layer).map(|_| Block::new(config, parts)).collect();
        Self { transformer: Transformer { wte, wpe, drop, h, ln_f: parts.layer_norm(config) } }
    }

    /// The logits of what follows each token, `[batch, token, vocabulary]`, for tokens of shape `[batch, token]`.
    pub fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let Transformer { wte, wpe, drop, h, ln_f } = &self.transformer;
        let [_, count] = tokens.dims();
        let positions = Tensor::arange(0..count as i64, &tokens.device()).unsqueeze();
        let x = drop.forward(wte.forward(tokens) + wpe.forward(positions));
        let x = layer_norm(ln_f, h.iter().fold(x, |x, block| block.forward(x)));
        matmul(x, wte.weight.val().transpose())
    }
}

impl<N: Noise> Block<N> {
    fn new(config: &GptConfig, parts: &mut Parts<N>) -> Self {
        let n = config.n_embd;
        // The more layers add to the residual, the smaller their weights start.
        let projection = 0.02 / (2.0 * config.n_layer as f32).sqrt();
        Self {
            ln_1: parts.layer_norm(config),
            attn: CausalSelfAttention {
                c_attn: parts.linear([n, 3 * n], 0.02, config.bias),
                c_proj: parts.linear([n, n], projection, config.bias),
                attn_dropout: (parts.dropout)(),
                resid_dropout: (parts.dropout)(),
                n_head: config.n_head,
            },
            ln_2: parts.layer_norm(config),
            mlp: Mlp {
                c_fc: parts.linear([n, 4 * n], 0.02, config.bias),
                c_proj: parts.linear([4 * n, n], projection, config.bias),
                dropout: (parts.dropout)(),
            },
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.attn.forward(layer_norm(&self.ln_1, x));
        x.clone() + self.mlp.forward(layer_norm(&self.ln_2, x))
    }
}

impl<N: Noise> CausalSelfAttention<N> {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, count, channels] = x.dims();
        let size = channels / self.n_head;
        let heads = |x: Tensor<3>| x.reshape([batch, count, self.n_head, size]).swap_dims(1, 2);
        let parts: [Tensor<3>; 3] = linear(&self.c_attn, x).chunk(3, 2).try_into().expect("three of them");
        let [query, key, value] = parts.map(heads);

        let weights = causal_softmax(query.matmul(key.transpose()), (size as f32).sqrt().recip());
        let weights = self.attn_dropout.forward(weights);
        let y = weights.matmul(value).swap_dims(1, 2).reshape([batch, count, channels]);
        self.resid_dropout.forward(linear(&self.c_proj, y))
    }
}

impl<N: Noise> Mlp<N> {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.dropout.forward(linear(&self.c_proj, gelu(linear(&self.c_fc, x))))
    }
}

impl<N> Parts<'_, N> {
    fn matrix(&mut self, shape: [usize; 2], deviation: f32) -> Param<Tensor<2>> {
        let numbers = (0..shape[0] * shape[1]).map(|_| deviation * (self.normal)()).collect::<Vec<f32>>();
        Param::from_tensor(Tensor::from_data(TensorData::new(numbers, shape), self.device))
    }

    fn linear(&mut self, shape: [usize; 2], deviation: f32, bias: bool) -> Linear {
        let bias = bias.then(|| Param::from_tensor(Tensor::zeros([shape[1]], self.device)));
        Linear { weight: self.matrix(shape, deviation), bias }
    }

    fn layer_norm(&self, config: &GptConfig) -> LayerNorm {
        LayerNormConfig::new(config.n_embd).with_bias(config.bias).init(self.device)
    }
}

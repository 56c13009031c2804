//! What dropout adds to a training step of a GPT: forward, backward and AdamW, of nanoGPT's configuration for a CPU.

mod candle;

use std::sync::Mutex;

use anyhow::{Result, anyhow};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use comfy_table::{CellAlignment, Table, presets};
use nn_dropout_models::gpt::{Gpt, GptConfig, Parts};
use nn_dropout_models::{AdamW, Noise, Training};
use serde::Serialize;

use crate::measure::{Contender, Effort, Measured, measure};
use crate::memory::Memory;
use crate::peers::python::Python;

/// The rate that is compared with 0.
const P: f64 = 0.2;

const BATCH: usize = 12;
const SIZES: GptConfig = GptConfig { vocab_size: 65, block_size: 64, n_layer: 4, n_head: 4, n_embd: 128, bias: false };
/// The tokens in a batch.
const TOKENS: usize = BATCH * SIZES.block_size;

/// A line of the JSON file.
#[derive(Serialize)]
pub struct Record {
    who: &'static str,
    op: &'static str,
    threads: usize,
    p: f64,
    ms: f64,
}

/// Measures every contender without dropout and with it, in turns.
pub fn compare(threads: usize, pythons: &mut [Python], effort: Effort) -> Result<Vec<Record>> {
    let pytorch = pythons.iter_mut().find(|python| python.who() == "pytorch").map(Mutex::new);
    let ours = |p| move || nn_dropout_burn::DropoutConfig::new(p).init();
    let burns = |p| move || burn::nn::DropoutConfig::new(p).init();
    let our_layer = || {
        let layer = nn_dropout_candle::Dropout::new(P);
        Box::new(move |x: &_| layer.forward(x, true)) as candle::Dropout
    };
    let mut contenders = vec![
        contender("nn-dropout", ours(0.0)),
        contender("nn-dropout, dropout", ours(P)),
        contender("burn", burns(0.0)),
        contender("burn, dropout", burns(P)),
        in_candle("nn-dropout:candle", &|| Box::new(|x| Ok(x.clone())))?,
        in_candle("nn-dropout:candle, dropout", &our_layer)?,
        in_candle("candle", &|| Box::new(|x| Ok(x.clone())))?,
        in_candle("candle, dropout", &|| Box::new(|x| candle_nn::ops::dropout(x, P as f32)))?,
    ];
    if let Some(python) = &pytorch {
        for (who, p) in [("pytorch", 0.0), ("pytorch, dropout", P)] {
            contenders.push(Contender::timed_elsewhere(who, move |_, calls| {
                let mut python = python.lock().map_err(|_| anyhow!("another call has panicked"))?;
                python.time("gpt-step", "f32", TOKENS, p, calls)
            }));
        }
    }
    let mut memory = Memory::<f32>::new(1);
    let measured = measure(&mut contenders, &mut memory.buffers(), effort)?;
    let record = |Measured { who, seconds }| {
        let (name, p) = who.strip_suffix(", dropout").map_or((who, 0.0), |name| (name, P));
        Record { who: name, op: "gpt-step", threads, p, ms: 1e3 * seconds }
    };
    Ok(measured.into_iter().map(record).collect())
}

/// Training steps of a model with this dropout, each on the same batch.
fn contender<N: Noise + 'static>(who: &'static str, dropout: impl Fn() -> N) -> Contender<'static, f32> {
    let device = Device::flex().autodiff();
    let mut parts = Parts { normal: &mut normal(), dropout: &dropout, device: &device };
    let mut training = Training::new(Gpt::new(&SIZES, &mut parts), AdamW::default().into());
    let tokens = tokens();
    let inputs = Tensor::<2, Int>::from_data(TensorData::new(tokens.clone(), [BATCH, SIZES.block_size]), &device);
    let targets = Tensor::<1, Int>::from_data(TensorData::new(tokens, [TOKENS]), &device);
    let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    Contender::new(who, move |_| {
        let logits = training.model().forward(inputs.clone()).reshape([TOKENS, SIZES.vocab_size]);
        let gradients = training.gradients(&cross_entropy.forward(logits, targets.clone()));
        training.step(1e-3, gradients);
        Ok(())
    })
}

/// The same in candle.
fn in_candle(who: &'static str, dropout: &dyn Fn() -> candle::Dropout) -> Result<Contender<'static, f32>> {
    let mut training = candle::Training::new(&mut normal(), dropout, &tokens())?;
    Ok(Contender::new(who, move |_| training.step()))
}

/// Weights; any numbers will do.
fn normal() -> impl FnMut() -> f32 {
    let mut number = 0_u32;
    move || {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        number as f32 / u32::MAX as f32 * 3.4 - 1.7
    }
}

/// The batch: its inputs, which are its targets too.
fn tokens() -> Vec<i64> {
    (0..TOKENS).map(|i| (i * i % SIZES.vocab_size) as i64).collect()
}

/// The times of each contender without dropout and with it.
pub fn table(records: &[Record]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["GPT training step", "threads", "p = 0", &format!("p = {P}"), "dropout adds"]);
    for pair in records.chunks_exact(2) {
        let [without, with] = [&pair[0], &pair[1]];
        let adds = 100.0 * (with.ms / without.ms - 1.0);
        table.add_row([
            without.who.to_owned(),
            without.threads.to_string(),
            format!("{:.1} ms", without.ms),
            format!("{:.1} ms", with.ms),
            format!("{adds:.1} %"),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

//! What dropout adds to a training step of a GPT: forward, backward and AdamW, of nanoGPT's configuration for a CPU.

mod burns;
mod ours;

use std::sync::Mutex;

use anyhow::{Context, Result, anyhow};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::measure::{Contender, Effort, Measured, measure};
use crate::peers::Memory;
use crate::peers::python::Python;

/// The rate that is compared with none.
const P: f64 = 0.2;

const BATCH: usize = 12;
const BLOCK: usize = 64;
const VOCABULARY: usize = 65;
const LAYERS: usize = 4;
const HEADS: usize = 4;
const CHANNELS: usize = 128;

/// A line of the JSON file.
#[derive(Serialize)]
pub struct Record {
    who: &'static str,
    op: &'static str,
    threads: usize,
    p: f64,
    ms: f64,
}

/// Training steps of a model, `$module`'s, each on the same batch.
macro_rules! step {
    ($module:ident, $who:literal, $p:expr) => {{
        use $module::model::{Gpt, GptConfig, Parts};

        let config = GptConfig {
            vocab_size: VOCABULARY,
            block_size: BLOCK,
            n_layer: LAYERS,
            n_head: HEADS,
            n_embd: CHANNELS,
            bias: false,
        };
        let device = Device::flex().autodiff();
        let mut number = 0_u32;
        let model = Gpt::new(
            &config,
            &mut Parts {
                // Any numbers will do.
                normal: &mut || {
                    number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    number as f32 / u32::MAX as f32 * 3.4 - 1.7
                },
                dropout: &|| $module::dropout($p),
                device: &device,
            },
        );
        contender($who, model, |model, tokens| model.forward(tokens), &device)
    }};
}

/// Measures everyone without dropout and with it, in turns.
pub fn compare(threads: usize, pythons: &mut [Python], effort: Effort) -> Result<Vec<Record>> {
    let pytorch = pythons.iter_mut().find(|python| python.who() == "pytorch").map(Mutex::new);
    let mut contenders = vec![
        step!(ours, "nn-dropout", 0.0),
        step!(ours, "nn-dropout, dropout", P),
        step!(burns, "burn", 0.0),
        step!(burns, "burn, dropout", P),
    ];
    if let Some(python) = &pytorch {
        for (who, p) in [("pytorch", 0.0), ("pytorch, dropout", P)] {
            contenders.push(Contender::timed_elsewhere(who, move |_, calls| {
                let mut python = python.lock().map_err(|_| anyhow!("another call has panicked"))?;
                python.time("gpt-step", "f32", BATCH * BLOCK, p, calls)
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

fn contender<'a, M: Module + Send + 'a>(
    who: &'static str,
    model: M,
    forward: impl Fn(&M, Tensor<2, Int>) -> Tensor<3> + Send + 'a,
    device: &Device,
) -> Contender<'a, f32> {
    let tokens: Vec<i64> = (0..BATCH * BLOCK).map(|i| (i * i % VOCABULARY) as i64).collect();
    let inputs = Tensor::<2, Int>::from_data(TensorData::new(tokens.clone(), [BATCH, BLOCK]), device);
    let targets = Tensor::<1, Int>::from_data(TensorData::new(tokens, [BATCH * BLOCK]), device);
    let cross_entropy = CrossEntropyLossConfig::new().init(device);
    let mut optimizer = AdamWConfig::new().init();
    let mut model = Some(model);
    Contender::new(who, move |_| {
        let before = model.take().context("a step gives the model back")?;
        let logits = forward(&before, inputs.clone()).reshape([BATCH * BLOCK, VOCABULARY]);
        let gradients = cross_entropy.forward(logits, targets.clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, &before);
        model = Some(optimizer.step(1e-3, before, gradients));
        Ok(())
    })
}

/// Each one's times without dropout and with it.
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

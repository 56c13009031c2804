//! Training on another device than the CPU: the same masks, bit for bit, and the same results to rounding.
//!
//! Where there is no GPU the tests are skipped, unless `NN_DROPOUT_GPU` is `required`.

#![cfg(feature = "wgpu")]

mod common;

use std::fs;
use std::sync::{Arc, Mutex};

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, DeviceType, Int, Tensor, TensorData};
use common::succeed;
use nn_dropout_burn::{Dropout, DropoutConfig, Generator};
use nn_dropout_models::gpt::{Gpt, GptConfig, Parts};
use nn_dropout_models::{AdamW, Mlp, Noise, Training};
use tempfile::TempDir;

fn gpu() -> Option<Device> {
    let device = Device::enumerate(DeviceType::Wgpu).into_iter().next();
    if device.is_none() {
        let required = std::env::var("NN_DROPOUT_GPU").is_ok_and(|gpu| gpu == "required");
        assert!(!required, "there is no GPU, and NN_DROPOUT_GPU=required");
        println!("skipped: there is no GPU");
    }
    device
}

/// Dropout that notes its noise: what it makes of ones.
#[derive(Module, Debug)]
struct Noted {
    dropout: Dropout,
    #[module(skip)]
    noise: Arc<Mutex<Vec<Vec<f32>>>>,
}

impl Noise for Noted {
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let noise = self.dropout.forward(Tensor::ones(x.shape(), &x.device()));
        // A copy: the data of a device in software are its memory, which is overwritten next.
        self.noise.lock().unwrap().push(noise.to_data().iter().collect());
        x * noise
    }
}

/// The losses of a training, and the noise of all its layers.
type Run = (Vec<f32>, Vec<Vec<f32>>);

/// Some steps of a network.
fn train<M: Module>(
    steps: usize,
    device: &Device,
    model: impl FnOnce(&dyn Fn() -> Noted, &Device) -> M,
    loss: impl Fn(&M, usize, &Device) -> Tensor<1>,
) -> Run {
    let (generator, noise) = (Generator::philox(42), Arc::new(Mutex::new(Vec::new())));
    let dropout = || Noted { dropout: DropoutConfig::new(0.2).init_with(&generator), noise: noise.clone() };
    let device = device.clone().autodiff();
    let mut training = Training::new(model(&dropout, &device), AdamW::default().into());
    let losses = (0..steps).map(|step| {
        let loss = loss(training.model(), step, &device);
        let gradients = training.gradients(&loss);
        training.step(3e-3, gradients);
        loss.into_scalar()
    });
    let losses = losses.collect();
    (losses, std::mem::take(&mut noise.lock().unwrap()))
}

fn assert_same_training((losses, noise): Run, (expected, masks): Run) {
    assert_eq!(noise.len(), masks.len());
    for (call, (noise, mask)) in noise.iter().zip(&masks).enumerate() {
        assert!(noise == mask, "call {call} has other noise than on the CPU");
    }
    assert!(expected.last() < expected.first(), "it learns: {expected:?}");
    for (loss, expected) in losses.iter().zip(&expected) {
        assert!((loss - expected).abs() < 1e-2 * expected, "{losses:?} and {expected:?}");
    }
}

/// Numbers that look random, from -1 to 1.
fn numbers() -> impl FnMut() -> f32 {
    let mut state = 1_u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

#[test]
fn a_perceptron_has_the_noise_of_the_cpu() {
    let Some(device) = gpu() else { return };
    let digits = include_str!("../../nn-dropout-experiments/data/digits.csv");
    let rows: Vec<Vec<f32>> =
        digits.lines().skip(1).map(|row| row.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    let run = |device: &Device| {
        let mut numbers = numbers();
        let model = |dropout: &dyn Fn() -> Noted, device: &Device| {
            Mlp::new(&[64, 512, 512, 10], |bound| bound * numbers(), dropout, device)
        };
        train(40, device, model, |model, step, device| {
            let batch: Vec<&Vec<f32>> = (0..32).map(|i| &rows[(32 * step + i) % rows.len()]).collect();
            let pixels = batch.iter().flat_map(|row| row[..64].iter().map(|pixel| pixel / 16.0)).collect();
            let labels = batch.iter().map(|row| row[64] as i64).collect();
            let x = Tensor::<2>::from_data(TensorData::new(pixels, [32, 64]), device);
            let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [32]), device);
            CrossEntropyLossConfig::new().init(device).forward(model.forward(x), labels)
        })
    };
    assert_same_training(run(&device), run(&Device::flex()));
}

#[test]
fn a_gpt_has_the_noise_of_the_cpu() {
    const SIZES: GptConfig =
        GptConfig { vocab_size: 65, block_size: 64, n_layer: 4, n_head: 4, n_embd: 128, bias: false };
    let Some(device) = gpu() else { return };
    let run = |device: &Device| {
        let mut numbers = numbers();
        let model = |dropout: &dyn Fn() -> Noted, device: &Device| {
            Gpt::new(&SIZES, &mut Parts { normal: &mut || 1.7 * numbers(), dropout, device })
        };
        train(6, device, model, |model, step, device| {
            let tokens = |first: usize| (first..first + 12 * 64).map(|i| (i * i % 65) as i64).collect();
            let inputs = Tensor::<2, Int>::from_data(TensorData::new(tokens(step), [12, 64]), device);
            let targets = Tensor::<1, Int>::from_data(TensorData::new(tokens(step + 1), [12 * 64]), device);
            let logits = model.forward(inputs).reshape([12 * 64, 65]);
            CrossEntropyLossConfig::new().init(device).forward(logits, targets)
        })
    };
    assert_same_training(run(&device), run(&Device::flex()));
}

/// The last number of each row of a run's metrics.
fn last_column(folder: &TempDir, run: &str) -> Vec<f64> {
    let text = fs::read_to_string(folder.path().join(run).join("metrics.csv")).unwrap();
    text.lines().skip(1).map(|row| row.rsplit(',').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_perceptron_is_trained_and_predicts() {
    if gpu().is_none() {
        return;
    }
    let folder = TempDir::new().unwrap();
    for device in ["cpu", "wgpu"] {
        let args = ["train", "--hidden", "64", "--epochs", "4", "--out", device, "--device", device];
        succeed(&folder, &args);
    }
    let [cpu, gpu] = ["cpu", "wgpu"].map(|run| last_column(&folder, run));
    assert!((gpu.last().unwrap() - cpu.last().unwrap()).abs() < 0.03, "{gpu:?} and {cpu:?}");
    let config = fs::read_to_string(folder.path().join("wgpu/config.toml")).unwrap();
    assert!(config.contains("device = \"wgpu\""), "{config}");
}

#[test]
fn a_gpt_resumes_where_it_was() {
    if gpu().is_none() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let lines: Vec<String> = (0..100).map(|i| format!("{i}: the cat sat on mat {}.\n", i * i % 17)).collect();
    fs::write(folder.path().join("text.txt"), lines.concat()).unwrap();
    let tiny = ["train", "--model", "gpt", "--data", "text.txt", "--device", "wgpu", "--eval-interval", "4"];
    let tiny = [&tiny[..], &["--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--block-size", "16"]].concat();
    succeed(&folder, &[&tiny[..], &["--max-iters", "8", "--out", "whole"]].concat());
    succeed(&folder, &[&tiny[..], &["--max-iters", "4", "--out", "halves"]].concat());
    succeed(&folder, &["train", "--out", "halves", "--max-iters", "8", "--resume"]);
    let read = |run: &str| fs::read(folder.path().join(run).join("model.safetensors")).unwrap();
    assert!(read("whole") == read("halves"), "a resumed run has other weights");
}

#[test]
fn a_sweep_trains_there() {
    if gpu().is_none() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let args = ["sweep", "--hidden", "16", "--epochs", "2", "--rates", "0,0.5", "--seeds", "1", "--device", "wgpu"];
    let [said, _] = common::said(&folder, &[&args[..], &["--out", "sweep"]].concat());
    assert!(said.contains("validation accuracy"), "{said}");
}

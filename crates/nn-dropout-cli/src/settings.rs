//! What a training run is made of: options of the command line, over those of a TOML file, over defaults.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::ValueEnum;
use nn_dropout::Probability;
use serde::{Deserialize, Serialize};

use crate::files::read_text;
use crate::numbers::{Beta, LearningRate, NotNegative, TrainFraction, count, probability, whole};
use crate::run::CONFIG;
use crate::training::Metric;

/// Train a network with dropout: a multi-layer perceptron on a table, or a GPT on a text
///
/// Without options a perceptron learns to read handwritten digits. Every option except --config and --resume can also stand
/// in the TOML file that --config names, with underscores for dashes; an option on the command line wins.
#[derive(clap::Args, Clone, Default, Deserialize)]
#[command(allow_negative_numbers = true)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct TrainArgs {
    /// A multi-layer perceptron with dropout after each hidden layer, or a GPT-2 style decoder [default: mlp]
    #[arg(long)]
    model: Option<Model>,
    /// What to learn from. mlp: `digits` (1,797 handwritten digits, built in), or a table: a CSV file with a header row, or a Parquet
    /// file [default: digits]; gpt: a text, whose characters are its tokens
    #[arg(long, value_name = "digits|FILE")]
    data: Option<PathBuf>,
    /// The probability that an activation is dropped [default: 0.5 for mlp, 0.2 for gpt]
    #[arg(long, value_name = "P", value_parser = probability)]
    pub dropout: Option<Probability>,
    /// The number of rows, or of blocks of text, in a training step [default: 32 for mlp, 12 for gpt]
    #[arg(long, value_name = "N", value_parser = count)]
    batch_size: Option<NonZeroUsize>,
    /// The step size of AdamW. mlp: at the start; it falls linearly to 0 [default: 0.003]; gpt: throughout [default: 0.001]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<LearningRate>,
    /// Determines the initial weights, the batches, the masks, and how a table is split [default: 42]
    #[arg(long, value_name = "N", value_parser = whole::<u64>)]
    seed: Option<u64>,

    /// The column of a table to predict
    #[arg(long, value_name = "COLUMN", help_heading = MLP)]
    target: Option<String>,
    /// What that column holds: integers or text, one class each, or numbers to come close to [default: classification]
    #[arg(long, help_heading = MLP)]
    task: Option<Task>,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', help_heading = MLP)]
    ignore: Option<Vec<String>>,
    /// Columns whose numbers stand for categories, as texts do
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', help_heading = MLP)]
    categories: Option<Vec<String>>,
    /// The sizes of the hidden layers [default: 512,512]
    #[arg(long, value_name = "SIZES", value_delimiter = ',', value_parser = count, help_heading = MLP)]
    hidden: Option<Vec<NonZeroUsize>>,
    /// How often to go through the training rows [default: 30]
    #[arg(long, value_name = "N", value_parser = count, help_heading = MLP)]
    epochs: Option<NonZeroUsize>,
    /// The share of the rows to train on; the others are for validation [default: 0.25]
    #[arg(long, value_name = "SHARE", help_heading = MLP)]
    train_fraction: Option<TrainFraction>,

    /// The number of different tokens [default: as many as the text has characters, or the weights have rows]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    vocab_size: Option<NonZeroUsize>,
    /// The number of blocks of attention and perceptron [default: 4]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    n_layer: Option<NonZeroUsize>,
    /// The number of attention heads of a block [default: 4]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    n_head: Option<NonZeroUsize>,
    /// The number of channels of an embedding [default: 128]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    n_embd: Option<NonZeroUsize>,
    /// The number of tokens that are looked at together [default: 64]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    block_size: Option<NonZeroUsize>,
    /// Whether linear layers and layer norms have biases [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, help_heading = GPT)]
    bias: Option<bool>,
    /// What part of each matrix decays in a step, times the learning rate [default: 0.1]
    #[arg(long, value_name = "SHARE", help_heading = GPT)]
    weight_decay: Option<NotNegative>,
    /// How slowly AdamW forgets gradients [default: 0.9]
    #[arg(long, value_name = "SHARE", help_heading = GPT)]
    beta1: Option<Beta>,
    /// How slowly AdamW forgets their squares [default: 0.99]
    #[arg(long, value_name = "SHARE", help_heading = GPT)]
    beta2: Option<Beta>,
    /// The norm that the gradient of all weights together is clipped to; 0 for none [default: 1]
    #[arg(long, value_name = "NORM", help_heading = GPT)]
    grad_clip: Option<NotNegative>,
    /// The number of training steps [default: 2000]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    max_iters: Option<NonZeroUsize>,
    /// After how many steps the losses are measured and a checkpoint is saved [default: 250]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    eval_interval: Option<NonZeroUsize>,
    /// Whose masks: our own, or PyTorch's on the CPU, in PyTorch's order of calls [default: philox]
    #[arg(long, help_heading = GPT)]
    rng: Option<TrainRng>,
    /// Start with these weights: a `state_dict` of nanoGPT
    #[arg(long, value_name = "FILE.safetensors", help_heading = GPT)]
    init: Option<PathBuf>,
    /// Learn from these batches instead of a text: int64 tokens of shape (steps, 2, batch, block), inputs and targets
    #[arg(long, value_name = "FILE.npy", help_heading = GPT)]
    batches: Option<PathBuf>,
    /// Go on with the run in the folder for the results from its last checkpoint
    #[arg(long, help_heading = GPT)]
    #[serde(skip)]
    pub resume: bool,

    /// A TOML file with any of these options
    #[arg(long, value_name = "FILE.toml")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// The folder for the results [default: a new one in runs/]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite the run in the folder for the results, if there is one
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true)]
    force: Option<bool>,
    /// Show no progress
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true)]
    quiet: Option<bool>,
}

/// The name of the table that is built in.
pub const DIGITS: &str = "digits";

const MLP: &str = "With --model mlp";
const GPT: &str = "With --model gpt";

#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    #[default]
    Mlp,
    Gpt,
}

/// What a table's target is.
#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    #[default]
    Classification,
    Regression,
}

impl Task {
    pub fn metric(self) -> Metric {
        match self {
            Self::Classification => Metric::Accuracy,
            Self::Regression => Metric::R2,
        }
    }
}

/// Whose masks a GPT is trained with.
#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TrainRng {
    #[default]
    Philox,
    Torch,
}

/// Everything that determines what a run computes; `config.toml` in its results.
pub enum Settings {
    Mlp(MlpSettings),
    Gpt(GptSettings),
}

#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct GptSettings {
    pub model: Model,
    /// A text; or else there are batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batches: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocab_size: Option<NonZeroUsize>,
    pub n_layer: NonZeroUsize,
    pub n_head: NonZeroUsize,
    pub n_embd: NonZeroUsize,
    pub block_size: NonZeroUsize,
    pub bias: bool,
    pub dropout: Probability,
    pub batch_size: NonZeroUsize,
    pub learning_rate: LearningRate,
    pub weight_decay: NotNegative,
    pub beta1: Beta,
    pub beta2: Beta,
    pub grad_clip: NotNegative,
    pub max_iters: NonZeroUsize,
    pub eval_interval: NonZeroUsize,
    pub seed: u64,
    pub rng: TrainRng,
}

#[derive(Clone, Deserialize, Serialize)]
pub struct MlpSettings {
    /// `digits`, or the path of a table.
    pub data: PathBuf,
    /// The target column of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ignore: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub categories: Vec<String>,
    pub task: Task,
    pub dropout: Probability,
    pub hidden: Vec<NonZeroUsize>,
    pub epochs: NonZeroUsize,
    pub batch_size: NonZeroUsize,
    pub learning_rate: LearningRate,
    pub train_fraction: TrainFraction,
    pub seed: u64,
}

/// Where results and progress go, and nothing that they depend on.
pub struct Output {
    /// `None`: a new folder, named after the settings.
    pub out: Option<PathBuf>,
    pub force: bool,
    pub quiet: bool,
    /// Whether to go on with the run that is there.
    pub resume: bool,
}

impl TrainArgs {
    /// These options, over those of the file they name, over those of the run to go on with, over the defaults.
    pub fn resolve(&self) -> Result<(Settings, Output)> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => Self::default(),
        };
        let resumed = match (self.resume, self.out.as_ref().or(file.out.as_ref())) {
            (false, _) => Self::default(),
            (true, Some(folder)) if folder.join(CONFIG).exists() => read(&folder.join(CONFIG))?,
            (true, Some(folder)) => bail!("there is no run to go on with in {}", folder.display()),
            (true, None) => bail!("--resume needs --out, the folder of the run to go on with"),
        };
        macro_rules! given {
            ($option:ident) => {
                self.$option.clone().or(file.$option.clone()).or(resumed.$option.clone())
            };
        }
        macro_rules! refuse {
            ($model:literal, $($option:ident)*) => {
                $(if given!($option).is_some() {
                    let option = stringify!($option).replace('_', "-");
                    bail!("--{option} is for --model {}", $model);
                })*
            };
        }
        let of = |n| NonZeroUsize::new(n).expect("defaults are positive");
        let model = given!(model).unwrap_or_default();
        let settings = match model {
            Model::Mlp => {
                refuse!("gpt", vocab_size n_layer n_head n_embd block_size bias weight_decay beta1 beta2 grad_clip max_iters);
                refuse!("gpt", eval_interval rng init batches);
                ensure!(!self.resume, "--resume is for --model gpt");
                Settings::Mlp(MlpSettings {
                    data: given!(data).unwrap_or_else(|| PathBuf::from(DIGITS)),
                    target: given!(target),
                    ignore: given!(ignore).unwrap_or_default(),
                    categories: given!(categories).unwrap_or_default(),
                    task: given!(task).unwrap_or_default(),
                    dropout: given!(dropout).map_or_else(|| Probability::new(0.5), Ok)?,
                    hidden: given!(hidden).unwrap_or_else(|| vec![of(512), of(512)]),
                    epochs: given!(epochs).unwrap_or(of(30)),
                    batch_size: given!(batch_size).unwrap_or(of(32)),
                    learning_rate: given!(learning_rate).unwrap_or_else(|| LearningRate::default_of(3e-3)),
                    train_fraction: given!(train_fraction).unwrap_or_else(|| TrainFraction::default_of(0.25)),
                    seed: given!(seed).unwrap_or(42),
                })
            }
            Model::Gpt => {
                refuse!("mlp", target task ignore categories hidden epochs train_fraction);
                Settings::Gpt(GptSettings {
                    model,
                    data: given!(data),
                    batches: given!(batches),
                    init: given!(init),
                    vocab_size: given!(vocab_size),
                    n_layer: given!(n_layer).unwrap_or(of(4)),
                    n_head: given!(n_head).unwrap_or(of(4)),
                    n_embd: given!(n_embd).unwrap_or(of(128)),
                    block_size: given!(block_size).unwrap_or(of(64)),
                    bias: given!(bias).unwrap_or_default(),
                    dropout: given!(dropout).map_or_else(|| Probability::new(0.2), Ok)?,
                    batch_size: given!(batch_size).unwrap_or(of(12)),
                    learning_rate: given!(learning_rate).unwrap_or_else(|| LearningRate::default_of(1e-3)),
                    weight_decay: given!(weight_decay).unwrap_or_else(|| NotNegative::default_of(0.1)),
                    beta1: given!(beta1).unwrap_or_else(|| Beta::default_of(0.9)),
                    beta2: given!(beta2).unwrap_or_else(|| Beta::default_of(0.99)),
                    grad_clip: given!(grad_clip).unwrap_or_else(|| NotNegative::default_of(1.0)),
                    max_iters: given!(max_iters).unwrap_or(of(2000)),
                    eval_interval: given!(eval_interval).unwrap_or(of(250)),
                    seed: given!(seed).unwrap_or(42),
                    rng: given!(rng).unwrap_or_default(),
                })
            }
        };
        let output = Output {
            out: given!(out),
            force: given!(force).unwrap_or_default(),
            quiet: given!(quiet).unwrap_or_default(),
            resume: self.resume,
        };
        Ok((settings, output))
    }
}

/// The options in the TOML file at `path`. Errors name the file, the key and what was expected, in one line.
fn read(path: &Path) -> Result<TrainArgs> {
    let shown = path.display();
    let text = read_text(path)?;
    let document = toml::Deserializer::parse(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        anyhow!("{shown}, line {line}: {}", error.message().replace('\n', ", "))
    })?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let key = error.path().to_string();
        let message = error.inner().message().replace('\n', ", ");
        if message.starts_with("unknown field") {
            anyhow!("{shown}: {}", message.replace("unknown field", "unknown key"))
        } else {
            anyhow!("{shown}: key `{key}`: {message}")
        }
    })
}

/// As a TOML file that `--config` reads.
pub fn to_toml(settings: &impl Serialize) -> Result<String> {
    toml::to_string(settings).context("cannot write the settings as TOML")
}

/// In what two such files differ: the keys, and what each says of them.
pub fn differences(before: &str, now: &str) -> Result<impl Iterator<Item = (String, String, String)> + use<>> {
    let [before, now]: [toml::Table; 2] = [toml::from_str(before)?, toml::from_str(now)?];
    let keys: Vec<String> = before.keys().chain(now.keys()).cloned().collect();
    let said =
        |table: &toml::Table, key: &str| table.get(key).map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let values = keys.into_iter().map(move |key| {
        let (before, now) = (said(&before, &key), said(&now, &key));
        (key, before, now)
    });
    Ok(values.filter(|(_, before, now)| before != now))
}

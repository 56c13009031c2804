//! The options that `train` and `sweep` share, on the command line and in the file that `--config` names.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use nn_dropout::Config;

use super::choices::{DeviceName, Model, Task, TrainRng};
use super::csv::{Decimal, Encoding, Separator};
use super::file::{Keys, read};
use super::layer;
use super::numbers::{Beta, LearningRate, NotNegative, Share, count, seed};
use crate::metric::Metric;

/// Declares options. All are optional.
macro_rules! options {
    ($(#[$about:meta])* $name:ident { $($(#[$attribute:meta])* $option:ident: $type:ident $(<$of:ty>)?,)* }) => {
        $(#[$about])*
        pub struct $name {
            $($(#[$attribute])* pub $option: Option<$type $(<$of>)?>,)*
        }

        impl $name {
            /// These options, and those of `below` that are not given here.
            #[must_use]
            pub fn over(self, below: Self) -> Self {
                Self { $($option: self.$option.or(below.$option),)* }
            }

            /// The names of all options.
            pub const NAMES: &[&str] = &[$(stringify!($option)),*];

            /// The options whose values are in a file.
            pub fn of_keys(keys: &mut Keys) -> Result<Self> {
                Ok(Self { $($option: keys.take(stringify!($option))?,)* })
            }

            /// The names of the options that are given.
            fn given(&self) -> impl Iterator<Item = &'static str> {
                let options = [$((stringify!($option), self.$option.is_some())),*];
                options.into_iter().filter_map(|(name, is_given)| is_given.then_some(name))
            }
        }
    };
}

options! {
/// The shared options.
#[derive(Args, Clone, Default)]
#[command(allow_negative_numbers = true)]
Options {
    /// A multi-layer perceptron with dropout after each hidden layer, or a GPT-2 style decoder [default: mlp]
    #[arg(long)]
    model: Model,
    /// The data, or `-` for standard input. mlp: `digits` (1,797 handwritten digits, built in), or a table: a CSV file with a
    /// header row, or a Parquet file [default: digits]; gpt: a text, whose characters are the tokens
    #[arg(long, value_name = "digits|FILE")]
    data: PathBuf,
    /// Only a key of the file: `train` has its own `--dropout`, and `sweep` has none.
    #[arg(skip)]
    dropout: Config,
    /// The number of rows, or of blocks of text, per training step [default: 32 for mlp, 12 for gpt]
    #[arg(long, value_name = "N", value_parser = count)]
    batch_size: NonZeroUsize,
    /// The step size of AdamW. mlp: at the start; it falls linearly to 0 [default: 0.003]; gpt: throughout [default: 0.001]
    #[arg(long, value_name = "RATE")]
    learning_rate: LearningRate,
    /// Measure both parts after this many epochs, for mlp, and at the end [default: a tenth of all]; after this many steps for gpt,
    /// which saves a checkpoint then [default: 250]
    #[arg(long, value_name = "N", value_parser = count)]
    eval_interval: NonZeroUsize,
    /// The seed of the initial weights, the batches, the masks, and the split of a table [default: 42]
    #[arg(long, value_name = "N", value_parser = seed)]
    seed: u64,
    /// Where to train. All but the CPU need a program built with the feature of that name. The masks are the same everywhere
    /// [default: cpu]
    #[arg(long)]
    device: DeviceName,

    /// The column of a table to predict
    #[arg(long, value_name = "COLUMN", help_heading = MLP)]
    target: String,
    /// Predict a class (integers or text), or a number or date [default: classification]
    #[arg(long, help_heading = MLP)]
    task: Task,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', help_heading = MLP)]
    ignore: Vec<String>,
    /// Number columns to treat as categories
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', help_heading = MLP)]
    categories: Vec<String>,
    /// A column whose rows of one value stay together in one part: a patient, a user
    #[arg(long, value_name = "COLUMN", help_heading = MLP)]
    group: String,
    /// What separates the cells of a CSV file: a character, or `tab` [default: detected]
    #[arg(long, value_name = "CHAR", help_heading = MLP)]
    separator: Separator,
    /// The decimal mark of the numbers in a CSV file [default: detected for each column]
    #[arg(long, value_name = "MARK", help_heading = MLP)]
    decimal: Decimal,
    /// The encoding of a CSV file, such as `windows-1252` or `shift_jis` [default: utf-8, or what a byte order mark says]
    #[arg(long, value_name = "NAME", help_heading = MLP)]
    encoding: Encoding,
    /// What counts: for classes accuracy, or another metric where accuracy misleads; for numbers R2, or an error in their unit
    /// [default: accuracy or r2]
    #[arg(long, help_heading = MLP)]
    metric: Metric,
    /// Dropout of the features, a rate or a table, as --dropout is for hidden layers [default: none]
    #[arg(long, value_name = "P|TABLE", value_parser = layer::dropout, help_heading = MLP)]
    input_dropout: Config,
    /// The sizes of the hidden layers [default: 512,512]
    #[arg(long, value_name = "SIZES", value_delimiter = ',', value_parser = count, help_heading = MLP)]
    hidden: Vec<NonZeroUsize>,
    /// The number of passes through the training rows [default: 30]
    #[arg(long, value_name = "N", value_parser = count, help_heading = MLP)]
    epochs: NonZeroUsize,
    /// Hold back this share of the rows, the same for every seed, and score the trained network on it once [default: none]
    #[arg(long, value_name = "SHARE", help_heading = MLP)]
    test_fraction: Share,
    /// Split the rows into this many folds, with equal shares of each class: one is for validation, the others to train on
    #[arg(long, value_name = "N", value_parser = count, help_heading = MLP)]
    folds: NonZeroUsize,
    /// The fold for validation, from 1 [default: 1]
    #[arg(long, value_name = "N", value_parser = count, help_heading = MLP)]
    fold: NonZeroUsize,
    /// The share of the rows to train on; the rest is for validation [default: 0.25]
    #[arg(long, value_name = "SHARE", help_heading = MLP)]
    train_fraction: Share,

    /// The number of different tokens [default: the number of characters in the text, or of rows in the weights]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    vocab_size: NonZeroUsize,
    /// The number of blocks of attention and perceptron [default: 4]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    n_layer: NonZeroUsize,
    /// The number of attention heads of a block [default: 4]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    n_head: NonZeroUsize,
    /// The number of channels of an embedding [default: 128]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    n_embd: NonZeroUsize,
    /// The number of tokens that the model sees at once [default: 64]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    block_size: NonZeroUsize,
    /// Whether linear layers and layer norms have biases [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, help_heading = GPT)]
    bias: bool,
    /// AdamW's weight decay, for matrices only [default: 0.1]
    #[arg(long, value_name = "SHARE", help_heading = GPT)]
    weight_decay: NotNegative,
    /// AdamW's beta1: how slowly it forgets gradients [default: 0.9]
    #[arg(long, value_name = "SHARE", help_heading = GPT)]
    beta1: Beta,
    /// AdamW's beta2: how slowly it forgets squared gradients [default: 0.99]
    #[arg(long, value_name = "SHARE", help_heading = GPT)]
    beta2: Beta,
    /// Clip the norm of the whole gradient to this; 0 for no limit [default: 1]
    #[arg(long, value_name = "NORM", help_heading = GPT)]
    grad_clip: NotNegative,
    /// The number of training steps [default: 2000]
    #[arg(long, value_name = "N", value_parser = count, help_heading = GPT)]
    max_iters: NonZeroUsize,
    /// Which masks to draw: our own (philox), or PyTorch's on the CPU, in PyTorch's order of calls (torch) [default: philox]
    #[arg(long, help_heading = GPT)]
    rng: TrainRng,
    /// Start with these weights: a `state_dict` of nanoGPT
    #[arg(long, value_name = "FILE.safetensors", help_heading = GPT)]
    init: PathBuf,
    /// Learn from these batches instead of a text: int64 tokens of shape (steps, 2, batch, block), inputs and targets
    #[arg(long, value_name = "FILE.npy", help_heading = GPT)]
    batches: PathBuf,

    /// A TOML file with any of these options
    #[arg(long, value_name = "FILE.toml")]
    config: PathBuf,
    /// The folder for the results [default: a new one in runs/]
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only a key of the file: `train` has its own `--force`, and `sweep` has none.
    #[arg(skip)]
    force: bool,
    /// Print no progress and no description of the table
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true)]
    quiet: bool,
}
}

/// The options of `train` and `sweep` that are no keys of a file.
pub const NO_KEYS: &[&str] = &[
    "config",
    "hidden_range",
    "input_rates",
    "jobs",
    "layers",
    "learning_rate_range",
    "rates",
    "rates_per_layer",
    "resume",
    "scores",
    "search",
    "seeds",
    "study",
    "time_budget",
    "trials",
];

const MLP: &str = "With --model mlp";
/// The heading in `--help` above the options of a GPT.
pub const GPT: &str = "With --model gpt";

impl Options {
    /// These options, over those of the file that they name.
    pub fn with_file(self) -> Result<Self> {
        let Some(path) = &self.config else { return Ok(self) };
        let file = read(path)?;
        Ok(self.over(file))
    }

    /// Refuses options of the other model. Their heading says which those are.
    pub fn check(&self, model: Model) -> Result<()> {
        let (other, heading) = match model {
            Model::Mlp => ("gpt", GPT),
            Model::Gpt => ("mlp", MLP),
        };
        let command = Self::augment_args(clap::Command::new(""));
        let is_other = |name: &&str| {
            command.get_arguments().any(|arg| arg.get_id() == *name && arg.get_help_heading() == Some(heading))
        };
        match self.given().find(is_other) {
            Some(name) => bail!("--{} is for --model {other}", name.replace('_', "-")),
            None => Ok(()),
        }
    }
}

/// Declares settings. Each is what the option of its name says, or else its default.
macro_rules! settings {
    ($(#[$about:meta])* $name:ident { $($(#[$attribute:meta])* $setting:ident: $type:ty $(= $default:expr)?,)* }) => {
        $(#[$about])*
        #[derive(Clone, serde::Deserialize, PartialEq, serde::Serialize)]
        pub struct $name {
            $($(#[$attribute])* pub $setting: $type,)*
        }

        impl $name {
            pub fn of(options: Options) -> Self {
                Self { $($setting: options.$setting$(.unwrap_or_else(|| $default))?,)* }
            }
        }
    };
}
pub(super) use settings;

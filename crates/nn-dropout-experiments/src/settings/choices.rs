//! Choices that a user makes by name.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::csv::Decimal;
use super::value::{Value, expected};
use crate::metric::Metric;

#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    #[default]
    Mlp,
    Gpt,
}

/// The kind of a table's target.
#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    #[default]
    Classification,
    Regression,
}

/// The masks that a GPT is trained with.
#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TrainRng {
    #[default]
    Philox,
    Torch,
}

/// Where a network is trained, by the name of Burn's backend. What is no CPU needs a program that was built with the feature of that
/// name.
#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DeviceName {
    #[default]
    Cpu,
    Cuda,
    Metal,
    Rocm,
    Vulkan,
    Wgpu,
}

impl DeviceName {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands it a reference")]
    pub fn is_cpu(&self) -> bool {
        *self == Self::Cpu
    }
}

/// A choice is a key's value under the name that it has on the command line.
macro_rules! choice {
    ($($name:ident),*) => {
        $(impl Value for $name {
            fn of(value: &DeValue) -> Result<Self, String> {
                let names = Self::value_variants().iter().filter_map(Self::to_possible_value);
                let names: Vec<String> = names.map(|name| format!("{:?}", name.get_name())).collect();
                let choice = value.as_str().and_then(|name| Self::from_str(name, false).ok());
                choice.ok_or_else(|| expected(&names.join(" or "), value))
            }
        })*
    };
}
choice!(Model, Task, TrainRng, DeviceName, Decimal, Metric);

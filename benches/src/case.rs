//! What is measured: an operation on one type, size and number of threads.

use clap::ValueEnum;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Op {
    /// The noisy input, in another tensor
    Forward,
    /// The same, then the gradient with respect to the input from that with respect to the output
    #[value(name = "forward+backward")]
    ForwardBackward,
    /// A residual plus the noisy input
    #[value(name = "residual+dropout")]
    Residual,
    /// The input plus normal noise, with a standard deviation of p
    #[value(name = "gaussian-noise")]
    GaussianNoise,
    /// The mask alone, one bit per element; it has no type and is listed under f32
    Bits,
}

/// The type of the elements.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum DType {
    F32,
    F64,
    F16,
    Bf16,
}

/// What all contenders of one comparison do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    pub op: Op,
    pub dtype: DType,
    pub threads: usize,
    pub elements: usize,
}

impl Case {
    pub fn gelem_per_s(&self, seconds: f64) -> f64 {
        self.elements as f64 / seconds / 1e9
    }
}

/// The name of an operation or a type on the command line, and so everywhere.
pub fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

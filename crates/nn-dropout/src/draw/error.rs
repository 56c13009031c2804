//! What a draw cannot be applied to.

use std::error::Error;
use std::fmt;

/// Slices whose lengths do not fit together or do not fit the draw, or a draw without the bits or numbers for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyError {
    /// Two that should have the same length.
    Different {
        /// What they are called.
        names: [&'static str; 2],
        /// Their lengths.
        lengths: [usize; 2],
    },
    /// More elements than the draw has.
    Elements {
        /// The number of elements that the draw has from the first of these on.
        left: u64,
        /// The number of these.
        elements: usize,
    },
    /// A mask that holds its bits, but not all that the index map asks for.
    Bits {
        /// The number of its bits.
        bits: u64,
    },
    /// Noise made of numbers, with one of PyTorch's or JAX's masks.
    Numbers,
    /// A tensor with a bias that does not begin with a row.
    Start {
        /// The number of its first element.
        first: u64,
        /// The number of elements in a row: the length of the bias.
        columns: usize,
    },
    /// A tensor that should be a whole number of rows.
    Rows {
        /// The number of its elements.
        elements: usize,
        /// The number of elements in a row, such as the length of a bias.
        columns: usize,
    },
}

/// PyTorch and JAX draw numbers too, but others.
pub const NO_NUMBERS: &str =
    "normal and uniform numbers are drawn by a Philox generator, not by one of PyTorch's or JAX's masks";

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Different { names: [one, other], lengths: [m, n] } => {
                write!(f, "{one} and {other} have to be of the same length, but got {m} and {n} elements")
            }
            Self::Elements { left, elements } => {
                write!(f, "the draw has {left} elements left, but got {elements}")
            }
            Self::Bits { bits } => {
                write!(f, "the mask has {bits} bits, too few for the index map of the draw")
            }
            Self::Numbers => f.write_str(NO_NUMBERS),
            Self::Start { first, columns } => {
                write!(f, "a tensor with a bias has to begin with a row of {columns} elements, but got element {first}")
            }
            Self::Rows { elements, columns } => {
                write!(f, "a tensor has to be whole rows of {columns} elements, but got {elements}")
            }
        }
    }
}

impl Error for ApplyError {}

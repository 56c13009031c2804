//! How much of its noise a layer makes at each step of a training.

use crate::spec::magnitude::Magnitude;

/// How the noise of a layer, or of a whole model, changes during a training: a factor from 0 to 1 for its p, or its standard
/// deviation. A [`Generator`](super::Generator) counts the steps.
///
/// ```
/// use nn_dropout::{Generator, Kind, Layer, Schedule};
///
/// let generator = Generator::philox(42);
/// generator.set_schedule(Schedule::Linear { steps: 10 });
/// let dropout = Layer::with_generator(Kind::Dropout, 0.5, &generator)?;
/// assert!(dropout.draw(&[4])?.is_none()); // p is 0 in step 0
/// generator.advance();
/// assert_eq!(dropout.draw(&[4])?.expect("p is 0.05").mask().p().get(), 0.05);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Schedule {
    /// All of it, always.
    #[default]
    Constant,
    /// A warm-up: from nothing in step 0 to all of it from step `steps` on, in a line.
    Linear {
        /// How long the warm-up takes.
        steps: u64,
    },
    /// From nothing to nearly all of it: `1 - exp(-gamma * step)`.
    ///
    /// Morerio, Cavazza, Volpi, Vidal and Murino, "Curriculum dropout", ICCV 2017, who take 10 over the number of steps for
    /// gamma.
    Curriculum {
        /// How fast it grows.
        gamma: Magnitude,
    },
    /// All of it for the first steps, nothing after them.
    ///
    /// Liu, Xu, Jin, Shen and Darrell, "Dropout reduces underfitting", ICML 2023; so are the next two.
    Early {
        /// How many steps have noise.
        steps: u64,
    },
    /// From all of it in step 0 to nothing in the last of the first steps, in a line, and nothing after them.
    EarlyLinear {
        /// How many steps there are to the end of the line, both ends included.
        steps: u64,
    },
    /// Nothing for the first steps, all of it after them.
    Late {
        /// How many steps have no noise.
        steps: u64,
    },
}

impl Schedule {
    /// The factor in a step of the training, counted from 0.
    pub fn factor(self, step: u64) -> f64 {
        match self {
            Self::Linear { steps } if step < steps => step as f64 / steps as f64,
            Self::Constant | Self::Linear { .. } => 1.0,
            Self::Curriculum { gamma } => 1.0 - exp_of_minus(gamma.get() * step as f64),
            Self::Early { steps } => f64::from(u8::from(step < steps)),
            Self::EarlyLinear { steps: 1 } => f64::from(u8::from(step == 0)),
            Self::EarlyLinear { steps } if step < steps => 1.0 - step as f64 / (steps - 1) as f64,
            Self::EarlyLinear { .. } => 0.0,
            Self::Late { steps } => f64::from(u8::from(step >= steps)),
        }
    }
}

/// `exp(-x)` for `x` from 0 on. The standard library's may differ from one system to another, and then the masks would too.
fn exp_of_minus(x: f64) -> f64 {
    if x > 750.0 {
        return 0.0;
    }
    // So small that few terms of the series are enough.
    let small = x / f64::from(1 << 20);
    let series = (1..=6).rev().fold(1.0, |sum, n| 1.0 - small / f64::from(n) * sum);
    (0..20).fold(series, |power, _| power * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_close_to_the_library() {
        for i in 0..10_000 {
            let x = f64::from(i) / 100.0;
            assert!((exp_of_minus(x) - (-x).exp()).abs() < 1e-9, "{x}");
        }
        assert_eq!(exp_of_minus(0.0), 1.0);
        assert_eq!(exp_of_minus(f64::INFINITY), 0.0);
    }

    #[test]
    fn factors_are_between_0_and_1_and_go_as_said() {
        let at = |schedule: Schedule| [0, 1, 5, 9, 10, 11, u64::MAX].map(|step| schedule.factor(step));
        let gamma = Magnitude::new(0.1).unwrap();
        assert_eq!(at(Schedule::Constant), [1.0; 7]);
        assert_eq!(at(Schedule::Linear { steps: 10 }), [0.0, 0.1, 0.5, 0.9, 1.0, 1.0, 1.0]);
        assert_eq!(at(Schedule::Early { steps: 10 }), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(at(Schedule::EarlyLinear { steps: 11 }), [1.0, 0.9, 0.5, 1.0 - 0.9, 0.0, 0.0, 0.0]);
        assert_eq!(at(Schedule::Late { steps: 10 }), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let curriculum = at(Schedule::Curriculum { gamma });
        assert!(curriculum.is_sorted() && curriculum[0] == 0.0 && curriculum[6] == 1.0, "{curriculum:?}");
        assert!((curriculum[4] - (1.0 - (-1.0_f64).exp())).abs() < 1e-9);
        for steps in [0, 1] {
            assert_eq!(Schedule::Linear { steps }.factor(1), 1.0);
            assert_eq!(Schedule::EarlyLinear { steps }.factor(1), 0.0);
        }
    }
}

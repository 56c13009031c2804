//! What many predictions with dropout on say together: their mean, and how uncertain it is.
//!
//! Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning", ICML 2016.

use crate::draw::{ApplyError, whole_rows};
use crate::kernel::Element;

/// The statistics of Monte Carlo dropout: each sample predicts all rows with one sub-network, drawn in
/// [Monte Carlo mode](crate::Mode::MonteCarlo). No sample is kept.
///
/// ```
/// use nn_dropout::MonteCarlo;
///
/// // Two rows of two classes. The samples agree about the first row, and not about the second.
/// let mut statistics = MonteCarlo::new(2);
/// statistics.add(&[0.9, 0.1, 1.0, 0.0])?;
/// statistics.add(&[0.9, 0.1, 0.0, 1.0])?;
/// assert_eq!(statistics.mean(), [0.9, 0.1, 0.5, 0.5]);
/// assert_eq!(statistics.deviation(), [0.0, 0.0, 0.5, 0.5]);
/// let [certain, uncertain] = statistics.mutual_information()[..] else { unreachable!() };
/// assert_eq!(certain, 0.0);
/// assert!((uncertain - 2f64.ln()).abs() < 1e-12);
/// # Ok::<(), nn_dropout::ApplyError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MonteCarlo {
    outputs: usize,
    samples: usize,
    /// The mean of each output of each row, and the sum of the squared deviations from it.
    mean: Vec<f64>,
    squares: Vec<f64>,
    /// The sum of the samples' entropies, for each row.
    entropies: Vec<f64>,
}

/// More than the rounding of a mean of entropies.
const ROUNDING: f64 = 1e-12;

impl MonteCarlo {
    /// Statistics of no samples yet, of rows with this many outputs: numbers, or the probabilities of classes.
    pub const fn new(outputs: usize) -> Self {
        Self { outputs, samples: 0, mean: Vec::new(), squares: Vec::new(), entropies: Vec::new() }
    }

    /// Adds a sample: the outputs of all rows, one row after the other. The first one says how many rows there are.
    ///
    /// # Errors
    ///
    /// If it is not whole rows, or has more or fewer than the first.
    pub fn add<T: Element>(&mut self, sample: &[T]) -> Result<(), ApplyError> {
        let (elements, columns) = (sample.len(), self.outputs);
        whole_rows(elements, columns)?;
        if self.samples == 0 {
            self.mean = vec![0.0; elements];
            self.squares = vec![0.0; elements];
            self.entropies = vec![0.0; elements.checked_div(columns).unwrap_or(0)];
        }
        if elements != self.mean.len() {
            let lengths = [elements, self.mean.len()];
            return Err(ApplyError::Different { names: ["sample", "the first sample"], lengths });
        }
        self.samples += 1;
        // Welford's way: no difference of large sums.
        for ((x, mean), squares) in sample.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let deviation = x.widen() - *mean;
            *mean += deviation / self.samples as f64;
            *squares += deviation * (x.widen() - *mean);
        }
        for (row, sum) in sample.chunks(columns.max(1)).zip(&mut self.entropies) {
            *sum += entropy(row.iter().map(|p| p.widen()));
        }
        Ok(())
    }

    /// How many samples have been added.
    pub const fn samples(&self) -> usize {
        self.samples
    }

    /// The mean of each output of each row.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The standard deviation of each output of each row: the root of the mean squared distance from the mean.
    pub fn deviation(&self) -> Vec<f64> {
        self.squares.iter().map(|squares| (squares / self.samples as f64).sqrt()).collect()
    }

    /// The predictive entropy of each row, in nats: all uncertainty about its class. Outputs have to be probabilities.
    pub fn entropy(&self) -> Vec<f64> {
        self.mean.chunks(self.outputs.max(1)).map(|row| entropy(row.iter().copied())).collect()
    }

    /// The mutual information of each row's class and the sub-network, in nats: the uncertainty that more training data
    /// would remove. It is the predictive entropy less the mean entropy of the samples. Outputs have to be probabilities; what is made
    /// of NaN is NaN.
    pub fn mutual_information(&self) -> Vec<f64> {
        let information = |(total, within): (f64, &f64)| total - within / self.samples as f64;
        // Equal samples share no information; rounding alone would leave a trace of it.
        let clear = |information: f64| if information <= ROUNDING { 0.0 } else { information };
        self.entropy().into_iter().zip(&self.entropies).map(information).map(clear).collect()
    }
}

/// The entropy in nats.
fn entropy(probabilities: impl Iterator<Item = f64>) -> f64 {
    // A sum of nothing, and that of certainty, would be -0.0.
    probabilities.filter(|&p| p != 0.0).map(|p| -p * p.ln()).sum::<f64>() + 0.0
}

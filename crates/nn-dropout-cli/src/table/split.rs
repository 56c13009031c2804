//! A table split into a training and a validation part, encoded as numbers.

use anyhow::{Result, ensure};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::data::{Table, Targets};
use super::schema::Schema;
use crate::settings::numbers::TrainFraction;

/// Both parts, and the encoding that they share.
pub struct Split {
    pub train: Part,
    pub validation: Part,
    pub schema: Schema,
}

/// Rows, encoded for a model.
pub struct Part {
    /// Row by row.
    features: Vec<f32>,
    inputs: usize,
    pub targets: Targets,
}

impl Split {
    /// Shuffles the rows and trains on the first `fraction` of them.
    pub fn of(table: &Table, fraction: TrainFraction, rng: &mut ChaCha8Rng) -> Result<Self> {
        let mut rows: Vec<usize> = (0..table.len()).collect();
        rows.shuffle(rng);
        let count = (fraction.get() * rows.len() as f64).round() as usize;
        ensure!(
            (1..rows.len()).contains(&count),
            "a train fraction of {fraction} makes {count} of {} rows training rows; both parts need at least one",
            rows.len()
        );
        let (train, validation) = rows.split_at(count);
        let schema = Schema::of(table, train);
        ensure!(schema.inputs() > 0, "all cells of the training rows are missing");
        let part = |rows: &[usize]| -> Result<Part> {
            Ok(Part {
                features: schema.encode(table, rows)?,
                inputs: schema.inputs(),
                targets: schema.encode_targets(table, rows)?,
            })
        };
        Ok(Self { train: part(train)?, validation: part(validation)?, schema })
    }
}

impl Part {
    pub fn len(&self) -> usize {
        self.features.len() / self.inputs
    }

    pub fn row(&self, row: usize) -> &[f32] {
        &self.features[row * self.inputs..][..self.inputs]
    }

    /// All rows, one after the other.
    pub fn rows(&self) -> &[f32] {
        &self.features
    }
}

//! The folder of a GPT's run: created or opened, and filled while the model trains.

use anyhow::{Context, Result, bail, ensure};
use nn_dropout_experiments::io::files::{read, read_text};
use nn_dropout_experiments::settings::file::{Difference, differences, to_toml};
use nn_dropout_experiments::settings::{GptSettings, Output};
use nn_dropout_experiments::trainer::Trainer;

use super::checkpoint;
use super::source::{Data, Source};
use super::trainer::{GptTrainer, Pause};
use crate::io::input::{Input, check_same};
use crate::io::run_dir::{CHECKPOINT, CONFIG, METRICS, RunDir, VOCABULARY, WEIGHTS};
use crate::io::weights;

/// A new folder for a run with these settings.
pub fn create(settings: &GptSettings, output: &Output) -> Result<RunDir> {
    let data = settings.data.as_ref().or(settings.batches.as_ref()).context("the settings name one of them")?;
    RunDir::create(output.folder(data, &settings.dropout, settings.seed), &to_toml(settings)?, output.force)
}

/// A run to resume.
pub struct Begun {
    run: RunDir,
    /// `None` before the first one.
    checkpoint: Option<Vec<u8>>,
}

impl Begun {
    /// The run in the folder, if these settings can resume it: only its length may have changed, and the names of its files.
    pub fn open(settings: &GptSettings, output: &Output) -> Result<Self> {
        let run = RunDir::open(output.out.as_deref().context("the settings came from a folder")?)?;
        let checkpoint = Some(run.file(CHECKPOINT)).filter(|path| path.exists()).map(|path| read(&path)).transpose()?;
        let path = run.file(CONFIG);
        let differences = differences(&read_text(&path)?, &to_toml(settings)?);
        let differences = differences.with_context(|| path.display().to_string())?;
        let is_name = |Difference { key, before, now }: &Difference| {
            // The checkpoint knows what has to be in the file.
            checkpoint.is_some()
                && ["data", "batches", "init"].contains(&key.as_str())
                && before.is_some()
                && now.is_some()
        };
        if let Some(difference) = differences.iter().find(|of| of.key != "max_iters" && !is_name(of)) {
            bail!("the run in {} has {difference}: only max_iters may change", run.path().display());
        }
        Ok(Self { run, checkpoint })
    }

    /// Refuses files that are not those that the run was begun with.
    pub fn check(&self, inputs: &[Input]) -> Result<()> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(()) };
        let before = checkpoint::inputs(checkpoint).with_context(|| self.run.file(CHECKPOINT).display().to_string())?;
        check_same(&before, inputs, &format!("the run in {} was begun with", self.run.path().display()))
    }

    /// Resumes from the last checkpoint, if there is one.
    pub fn resume<'a>(self, settings: &GptSettings, trainer: GptTrainer<'a>) -> Result<(RunDir, GptTrainer<'a>)> {
        let Self { run, checkpoint } = self;
        let trainer = match checkpoint {
            Some(checkpoint) => {
                trainer.resume(checkpoint).with_context(|| run.file(CHECKPOINT).display().to_string())?
            }
            None => trainer,
        };
        let (step, length) = (trainer.progress().step, trainer.length());
        ensure!(
            step <= length,
            "the run in {} is at step {step} already; --max-iters has to be at least that",
            run.path().display()
        );
        run.write(CONFIG, to_toml(settings)?.as_bytes())?; // it may be longer now
        Ok((run, trainer))
    }
}

/// Trains to the end or to an interrupt, and writes everything but the report.
pub fn train(run: &RunDir, source: &Source, trainer: &mut GptTrainer) -> Result<()> {
    if let Data::Text { text, .. } = &source.data {
        run.write(VOCABULARY, text.vocabulary.characters().as_bytes())?;
    }
    loop {
        let pause = trainer.train()?;
        if pause == Pause::Finished {
            break;
        }
        run.write(CHECKPOINT, &trainer.to_checkpoint()?)?;
        run.write(METRICS, trainer.progress().metrics.as_bytes())?;
        if pause == Pause::Interrupted {
            break;
        }
    }
    run.write(WEIGHTS, &weights::to_bytes(&trainer.model())?)
}

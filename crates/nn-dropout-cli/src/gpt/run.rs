//! The folder of a GPT's run: created or opened, and filled while the model trains.

use anyhow::{Context, Result, bail};

use super::source::{Data, Source};
use super::trainer::{GptTrainer, Pause};
use crate::io::files::{read, read_text};
use crate::io::run_dir::{CHECKPOINT, CONFIG, METRICS, RunDir, VOCABULARY, WEIGHTS};
use crate::io::weights;
use crate::settings::file::{differences, to_toml};
use crate::settings::{GptSettings, Output};
use crate::trainer::Trainer;

/// A new folder for a run with these settings.
pub fn create(settings: &GptSettings, output: &Output) -> Result<RunDir> {
    let data = settings.data.as_ref().or(settings.batches.as_ref()).context("the settings name one of them")?;
    RunDir::create(output.folder(data, settings.dropout, settings.seed), &to_toml(settings)?, output.force)
}

/// The folder of a run that can be resumed with these settings: only its length may have changed.
pub fn reopen(settings: &GptSettings, output: &Output) -> Result<RunDir> {
    let run = RunDir::open(output.out.as_deref().context("the settings came from a folder")?)?;
    let path = run.file(CONFIG);
    let differences = differences(&read_text(&path)?, &to_toml(settings)?);
    let differences = differences.with_context(|| path.display().to_string())?;
    if let Some(difference) = differences.iter().find(|difference| difference.key != "max_iters") {
        bail!("the run in {} has {difference}: only max_iters may change", run.path().display());
    }
    Ok(run)
}

/// Resumes from the last checkpoint of a run, if it has one.
pub fn resume<'a>(run: &RunDir, settings: &GptSettings, trainer: GptTrainer<'a>) -> Result<GptTrainer<'a>> {
    let checkpoint = run.file(CHECKPOINT);
    let trainer = if checkpoint.exists() {
        trainer.resume(read(&checkpoint)?).with_context(|| checkpoint.display().to_string())?
    } else {
        trainer
    };
    run.write(CONFIG, to_toml(settings)?.as_bytes())?; // it may be longer now
    Ok(trainer)
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
        if let Some(checkpoint) = trainer.checkpoint()? {
            run.write(CHECKPOINT, &checkpoint)?;
        }
        run.write(METRICS, trainer.progress().metrics.as_bytes())?;
        if pause == Pause::Interrupted {
            break;
        }
    }
    run.write(WEIGHTS, &weights::to_bytes(&trainer.model())?)
}

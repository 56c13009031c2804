//! `nn-dropout train --model gpt`.

use anyhow::{Context, Result, bail};

use super::report;
use super::training::{GptTraining, Pause, Source, load, losses};
use crate::files::{read, read_text};
use crate::run::{CHECKPOINT, CONFIG, Ended, METRICS, REPORT, RunDir, VOCABULARY, WEIGHTS};
use crate::settings::{GptSettings, Output, differences, to_toml};
use crate::training::{Training, progress_bar};
use crate::{interrupt, run, weights};

/// Nothing is written before all input has been checked.
pub fn train(settings: &GptSettings, output: &Output) -> Result<Ended> {
    let (source, config) = load(settings)?;
    let bar = progress_bar("step", source.steps(settings), output.quiet);
    let mut training = GptTraining::new(settings.clone(), &source, &config, bar.clone())?;
    let run = open_run(settings, output)?;
    if output.resume {
        let checkpoint = run.file(CHECKPOINT);
        if checkpoint.exists() {
            let resumed = training.resume(read(&checkpoint)?);
            training = resumed.with_context(|| format!("{}: no checkpoint of this run", checkpoint.display()))?;
        }
        run.write(CONFIG, to_toml(settings)?.as_bytes())?; // it may be longer now
    }
    if let Source::Text { text, .. } = &source {
        run.write(VOCABULARY, text.vocabulary.characters().as_bytes())?;
    }
    interrupt::listen()?;

    loop {
        let pause = training.go_on()?;
        if pause == Pause::Finished {
            break;
        }
        if let Some(checkpoint) = training.checkpoint()? {
            run.write(CHECKPOINT, &checkpoint)?;
        }
        run.write(METRICS, training.progress().metrics.as_bytes())?;
        if pause == Pause::Interrupted {
            break;
        }
    }
    bar.finish_and_clear();
    finish(settings, &run, &training)
}

/// The folder of the run: the one to go on with, or a new one.
fn open_run(settings: &GptSettings, output: &Output) -> Result<RunDir> {
    if output.resume {
        let run = RunDir::open(output.out.as_deref().context("the settings came from a folder")?)?;
        check_resumed(settings, &run)?;
        return Ok(run);
    }
    let data = settings.data.as_ref().or(settings.batches.as_ref()).context("there is one of them")?;
    RunDir::create(&run::name(data, settings.dropout, settings.seed), &to_toml(settings)?, output)
}

/// Saves the weights and the report, and says what came out.
fn finish(settings: &GptSettings, run: &RunDir, training: &GptTraining) -> Result<Ended> {
    let (progress, steps) = (training.progress(), training.length());
    run.write(WEIGHTS, &weights::to_bytes(&training.model())?)?;
    let [train, validation] = [1, 2].map(|column| losses(&progress.metrics, column));
    let page = report::html(settings, &to_toml(settings)?, &train, &validation, run.path())?;
    run.write(REPORT, page.as_bytes())?;
    let ended = if progress.step < steps { Ended::Interrupted } else { Ended::Finished };
    if let Ended::Interrupted = ended {
        println!("interrupted after {} of {steps} steps; go on with --resume", progress.step);
    }
    if let Some((_, loss)) = train.last() {
        println!("training loss    {loss:.4}");
    }
    if let Some((_, loss)) = validation.last() {
        println!("validation loss  {loss:.4}");
    }
    println!("results in {}, curves in {}", run.path().display(), run.file(REPORT).display());
    Ok(ended)
}

/// Whether a run can go on with these settings: only its length may be another.
fn check_resumed(settings: &GptSettings, run: &RunDir) -> Result<()> {
    let path = run.file(CONFIG);
    let differences = differences(&read_text(&path)?, &to_toml(settings)?);
    let mut differences = differences.with_context(|| path.display().to_string())?;
    if let Some((key, before, now)) = differences.find(|(key, ..)| key != "max_iters") {
        bail!("the run in {} has {key} = {before}, not {now}: only max_iters may change", run.path().display());
    }
    Ok(())
}

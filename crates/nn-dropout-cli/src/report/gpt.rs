//! The report of a GPT's run.

use std::path::Path;

use anyhow::Result;
use maud::html;
use nn_dropout_experiments::settings::GptSettings;
use nn_dropout_experiments::settings::layer::shown;

use super::chart::curves;
use super::page::page;

/// The page for a run with these losses, each as `(step, loss)`. Without a text there is no validation loss.
pub fn html(
    settings: &GptSettings,
    config: &str,
    train: &[(usize, f64)],
    validation: &[(usize, f64)],
    folder: &Path,
) -> Result<String> {
    let loss = curves("step", "cross-entropy", train, validation)?;
    let last = |points: &[(usize, f64)]| points.last().map_or_else(String::new, |(_, loss)| format!("{loss:.4}"));
    let best = validation.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let steps = train.last().map_or(0, |(step, _)| *step);
    let body = html! {
        p.lead {
            @if let Some((best_step, best_loss)) = best {
                "After " (steps) " steps the loss is " b.train { (last(train)) } " on the part of the text that the model is trained on and "
                b.validation { (last(validation)) } " on the last tenth, which it has not seen."
                @if *best_step < steps {
                    " That was lowest after " (best_step) " steps, " b { (format!("{best_loss:.4}")) } ": since then the model overfits."
                }
            } @else {
                "The loss of the last of " (train.len()) " batches is " b.train { (last(train)) } "."
            }
        }
        h2 { "Loss" }
        (loss)
        @if best.is_some() {
            p { "Both are measured in eval mode, where dropout does nothing: on the " b.train { "training" } " part and on the "
                b.validation { "validation" } " part of the text, on the same blocks each time." }
        } @else {
            p { "Measured in training mode, on the batch of each step before the step." }
        }
        h2 { "What was run" }
        pre { (config) }
        p { "With nn-dropout " (env!("CARGO_PKG_VERSION")) ". Dropout acts after the embeddings, on the attention weights, after the "
            "attention's projection and after each perceptron: " (shown(&settings.dropout)) "." }
        h2 { "Run it again" }
        pre { "nn-dropout train --config " (folder.display()) "/config.toml" }
        p { "The same settings give the same numbers, to the last digit, on any number of threads of this kind of machine." }
    };
    Ok(page(&format!("Training a GPT with {}", shown(&settings.dropout)), &body))
}

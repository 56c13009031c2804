//! A study as the journal of Optuna's `JournalStorage`, which Optuna and its dashboard open.

use anyhow::Result;
use chrono::{NaiveDate, TimeDelta};
use nn_dropout::Config;
use nn_dropout_experiments::metric::Metric;
use nn_dropout_experiments::settings::numbers::LearningRate;
use nn_dropout_experiments::sweep::{State, TrialResult};
use serde_json::{Map, Value, json};

use super::storage::Description;

/// Optuna's numbers.
const CREATE_STUDY: u8 = 0;
const SET_STUDY_USER_ATTR: u8 = 2;
const CREATE_TRIAL: u8 = 4;
const MINIMIZE: u8 = 1;
const MAXIMIZE: u8 = 2;
const COMPLETE: u8 = 1;
const PRUNED: u8 = 2;

/// A parameter of Optuna: its name, its value in a trial, and whether it is searched on a logarithmic scale.
type Parameter = (&'static str, fn(&TrialResult) -> Option<f64>, bool);

const PARAMETERS: [Parameter; 4] = [
    ("dropout", |result| Some(result.trial.candidate.dropout.amount()), false),
    ("input_dropout", |result| result.trial.candidate.input_dropout.as_ref().map(Config::amount), false),
    ("hidden", |result| result.trial.candidate.hidden.map(|size| size.get() as f64), true),
    ("learning_rate", |result| result.trial.candidate.learning_rate.map(LearningRate::get), true),
];

/// The lines of the journal.
pub fn journal(description: &Description, ended: &[&TrialResult], metric: Metric) -> Result<String> {
    let mut journal = String::new();
    let mut line = |operation: u8, mut fields: Value| {
        fields["op_code"] = operation.into();
        fields["worker_id"] = "nn-dropout".into();
        journal.push_str(&fields.to_string());
        journal.push('\n');
    };
    let direction = if metric.is_loss() { MINIMIZE } else { MAXIMIZE };
    line(CREATE_STUDY, json!({ "study_name": description.name, "directions": [direction] }));
    let attributes = [
        ("program", format!("nn-dropout {}", description.program)),
        ("metric", metric.name().to_owned()),
        ("settings", description.begun_with.config.clone()),
        ("options", description.begun_with.options.clone()),
    ];
    for (name, value) in attributes {
        line(SET_STUDY_USER_ATTR, json!({ "study_id": 0, "user_attr": { name: value } }));
    }

    // When a trial ran is not known, but how long it took.
    let begun: NaiveDate = description.begun.parse()?;
    let start = begun.and_time(chrono::NaiveTime::MIN);
    let layers: Vec<String> = ended.iter().map(|result| result.trial.candidate.layer_name()).collect();
    let mut choices = layers.clone();
    choices.sort();
    choices.dedup();
    for (result, layer) in ended.iter().zip(&layers) {
        let (mut params, mut distributions) = (Map::new(), Map::new());
        let mut add = |name: &str, value: Value, distribution: &Value| {
            params.insert(name.to_owned(), value);
            distributions.insert(name.to_owned(), distribution.to_string().into());
        };
        for (name, of, is_logarithmic) in PARAMETERS {
            let values = || ended.iter().filter_map(|result| of(result));
            let Some(value) = of(result) else { continue };
            let (low, high) = (values().fold(value, f64::min), values().fold(value, f64::max));
            let attributes = json!({ "low": low, "high": high, "log": is_logarithmic, "step": null });
            add(name, value.into(), &json!({ "name": "FloatDistribution", "attributes": attributes }));
        }
        if choices.len() > 1 {
            let place = choices.iter().position(|choice| choice == layer);
            let attributes = json!({ "choices": choices });
            add("layer", place.into(), &json!({ "name": "CategoricalDistribution", "attributes": attributes }));
        }
        let mut user_attrs = Map::new();
        user_attrs.insert("seed".to_owned(), result.trial.seed.into());
        user_attrs.extend(result.trial.fold.map(|fold| ("fold".to_owned(), fold.get().into())));
        user_attrs.insert(format!("train_{}", metric.key()), number(result.last().train.metric));
        let scores = result.validated.scores.iter().map(|(metric, value)| (metric.key(), number(*value)));
        user_attrs.extend(scores);
        let values: Map<String, Value> =
            result.history.iter().map(|at| (at.epoch.to_string(), number(at.validation.metric))).collect();
        let end = start + TimeDelta::milliseconds((1000.0 * result.seconds) as i64);
        let value = result.last().validation.metric;
        let is_complete = result.state == State::Complete && value.is_finite();
        line(
            CREATE_TRIAL,
            json!({
                "study_id": 0,
                "datetime_start": start.format(TIME).to_string(),
                "datetime_complete": end.format(TIME).to_string(),
                "state": if is_complete { COMPLETE } else { PRUNED },
                "value": if value.is_finite() { value.into() } else { Value::Null },
                "params": params,
                "distributions": distributions,
                "user_attrs": user_attrs,
                "system_attrs": {},
                "intermediate_values": values,
            }),
        );
    }
    Ok(journal)
}

const TIME: &str = "%Y-%m-%dT%H:%M:%S%.6f";

/// JSON has no NaN, which Optuna's reader takes as a word.
fn number(value: f64) -> Value {
    if value.is_finite() { value.into() } else { "nan".into() }
}

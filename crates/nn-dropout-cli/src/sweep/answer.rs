//! What the trials of a sweep show: the candidate to choose, and why.

use super::trial::{Candidate, State, TrialResult};
use crate::metric::Metric;

/// A mean over seeds.
#[derive(Clone, Copy)]
pub struct Mean {
    pub value: f64,
    /// Its standard error, with at least two seeds.
    pub error: Option<f64>,
}

/// All trials of a candidate.
pub struct Row {
    pub candidate: Candidate,
    pub complete: usize,
    pub stopped: usize,
    /// The means of the complete trials.
    pub train: Mean,
    pub validation: Mean,
}

/// The candidate that the trials favour.
pub struct Answer {
    /// Sorted by size, rate and learning rate.
    pub rows: Vec<Row>,
    /// The row with the best mean on the validation part.
    pub best: usize,
    /// The first row within one standard error of the best: no more noise, and no larger a network, than the data need. Breiman,
    /// Friedman, Olshen and Stone, "Classification and regression trees", 1984, section 3.4.3.
    pub chosen: usize,
    /// The number of rows within one standard error of the best.
    pub within: usize,
    /// The number of rows that could be chosen.
    pub eligible: usize,
    metric: Metric,
}

impl Mean {
    fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let value = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (count - 1.0);
        Self { value, error: (values.len() > 1).then(|| (variance / count).sqrt()) }
    }

    /// The mean and its error, formatted.
    pub fn shown(self, metric: Metric) -> String {
        let error = self.error.map(|error| format!(" ± {}", metric.difference(error)));
        metric.shown(self.value) + &error.unwrap_or_default()
    }
}

impl Answer {
    /// `None` if no trial is complete.
    pub fn of<'a>(results: impl Iterator<Item = &'a TrialResult>, metric: Metric) -> Option<Self> {
        let mut results: Vec<&TrialResult> = results.collect();
        let order = |result: &TrialResult| {
            let Candidate { dropout, hidden, learning_rate } = result.trial.candidate.clone();
            (hidden, dropout.amount(), learning_rate.map(f64::from))
        };
        results.sort_by(|a, b| order(a).partial_cmp(&order(b)).expect("settings are numbers"));
        let rows = results.chunk_by(|a, b| a.trial.candidate == b.trial.candidate).map(|same| {
            let complete: Vec<&&TrialResult> = same.iter().filter(|result| result.state == State::Complete).collect();
            let mean = |value: fn(&TrialResult) -> f64| {
                Mean::of(&complete.iter().map(|result| value(result)).collect::<Vec<_>>())
            };
            Row {
                candidate: same[0].trial.candidate.clone(),
                complete: complete.len(),
                stopped: same.len() - complete.len(),
                train: mean(|result| result.last().train.metric),
                validation: mean(|result| result.last().validation.metric),
            }
        });
        let rows: Vec<Row> = rows.collect();

        // One lucky seed is not enough to be chosen, and one hopeless seed is enough not to be.
        let most = rows.iter().map(|row| row.complete).max()?;
        let merit = |row: &Row| metric.merit(row.validation.value);
        let can_be_chosen = |row: &Row| row.stopped == 0 && row.complete >= most.clamp(1, 2) && !merit(row).is_nan();
        let eligible: Vec<usize> = (0..rows.len()).filter(|&i| can_be_chosen(&rows[i])).collect();
        let best = eligible.iter().copied().reduce(|a, b| if merit(&rows[b]) > merit(&rows[a]) { b } else { a })?;
        let limit = merit(&rows[best]) - rows[best].validation.error.unwrap_or(0.0);
        let within: Vec<usize> = eligible.iter().copied().filter(|&i| merit(&rows[i]) >= limit).collect();
        Some(Self { best, chosen: *within.first()?, within: within.len(), eligible: eligible.len(), rows, metric })
    }

    /// The answer in sentences; the first is the answer itself.
    pub fn sentences(&self) -> Vec<String> {
        let metric = self.metric;
        let (best, chosen) = (&self.rows[self.best], &self.rows[self.chosen]);
        let against = self.without_dropout().filter(|_| chosen.candidate.dropout.amount() > 0.0).map(|none| {
            let [before, now] = [none, chosen].map(|row| self.gap(row));
            let verb = if now < before { "falls" } else { "grows" };
            let points = if metric == Metric::Accuracy { " points" } else { "" };
            format!(
                ", against {} without dropout; the gap to training {verb} from {} to {}{points}",
                none.validation.shown(metric),
                metric.difference(before),
                metric.difference(now),
            )
        });
        let mut sentences = vec![format!(
            "{}: validation {} {}{}.",
            chosen.candidate,
            metric.name(),
            chosen.validation.shown(metric),
            against.unwrap_or_default()
        )];
        let Some(error) = best.validation.error else {
            sentences.push("One seed cannot separate chance from merit: add --seeds.".to_owned());
            return sentences;
        };
        let error = Mean { value: best.validation.value, error: Some(error) }.shown(metric);
        if self.eligible > 1 && self.within == self.eligible {
            sentences.push(format!(
                "The data cannot tell these candidates apart: all lie within one standard error of the best, {} ({error}). So the \
                 least noise is chosen; more --seeds or more data may show a difference.",
                best.candidate
            ));
        } else if self.chosen != self.best {
            sentences.push(format!(
                "The best mean is that of {} ({error}); {} is the least within one standard error of it.",
                best.candidate, chosen.candidate
            ));
        }
        if chosen.candidate.dropout.amount() == 0.0 && self.eligible > 1 {
            sentences.push("Dropout does not measurably help here.".to_owned());
        }
        let highest = self.rows.iter().map(|row| row.candidate.dropout.amount()).fold(0.0, f64::max);
        if self.eligible > 1 && chosen.candidate.dropout.amount() == highest {
            sentences.push("It is the highest rate that was tried: a higher one may be better still.".to_owned());
        }
        let stopped: usize = self.rows.iter().map(|row| row.stopped).sum();
        if stopped > 0 {
            let trials = stopped + self.rows.iter().map(|row| row.complete).sum::<usize>();
            let were = if stopped == 1 { "was" } else { "were" };
            sentences.push(format!("{stopped} of {trials} trials {were} stopped early by the median stopping rule."));
        }
        sentences
    }

    /// How much better the network is on its training data.
    pub fn gap(&self, row: &Row) -> f64 {
        self.metric.merit(row.train.value) - self.metric.merit(row.validation.value)
    }

    /// The chosen candidate without dropout.
    fn without_dropout(&self) -> Option<&Row> {
        let chosen = &self.rows[self.chosen].candidate;
        let same = |of: &Candidate| of.hidden == chosen.hidden && of.learning_rate == chosen.learning_rate;
        self.rows.iter().find(|row| row.candidate.dropout.amount() == 0.0 && row.complete > 0 && same(&row.candidate))
    }
}

#[cfg(test)]
mod tests {
    use nn_dropout::{Config, Kind};

    use super::super::trial::Trial;
    use super::*;
    use crate::metric::{Metrics, Score};

    /// A trial that ended like this; its training score is 0.1 better.
    fn record(p: f64, seed: u64, merit: f64, state: State) -> TrialResult {
        let dropout = Config::new(Kind::Dropout, p).unwrap();
        let score = |metric| Score { loss: 0.0, metric };
        let metrics = Metrics { epoch: 1, train: score(merit + 0.1), validation: score(merit) };
        let candidate = Candidate::layer(dropout);
        TrialResult { trial: Trial { candidate, seed }, state, seconds: 1.0, history: vec![metrics] }
    }

    /// The answer to two complete trials per rate, with merits around a mean.
    fn answer(rates: &[(f64, f64, f64)]) -> Answer {
        let trials = rates.iter().flat_map(|&(p, mean, around)| {
            [(42, mean - around), (43, mean + around)].map(|(seed, merit)| record(p, seed, merit, State::Complete))
        });
        let trials: Vec<TrialResult> = trials.collect();
        Answer::of(trials.iter(), Metric::Accuracy).unwrap()
    }

    fn chosen(answer: &Answer) -> f64 {
        answer.rows[answer.chosen].candidate.dropout.amount()
    }

    #[test]
    fn the_least_rate_within_a_standard_error_of_the_best_is_chosen() {
        // Two values at m - d and m + d have a standard error of d.
        let found = answer(&[(0.0, 0.80, 0.01), (0.2, 0.86, 0.01), (0.4, 0.90, 0.03), (0.6, 0.85, 0.01)]);
        assert_eq!((chosen(&found), found.best, found.within), (0.4, 2, 1));
        let first =
            "p = 0.4: validation accuracy 90.0 % ± 3.0, against 80.0 % ± 1.0 without dropout; the gap to training";
        assert!(found.sentences()[0].starts_with(first), "{:?}", found.sentences());

        let found = answer(&[(0.0, 0.80, 0.01), (0.2, 0.88, 0.01), (0.4, 0.90, 0.03), (0.6, 0.85, 0.01)]);
        assert_eq!((chosen(&found), found.best, found.within), (0.2, 2, 2));
        assert!(found.sentences()[1].starts_with("The best mean is that of p = 0.4 (90.0 % ± 3.0)"));
    }

    #[test]
    fn data_that_cannot_tell_candidates_apart_are_reported() {
        let found = answer(&[(0.0, 0.88, 0.01), (0.3, 0.9, 0.03), (0.6, 0.89, 0.01)]);
        assert_eq!((chosen(&found), found.within, found.eligible), (0.0, 3, 3));
        let said = found.sentences().join(" ");
        assert!(
            said.contains("cannot tell these candidates apart") && said.contains("does not measurably help"),
            "{said}"
        );
    }

    #[test]
    fn one_seed_has_no_error_and_a_stopped_or_lucky_one_is_not_chosen() {
        let one = [record(0.0, 1, 0.8, State::Complete), record(0.5, 1, 0.9, State::Complete)];
        let found = Answer::of(one.iter(), Metric::Accuracy).unwrap();
        assert!(found.rows[0].validation.error.is_none());
        assert!(found.sentences()[1].contains("add --seeds") && chosen(&found) == 0.5);

        let mut trials: Vec<TrialResult> = (1..3).map(|seed| record(0.0, seed, 0.8, State::Complete)).collect();
        trials.push(record(0.3, 1, 0.99, State::Complete));
        trials.extend([record(0.5, 1, 0.95, State::Complete), record(0.5, 2, 0.95, State::Stopped)]);
        let found = Answer::of(trials.iter(), Metric::Accuracy).unwrap();
        assert_eq!(chosen(&found), 0.0);
        assert!(found.sentences().join(" ").contains("1 of 5 trials was stopped early"));
        assert!(Answer::of([].into_iter(), Metric::Accuracy).is_none());
        // Less is better if a loss is compared.
        assert_eq!(chosen(&Answer::of(one.iter(), Metric::CrossEntropy).unwrap()), 0.0);
    }
}

//! What the trials of a sweep show: the candidate to choose, why, and how sure that is.

use std::collections::HashMap;

use nn_dropout::Config;

use super::trial::{Block, Candidate, State, TrialResult};
use super::uncertainty::{Estimate, Sample};
use crate::metric::Metric;
use crate::trainer::Validated;

/// All trials of a candidate.
pub struct Row {
    pub candidate: Candidate,
    pub complete: usize,
    pub stopped: usize,
    /// The means of the complete trials.
    pub train: f64,
    pub validation: Estimate,
    /// How much better it is than the same without dropout, over the trials that both have completed.
    pub to_none: Option<Estimate>,
    /// The same for the best row; at most about 0.
    pub to_best: Option<Estimate>,
}

/// The candidate that the trials favour.
pub struct Answer {
    /// Sorted by size, learning rate, layer and rate.
    pub rows: Vec<Row>,
    /// The row with the best mean on the validation part.
    pub best: usize,
    /// The first row within one standard error of the best: no more noise, and no larger a network, than the data need. Breiman,
    /// Friedman, Olshen and Stone, "Classification and regression trees", 1984, section 3.4.3; with the error of the difference.
    pub chosen: usize,
    /// The rows that could be chosen.
    eligible: Vec<usize>,
    /// The number of intervals that hold together.
    comparisons: usize,
    /// Whether each row may be the best, as far as the data tell.
    tied: Vec<bool>,
    metric: Metric,
}

/// How an estimate lies to 0.
#[derive(Clone, Copy, PartialEq)]
pub enum Verdict {
    Better,
    Worse,
    Unsure,
}

impl Answer {
    /// `None` if no trial is complete.
    pub fn of<'a>(results: impl Iterator<Item = &'a TrialResult>, metric: Metric) -> Option<Self> {
        let mut results: Vec<&TrialResult> = results.collect();
        let layer = |dropout: &Config| {
            (dropout.kind().name(), dropout.clone().with_amount(0.0).map(|layer| format!("{layer:?}")).ok())
        };
        let order = |result: &TrialResult| {
            let Candidate { dropout, input_dropout, hidden, learning_rate } = &result.trial.candidate;
            let input = input_dropout.as_ref().map(Config::amount);
            (
                *hidden,
                learning_rate.map(f64::from),
                layer(dropout),
                dropout.amount(),
                input,
                result.trial.seed,
                result.trial.fold,
            )
        };
        results.sort_by(|a, b| order(a).partial_cmp(&order(b)).expect("settings are numbers"));
        let candidates: Vec<&[&TrialResult]> =
            results.chunk_by(|a, b| a.trial.candidate == b.trial.candidate).collect();
        let scored: Vec<Vec<Scored>> = candidates.iter().map(|same| complete(same)).collect();
        let of = |candidate: &Candidate| candidates.iter().position(|same| same[0].trial.candidate == *candidate);
        let rows = candidates.iter().zip(&scored).map(|(same, own)| {
            let complete = || same.iter().filter(|result| result.state == State::Complete);
            let candidate = same[0].trial.candidate.clone();
            let none = of(&candidate.without_dropout()).filter(|_| !candidate.is_without_dropout());
            Row {
                complete: own.len(),
                stopped: same.len() - own.len(),
                train: complete().map(|result| result.last().train.metric).sum::<f64>() / own.len() as f64,
                validation: Estimate::of(&own.iter().map(|(_, sample)| sample.clone()).collect::<Vec<_>>()),
                to_none: none.and_then(|none| difference(own, &scored[none], metric)),
                to_best: None,
                candidate,
            }
        });
        let mut rows: Vec<Row> = rows.collect();

        // One lucky seed is not enough to be chosen, and one hopeless seed is enough not to be.
        let most = rows.iter().map(|row| row.complete).max()?;
        let can_be_chosen =
            |row: &Row| row.stopped == 0 && row.complete >= most.clamp(1, 2) && row.validation.value.is_finite();
        let eligible: Vec<usize> = (0..rows.len()).filter(|&i| can_be_chosen(&rows[i])).collect();
        // Where some have more seeds than others, those seeds may be easy ones.
        let merits = adjusted(&eligible.iter().map(|&i| scored[i].as_slice()).collect::<Vec<_>>(), metric);
        let best = (0..eligible.len()).reduce(|a, b| if merits[b] > merits[a] { b } else { a }).map(|i| eligible[i])?;
        for i in (0..rows.len()).filter(|i| *i != best) {
            rows[i].to_best = difference(&scored[i], &scored[best], metric);
        }
        let comparisons = comparisons(&rows, best);
        let mut answer = Self { best, chosen: best, eligible, comparisons, tied: Vec::new(), rows, metric };
        answer.tied = answer.find_tied();
        answer.chosen = answer.choose();
        Some(answer)
    }

    /// The rows within one standard error of the best.
    fn within(&self) -> Vec<usize> {
        let is_within = |&row: &usize| {
            let near = |to_best: &Estimate| -to_best.value <= to_best.error.unwrap_or(0.0);
            row == self.best || self.is_tied(row) && self.rows[row].to_best.as_ref().is_some_and(near)
        };
        self.eligible.iter().copied().filter(is_within).collect()
    }

    /// The first row within one standard error of the best; if some of those are known to be better than no dropout, the first of them.
    fn choose(&self) -> usize {
        let within = self.within();
        let helps = |&row: &usize| self.helps(row);
        within.iter().copied().find(helps).or(within.first().copied()).unwrap_or(self.best)
    }

    /// Whether a row is known to be better than the same without dropout.
    fn helps(&self, row: usize) -> bool {
        self.rows[row].to_none.as_ref().is_some_and(|to_none| self.verdict(to_none) == Verdict::Better)
    }

    /// Half the width of the interval of a difference.
    pub fn margin(&self, difference: &Estimate) -> Option<f64> {
        difference.margin(self.comparisons)
    }

    fn verdict(&self, difference: &Estimate) -> Verdict {
        match self.margin(difference) {
            Some(margin) if difference.value > margin => Verdict::Better,
            Some(margin) if difference.value < -margin => Verdict::Worse,
            _ => Verdict::Unsure,
        }
    }

    /// How the chosen row lies to the same without dropout, if both were trained. If that is not sure, others may be better for sure.
    pub fn effect(&self) -> Option<Verdict> {
        let verdict = self.verdict(self.rows[self.chosen].to_none.as_ref()?);
        Some(if verdict == Verdict::Unsure && !self.helpful().is_empty() { Verdict::Better } else { verdict })
    }

    /// The rows that are known to be better than the same without dropout.
    pub fn helpful(&self) -> Vec<usize> {
        self.eligible.iter().copied().filter(|&row| self.helps(row)).collect()
    }

    fn names(&self, rows: &[usize]) -> String {
        let names: Vec<String> = rows.iter().map(|&row| self.rows[row].candidate.to_string()).collect();
        names.join("; ")
    }

    /// Whether errors are known: not from a single training, or with too few rows.
    pub fn is_certain(&self) -> bool {
        self.rows[self.best].validation.error.is_some()
    }

    /// Whether some row is compared with no dropout.
    pub fn is_compared(&self) -> bool {
        self.eligible.iter().any(|&row| self.rows[row].to_none.is_some())
    }

    /// Whether a row may be the best, as far as the data tell: no other is known to be better.
    pub fn is_tied(&self, row: usize) -> bool {
        self.tied[row]
    }

    fn find_tied(&self) -> Vec<bool> {
        let worse = self.helpful().into_iter().map(|row| self.rows[row].candidate.without_dropout());
        let worse: Vec<Candidate> = worse.collect();
        let mut tied = vec![false; self.rows.len()];
        for &row in &self.eligible {
            let Row { candidate, to_best, .. } = &self.rows[row];
            let is_unsure = to_best.is_some_and(|to_best| self.verdict(&to_best) == Verdict::Unsure);
            tied[row] = row == self.best || is_unsure && !worse.contains(candidate);
        }
        tied
    }

    /// A difference, as more or less of what is better, with its interval.
    pub fn difference(&self, difference: &Estimate) -> String {
        let (metric, value) = (self.metric, difference.value);
        let signed = |value: f64| {
            let shown = metric.difference(value);
            if shown.starts_with('-') || shown.bytes().all(|byte| b"0.".contains(&byte)) {
                shown
            } else {
                format!("+{shown}")
            }
        };
        let margin = self.margin(difference);
        let interval = margin.map(|margin| format!(" [{}, {}]", signed(value - margin), signed(value + margin)));
        signed(value) + &interval.unwrap_or_default()
    }

    /// A mean and its standard error, formatted.
    pub fn mean(&self, mean: &Estimate) -> String {
        let error = mean.error.map(|error| format!(" ± {}", self.metric.difference(error)));
        self.metric.shown(mean.value) + &error.unwrap_or_default()
    }

    /// The answer in sentences; the first is the answer itself.
    pub fn sentences(&self) -> Vec<String> {
        let metric = self.metric;
        let (best, chosen) = (&self.rows[self.best], &self.rows[self.chosen]);
        let mut sentences =
            vec![format!("{}: validation {} {}.", chosen.candidate, metric.name(), self.mean(&chosen.validation))];
        if !self.is_certain() {
            sentences.push(if best.complete < 2 {
                "One training cannot separate chance from merit: add --seeds.".to_owned()
            } else {
                "The validation part has too few rows to say how sure that is.".to_owned()
            });
            return sentences;
        }
        if let Some(to_none) = &chosen.to_none {
            let better = if metric.is_loss() { "better" } else { "more" };
            let against = format!("{}{} {better} than without dropout", self.difference(to_none), metric.points());
            sentences.push(match self.verdict(to_none) {
                Verdict::Better => format!("Dropout helps: {against}{}.", self.gaps()),
                Verdict::Worse => format!("Dropout harms: {against}."),
                Verdict::Unsure if !self.helpful().is_empty() => format!(
                    "Dropout helps: that is sure of {}. For the chosen one, {against} may be chance.",
                    self.names(&self.helpful())
                ),
                Verdict::Unsure => format!(
                    "Unsure whether dropout helps: {against}, which may be chance. More rows or --seeds may tell."
                ),
            });
        } else if chosen.candidate.is_without_dropout() && self.is_compared() {
            sentences.push("Dropout does not measurably help here.".to_owned());
        } else if !chosen.candidate.is_without_dropout() {
            sentences.push("The same was not trained without dropout, so whether it helps is not known.".to_owned());
        }
        if self.chosen != self.best {
            let by = best.to_none.as_ref().map(|to_none| format!(", {} against no dropout", self.difference(to_none)));
            let what = if self.within().first() == Some(&self.chosen) { "" } else { " that is known to help" };
            sentences.push(format!(
                "The best mean is that of {} ({}{}); {} is the least within one standard error of it{what}.",
                best.candidate,
                self.mean(&best.validation),
                by.unwrap_or_default(),
                chosen.candidate
            ));
        }
        let tied: Vec<usize> =
            self.eligible.iter().copied().filter(|&row| row != self.best && self.is_tied(row)).collect();
        if !tied.is_empty() && tied.len() + 1 == self.eligible.len() {
            sentences.push("The data cannot tell these candidates apart.".to_owned());
        } else if !tied.is_empty() {
            sentences.push(format!("The data cannot tell the best and these apart: {}.", self.names(&tied)));
        }
        let highest = self.rows.iter().map(|row| row.candidate.dropout.amount()).fold(0.0, f64::max);
        if highest > 0.0 && self.eligible.len() > 1 && chosen.candidate.dropout.amount() == highest {
            sentences.push("It is the highest rate that was tried: a higher one may be better still.".to_owned());
        }
        sentences
    }

    /// What happens to the gap between both parts.
    fn gaps(&self) -> String {
        let chosen = &self.rows[self.chosen];
        let none = chosen.candidate.without_dropout();
        let Some(none) = self.rows.iter().find(|row| row.candidate == none && row.complete > 0) else {
            return String::new();
        };
        let [before, now] = [none, chosen].map(|row| self.gap(row));
        let verb = if now < before { "falls" } else { "grows" };
        let [before, now] = [before, now].map(|gap| self.metric.difference(gap));
        if before == now {
            return String::new();
        }
        format!("; the gap to training {verb} from {before} to {now}{}", self.metric.points())
    }

    /// The number of trials that were stopped early.
    pub fn stopped(&self) -> usize {
        self.rows.iter().map(|row| row.stopped).sum()
    }

    /// How much better the network is on its training data.
    pub fn gap(&self, row: &Row) -> f64 {
        self.metric.merit(row.train) - self.metric.merit(row.validation.value)
    }
}

/// The number of differences to no dropout and to the best. That of the best and no dropout is one.
fn comparisons(rows: &[Row], best: usize) -> usize {
    let best = &rows[best].candidate;
    let none = best.without_dropout();
    let is_other = |of: &Candidate| *of != none && of.without_dropout() != *best;
    let of =
        |row: &Row| usize::from(row.to_none.is_some()) + usize::from(row.to_best.is_some() && is_other(&row.candidate));
    rows.iter().map(of).sum()
}

/// The validation score of a trial.
type Scored = (Block, Sample);

/// The scores of the complete trials.
fn complete(results: &[&TrialResult]) -> Vec<Scored> {
    let complete = results.iter().filter(|result| result.state == State::Complete);
    let scored = complete.map(|result| {
        let Validated { left_out, groups, .. } = result.validated.clone();
        (result.trial.block(), Sample { value: result.last().validation.metric, left_out, groups })
    });
    scored.collect()
}

/// The merit of each candidate, without what the seeds and folds are worth that it happens to have: least squares for a sum of both.
fn adjusted(candidates: &[&[Scored]], metric: Metric) -> Vec<f64> {
    let mean = |sum: f64, count: f64| if count > 0.0 { sum / count } else { 0.0 };
    let mut merits = vec![0.0; candidates.len()];
    // With all trials there, the first round is the answer.
    for _ in 0..ROUNDS {
        let mut blocks: HashMap<_, (f64, f64)> = HashMap::new();
        for (merit, scored) in merits.iter().zip(candidates) {
            for (block, sample) in *scored {
                let (sum, count) = blocks.entry(*block).or_default();
                *sum += metric.merit(sample.value) - merit;
                *count += 1.0;
            }
        }
        for (merit, scored) in merits.iter_mut().zip(candidates) {
            let rest = scored.iter().map(|(block, sample)| {
                let (sum, count) = blocks[block];
                metric.merit(sample.value) - mean(sum, count)
            });
            *merit = mean(rest.sum(), scored.len() as f64);
        }
    }
    merits
}

/// The rounds in which the two parts of a sum settle.
const ROUNDS: usize = 50;

/// How much better one candidate is than another on the same rows with the same seeds.
fn difference(one: &[Scored], other: &[Scored], metric: Metric) -> Option<Estimate> {
    let pairs = one.iter().filter_map(|(block, one)| {
        let (_, other) = other.iter().find(|(same, _)| same == block)?;
        let better = |one: f64, other: f64| metric.merit(one) - metric.merit(other);
        let left_out = one.left_out.iter().zip(&other.left_out).map(|(one, other)| better(*one, *other)).collect();
        Some(Sample { value: better(one.value, other.value), left_out, groups: one.groups.clone() })
    });
    let pairs: Vec<Sample> = pairs.collect();
    (!pairs.is_empty()).then(|| Estimate::of(&pairs))
}

#[cfg(test)]
mod tests {
    use nn_dropout::{Config, Kind};

    use super::super::trial::Trial;
    use super::*;
    use crate::metric::{Metrics, Score};
    use crate::trainer::Validated;

    /// A trial that ended like this; its training score is 0.1 better. All rows are alike.
    fn record(p: f64, seed: u64, merit: f64, state: State) -> TrialResult {
        let dropout = Config::new(Kind::Dropout, p).unwrap();
        let score = |metric| Score { loss: 0.0, metric };
        let metrics = Metrics { epoch: 1, train: score(merit + 0.1), validation: score(merit) };
        let trial = Trial { candidate: Candidate::layer(dropout), seed, fold: None };
        let validated = Validated { scores: Vec::new(), left_out: vec![merit; 20], groups: vec![true; 20] };
        TrialResult { trial, state, seconds: 1.0, validated, history: vec![metrics] }
    }

    /// The answer to four complete trials per rate. Each seed adds the same to all rates, and each rate has noise of its own.
    fn answer(rates: &[(f64, f64, f64)]) -> Answer {
        let trials = rates.iter().flat_map(|&(p, mean, noise)| {
            let seeds = [(42, 0.02, 1.0), (43, -0.03, -1.0), (44, 0.05, 1.0), (45, -0.04, -1.0)];
            seeds.map(|(seed, shift, sign)| record(p, seed, mean + shift + sign * noise, State::Complete))
        });
        let trials: Vec<TrialResult> = trials.collect();
        Answer::of(trials.iter(), Metric::Accuracy).unwrap()
    }

    fn chosen(answer: &Answer) -> f64 {
        answer.rows[answer.chosen].candidate.dropout.amount()
    }

    #[test]
    fn what_all_seeds_share_does_not_count() {
        // The seeds differ by 9 points, and the rates by 4 in each of them.
        let found = answer(&[(0.0, 0.80, 0.0), (0.2, 0.84, 0.001), (0.4, 0.70, 0.0)]);
        assert_eq!((chosen(&found), found.best), (0.2, 1));
        let said = found.sentences();
        assert!(said[0].starts_with("p = 0.2: validation accuracy 84.0 % ± 2."), "{said:?}");
        assert!(said[1].starts_with("Dropout helps: +4.0 [+3.7, +4.3] points more than without dropout."), "{said:?}");
        assert!(found.is_tied(1) && !found.is_tied(0) && !found.is_tied(2));
    }

    #[test]
    fn the_least_rate_within_a_standard_error_of_the_best_is_chosen() {
        // Differences of d and -d twice each have a standard error of d / sqrt(3).
        let found = answer(&[(0.0, 0.80, 0.0), (0.2, 0.885, 0.0), (0.4, 0.90, 0.03), (0.6, 0.85, 0.0)]);
        assert_eq!((chosen(&found), found.best), (0.2, 2));
        assert!(
            found.sentences()[2].starts_with("The best mean is that of p = 0.4 (90.0 % ±"),
            "{:?}",
            found.sentences()
        );
        let found = answer(&[(0.0, 0.80, 0.0), (0.2, 0.88, 0.0), (0.4, 0.90, 0.03), (0.6, 0.85, 0.0)]);
        assert_eq!((chosen(&found), found.best), (0.4, 2));
    }

    #[test]
    fn an_easy_seed_that_only_some_have_does_not_count() {
        // p = 0.5 is better in each seed that both have, and p = 0 alone has the easy one.
        let rates = [(0.0, 0.80), (0.5, 0.85)];
        let seeds = [(1, 0.0), (2, 0.01), (3, -0.01), (4, 0.10)];
        let all = rates.iter().flat_map(|&(p, mean)| {
            seeds.map(|(seed, easy)| record(p, seed, mean + easy + p * 0.001 * easy, State::Complete))
        });
        let some: Vec<TrialResult> =
            all.filter(|result| result.trial.seed != 4 || result.trial.candidate.is_without_dropout()).collect();
        let found = Answer::of(some.iter(), Metric::Accuracy).unwrap();
        assert_eq!((chosen(&found), found.best), (0.5, 1), "{:?}", found.sentences());
        assert!(found.sentences()[1].starts_with("Dropout helps: +5.0 ["), "{:?}", found.sentences());
    }

    #[test]
    fn what_is_known_to_help_is_chosen() {
        // p = 0.3 has the best mean and much noise, p = 0.1 is known to be better than none.
        let found = answer(&[(0.0, 0.88, 0.0), (0.1, 0.89, 0.000_1), (0.3, 0.90, 0.06)]);
        assert_eq!((chosen(&found), found.best), (0.1, 2), "{:?}", found.sentences());
        assert!(found.sentences()[1].starts_with("Dropout helps: +1.0 ["), "{:?}", found.sentences());
        assert!(!found.is_tied(0) && found.is_tied(1));
        assert!(found.sentences()[2].ends_with("p = 0.1 is the least within one standard error of it."));
        // p = 0.05 is within too, but not known to help.
        let found = answer(&[(0.0, 0.88, 0.0), (0.05, 0.885, 0.02), (0.1, 0.89, 0.000_1), (0.3, 0.90, 0.06)]);
        assert_eq!(chosen(&found), 0.1, "{:?}", found.sentences());
        assert!(
            found.sentences()[2]
                .ends_with("p = 0.1 is the least within one standard error of it that is known to help.")
        );
        // p = 0.1 is known to help, but is too far below the best, whose gain may be chance.
        let found = answer(&[(0.0, 0.80, 0.0), (0.1, 0.81, 0.000_1), (0.3, 0.89, 0.06)]);
        assert_eq!(chosen(&found), 0.3, "{:?}", found.sentences());
        assert!(
            found.sentences()[1].starts_with("Dropout helps: that is sure of p = 0.1. For the chosen one, +9.0 [-"),
            "{:?}",
            found.sentences()
        );
        assert!(found.effect() == Some(Verdict::Better));
        // Nothing is said of no dropout where it was not tried.
        let found = answer(&[(0.1, 0.89, 0.01), (0.3, 0.90, 0.01)]);
        assert!(
            found.sentences()[1].starts_with("The same was not trained without dropout"),
            "{:?}",
            found.sentences()
        );
        let found = answer(&[(0.0, 0.89, 0.01)]);
        assert_eq!(found.sentences().len(), 1, "{:?}", found.sentences());
    }

    #[test]
    fn data_that_cannot_tell_candidates_apart_are_reported() {
        let found = answer(&[(0.0, 0.89, 0.01), (0.3, 0.9, 0.03), (0.6, 0.89, -0.01)]);
        assert_eq!(chosen(&found), 0.0);
        let said = found.sentences().join(" ");
        assert!(
            said.contains("cannot tell these candidates apart") && said.contains("does not measurably help"),
            "{said}"
        );
        let found = answer(&[(0.0, 0.87, 0.04), (0.3, 0.9, 0.0), (0.6, 0.5, 0.0)]);
        let said = found.sentences().join(" ");
        assert!(said.contains("Unsure whether dropout helps: +3.0 [-"), "{said}");
        assert!(said.contains("cannot tell the best and these apart: p = 0."), "{said}");
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
        assert_eq!((chosen(&found), found.stopped()), (0.0, 1));
        assert!(Answer::of([].into_iter(), Metric::Accuracy).is_none());
        // Less is better if a loss is compared.
        assert_eq!(chosen(&Answer::of(one.iter(), Metric::CrossEntropy).unwrap()), 0.0);
    }
}

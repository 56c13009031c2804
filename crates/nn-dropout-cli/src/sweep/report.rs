//! `report.html` of a sweep.

use std::path::Path;

use anyhow::Result;
use maud::html;

use super::answer::Answer;
use super::plan::Plan;
use super::problem::Problem;
use super::study::Record;
use crate::report::page;

pub fn html(
    problem: &Problem,
    plan: &Plan,
    ended: &[&Record],
    answer: &Answer,
    recommended: &str,
    out: &Path,
) -> Result<String> {
    let _ = (problem, plan, ended, out, recommended);
    let body = html! {
        @for sentence in answer.sentences() { p.lead { (sentence) } }
    };
    Ok(page("Which dropout rate?", &body))
}

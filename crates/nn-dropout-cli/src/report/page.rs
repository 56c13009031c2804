//! The page that all reports share.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
h3 { font-size: 1rem; font-weight: normal; margin: 1rem 0 0; }
.lead { font-size: 1.1rem; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; }
th, td { padding: 0.15rem 1.5rem 0.15rem 0; text-align: left; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid #8886; border-radius: 4px; }
figure { margin: 0; }
.narrow { display: none; }
@media (max-width: 36rem) { .wide { display: none; } .narrow { display: block; } th, td { padding-right: 0.75rem; } }
.scroll { overflow-x: auto; }
tr.chosen { font-weight: bold; }
.numbers th, .numbers td { text-align: right; padding-right: 0.8rem; }
.numbers td.words { text-align: left; }
.numbers td { white-space: nowrap; }
code { overflow-wrap: anywhere; }
.scroll code { white-space: nowrap; }
.train { color: rgb(214, 112, 32); }
.others { color: rgb(136, 136, 136); }
.validation { color: rgb(46, 134, 222); }
";

/// A self-contained page.
pub fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (body)
            }
        }
    };
    page.into_string()
}

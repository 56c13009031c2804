//! The book in `docs` and the READMEs: every command runs and prints what the page shows, the page of options is the program's
//! own help, and no link is broken. The examples of the library run too.
//!
//! The Rust in the pages is run by the documentation tests of the crates, the Python by
//! `crates/nn-dropout-python/tests/test_pages.py`.

mod common;

use std::collections::HashMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use common::{run, succeed};
use tempfile::TempDir;

/// Commands that do not run here, by how they begin: why not, and what else runs them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo install --locked --path crates/nn-dropout-cli", "builds the program, which is the one that runs here"),
    ("cargo run --profile bench", "measures for minutes; it is compiled by `cargo clippy --all-targets`"),
    ("cargo build --release", "builds the program; belongs to the benchmark"),
    ("cargo run --release --features vulkan", "needs a device: scripts/check-gpu.sh"),
    ("pip install ", "scripts/check-python.sh installs the package"),
    ("python benches/python/pytorch.py", "measures for ten minutes, with PyTorch"),
    ("python3 -c 'import numpy;", "needs NumPy; `folder` makes the same files"),
    ("nn-dropout sweep --data FILE.csv --target COLUMN --study postgres:", "needs a server: scripts/check-studies.sh"),
    ("nn-dropout study list postgres:", "the same"),
    ("nn-dropout study show postgres:", "the same"),
    ("nn-dropout study report postgres:", "the same"),
];

/// Commands that would take long, by how they begin, and the options with which they run here.
const SHORTER: &[(&str, &str)] = &[
    ("nn-dropout train --model gpt", "--max-iters 4 --eval-interval 2 --n-layer 1 --n-head 2 --n-embd 16"),
    ("nn-dropout sweep --rates 0,0.25,0.5 --rates-per-layer", "--epochs 1 --seeds 2"),
    ("nn-dropout sweep --layer 0.5 --layer", "--epochs 1 --seeds 2 --rates 0,0.5"),
    ("nn-dropout sweep --search tpe", "--epochs 1 --seeds 2 --trials 4"),
    ("nn-dropout sweep --data FILE.csv --target COLUMN --folds 5", "--epochs 1 --rates 0,0.5"),
    ("nn-dropout sweep --data FILE.csv --target COLUMN --train-fraction", "--epochs 1 --rates 0,0.5"),
];

/// What stands for a table and its column in the pages.
const TABLE: &str = "FILE.csv";
const COLUMN: &str = "COLUMN";

#[test]
fn the_tutorial_runs() {
    run_page(&page("docs/tutorial.md"));
}

#[test]
fn the_readme_runs() {
    run_page(&page("README.md"));
}

#[test]
fn all_other_pages_run() {
    for page in pages() {
        // Translations have the same commands.
        if !["docs/tutorial.md", "README.md", "docs/ja/tutorial.md", "README.ja.md"].contains(&page.name.as_str()) {
            run_page(&page);
        }
    }
}

#[test]
fn every_command_runs_or_is_listed() {
    let commands: Vec<(String, String)> = pages()
        .iter()
        .flat_map(|page| page.blocks("sh").into_iter().map(|block| (page.name.clone(), block.body)))
        .flat_map(|(name, body)| lines(&body).into_iter().map(move |line| (name.clone(), line)))
        .collect();
    for (name, command) in &commands {
        let is_ours = words(command).is_some_and(|words| !words.is_empty());
        assert!(is_ours || is_elsewhere(command), "{name}: nothing runs `{command}`");
    }
    for (start, _) in ELSEWHERE.iter().chain(SHORTER) {
        let is_used = commands.iter().any(|(_, command)| command.starts_with(start));
        assert!(is_used, "no page has `{start}` any more");
    }
}

#[test]
fn translations_have_the_same_code() {
    for (page_name, translation) in [("docs/tutorial.md", "docs/ja/tutorial.md"), ("README.md", "README.ja.md")] {
        let [original, translated] = [page_name, translation].map(|name| page(name).all_blocks());
        assert_eq!(original.len(), translated.len(), "{translation}");
        for (block, same) in original.iter().zip(&translated) {
            assert_eq!((&block.info, &block.body), (&same.info, &same.body), "{translation}");
        }
    }
}

/// Where a page shows code for a crate that its own test does not have.
#[test]
fn code_that_is_not_run_is_part_of_code_that_is() {
    let pages = pages();
    let checked: Vec<Block> = pages.iter().flat_map(|page| page.blocks("rust")).collect();
    for page in &pages {
        for block in page.blocks("rust,ignore") {
            let part = block.body.trim_end();
            assert!(checked.iter().any(|checked| checked.body.contains(part)), "{}:\n{part}", page.name);
        }
    }
}

/// `cargo test` builds them all, unless it is told which test to run.
#[test]
fn the_examples_of_the_library_run() {
    let binaries = env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().join("examples");
    for source in files(&root().join("crates/nn-dropout/examples"), "rs") {
        let binary = binaries.join(source.file_stem().unwrap()).with_extension(env::consts::EXE_EXTENSION);
        if !binary.exists() {
            eprintln!("{} is not built", source.display());
            continue;
        }
        let output = Command::new(binary).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !output.stdout.is_empty(), "{}: {stderr}", source.display());
    }
}

#[test]
fn the_page_of_options_is_the_help() {
    let folder = tempfile::tempdir().unwrap();
    let mut text =
        "# The program's options\n\nThis page is what the program prints for `--help`. A test compares them. To write \
                    the page again, run\n`NN_DROPOUT_WRITE_PAGES=1 cargo test --workspace --test book`.\n"
            .to_owned();
    let mut commands = vec![String::new()];
    while let Some(command) = commands.pop() {
        let args: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = succeed(&folder, &args);
        // From the last to the first, so that they come in their order.
        commands.extend(subcommands(&help).into_iter().rev().map(|name| format!("{command} {name}")));
        let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        writeln!(text, "\n## nn-dropout{command}\n\n```text\n{}\n```", lines.join("\n")).unwrap();
    }
    let path = root().join("docs/program.md");
    if env::var_os("NN_DROPOUT_WRITE_PAGES").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    for (there, now) in written.lines().zip(text.lines()) {
        assert_eq!(
            there, now,
            "docs/program.md is not what the program prints: NN_DROPOUT_WRITE_PAGES=1 writes it again"
        );
    }
    assert_eq!(written.len(), text.len(), "docs/program.md is not what the program prints");
}

#[test]
fn the_page_of_files_has_the_formats() {
    let described = page("docs/files.md").text;
    let folder = folder("docs/files.md");
    let heads = |args: &str, files: &[&str]| {
        let printed = run(&folder, &common::words(args));
        assert!(printed.status.success(), "{args}: {}", String::from_utf8_lossy(&printed.stderr));
        for file in files {
            let text = fs::read_to_string(folder.path().join(file)).unwrap();
            let head = text.lines().next().unwrap();
            assert!(described.contains(head), "docs/files.md does not have the columns of {file}: {head}");
        }
    };
    heads("train --data animals.csv --target kind --epochs 1 --out a", &["a/metrics.csv"]);
    heads("train --data animals.csv --target weight --task regression --epochs 1 --out b", &["b/metrics.csv"]);
    heads(
        "train --model gpt --data FILE.txt --max-iters 1 --n-layer 1 --n-head 2 --n-embd 16 --out c",
        &["c/metrics.csv"],
    );
    heads("sweep --data animals.csv --target kind --epochs 1 --rates 0 --seeds 2 --out d", &["d/results.csv"]);
    for (file, of) in [
        ("config.toml", "a"),
        ("table.json", "a"),
        ("vocabulary.txt", "c"),
        ("study.db", "d"),
        ("recommended.toml", "d"),
    ] {
        assert!(folder.path().join(of).join(file).exists() && described.contains(&format!("`{file}`")), "{file}");
    }
    // The tables of a study, as the program makes them.
    let [tables] = &page("docs/files.md").blocks("sql")[..] else { panic!("one block of SQL") };
    let sources = files(&root().join("crates"), "rs");
    let is_there = |path: &PathBuf| fs::read_to_string(path).unwrap().contains(tables.body.trim_end());
    assert!(sources.iter().any(is_there), "no source has the tables that docs/files.md shows");
}

#[test]
fn no_link_is_broken() {
    let documents = root().join("docs");
    let mut pages = pages();
    let others = ["CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md", "examples/many-machines/README.md"];
    pages.extend(others.map(page));
    for path in fs::read_dir(root().join("crates")).unwrap() {
        let path = path.unwrap().path().join("README.md");
        if path.exists() {
            pages.push(page(path.strip_prefix(root()).unwrap().to_str().unwrap()));
        }
    }
    let mut anchors: HashMap<PathBuf, Vec<String>> = HashMap::new();
    let mut count = 0;
    for page in &pages {
        let path = root().join(&page.name);
        for link in links(&page.text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.clone() } else { normal(&path.parent().unwrap().join(file)) };
            assert!(target.exists(), "{}: there is no {link}", page.name);
            // In the book there is nothing else.
            let leaves = path.starts_with(&documents) && !target.starts_with(&documents);
            assert!(!leaves, "{}: {link} is not in the book; name it without a link", page.name);
            if let Some(anchor) = anchor {
                let there =
                    anchors.entry(target.clone()).or_insert_with(|| headings(&fs::read_to_string(&target).unwrap()));
                assert!(
                    there.iter().any(|there| there == anchor),
                    "{}: {link} has no such heading: {there:?}",
                    page.name
                );
            }
        }
    }
    assert!(count > 150, "{count} links");
}

#[test]
fn every_page_is_in_the_book_once_with_its_title() {
    let summary = page("docs/SUMMARY.md").text;
    for page in pages() {
        if let Some(name) = page.name.strip_prefix("docs/").filter(|name| *name != "SUMMARY.md") {
            let title = page.text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap();
            assert_eq!(summary.matches(&format!("[{title}]({name})")).count(), 1, "{name} in docs/SUMMARY.md");
        }
    }
}

#[test]
fn the_readme_is_short() {
    assert!(page("README.md").text.lines().count() <= 120);
}

/// Runs the commands of a page one after the other, in one folder, and compares what they print with what the page shows.
fn run_page(page: &Page) {
    let folder = folder(&page.name);
    let blocks = page.all_blocks();
    for (number, block) in blocks.iter().enumerate() {
        if block.info == "toml" {
            // A file that says its name.
            let first = block.body.lines().next().and_then(|line| line.strip_prefix("# "));
            let name = first.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "toml"));
            if let Some(name) = name {
                fs::write(folder.path().join(name), filled(&block.body)).unwrap();
            }
        }
        if block.info != "sh" {
            continue;
        }
        let mut printed = None;
        for line in lines(&block.body).into_iter().filter(|line| !is_elsewhere(line)) {
            let shorter = SHORTER.iter().find(|(start, _)| line.starts_with(start)).map_or("", |(_, options)| *options);
            let args = words(&filled(&format!("{line} {shorter}"))).unwrap();
            let output = run(&folder, &args.iter().map(String::as_str).collect::<Vec<_>>());
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {line}: {stderr}", page.name);
            printed = shorter.is_empty().then(|| (line, String::from_utf8(output.stdout).unwrap()));
        }
        let shown = blocks.get(number + 1).filter(|next| next.info == "text" && next.directly);
        if let (Some(shown), Some((line, printed))) = (shown, printed) {
            compare(&format!("{}: {line}", page.name), &shown.body, &printed);
        }
    }
}

/// What was printed is what is shown, except for times and dates. Sums are rounded otherwise where there is no AVX-512, so there
/// only the number of lines counts.
fn compare(what: &str, shown: &str, printed: &str) {
    let lines = |text: &str| -> Vec<String> { text.trim_end().lines().map(masked).collect() };
    let [shown, printed] = [shown, printed].map(lines);
    assert_eq!(printed.len(), shown.len(), "{what}: {printed:#?}");
    if nn_dropout::kernel_name() == "avx512" {
        for (shown, printed) in shown.iter().zip(&printed) {
            assert!(is_alike(shown, printed), "{what}\nshown:   {shown}\nprinted: {printed}");
        }
    }
}

/// Whether two lines have the same words, and nearly the same numbers: another CPU's caches make other sums of a matrix product, so that
/// a row of a thousand may be read otherwise. Whole numbers are counts, and have to be the same.
fn is_alike(shown: &str, printed: &str) -> bool {
    let words = |line: &str| -> Vec<String> {
        let words = line.split(|char: char| char.is_whitespace() || "[](),;:%".contains(char));
        words.map(|word| word.trim_end_matches('.').to_owned()).filter(|word| !word.is_empty()).collect()
    };
    let number = |word: &str| word.parse::<f64>().ok().filter(|_| word.contains('.'));
    let [shown, printed] = [shown, printed].map(words);
    let are_alike = |(a, b): (&String, &String)| {
        let near = |(a, b): (f64, f64)| (a - b).abs() <= 0.15 + 0.02 * b.abs();
        a == b || number(a).zip(number(b)).is_some_and(near)
    };
    shown.len() == printed.len() && shown.iter().zip(&printed).all(are_alike)
}

/// A line without its seconds and today's dates.
fn masked(line: &str) -> String {
    let words: Vec<&str> = line.trim_end().split(' ').collect();
    let is_seconds = |number: usize| {
        words[number].parse::<f64>().is_ok()
            && words.get(number + 1).is_some_and(|unit| ["s", "s;", "s,", "seconds"].contains(unit))
    };
    let word = |number: usize| if is_seconds(number) || words[number].starts_with("202") { "?" } else { words[number] };
    (0..words.len()).map(word).collect::<Vec<_>>().join(" ")
}

/// A folder with the files that the pages name.
fn folder(page: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = root().join("crates/nn-dropout-cli/tests/fixtures");
    let table = if page == "docs/tables.md" { "tables/r-csv2-rownames.csv" } else { "animals.csv" };
    let copy = |from: &Path, name: &str| {
        fs::copy(from, folder.path().join(name)).unwrap();
    };
    copy(&fixtures.join("animals.csv"), "animals.csv");
    copy(&fixtures.join(table), TABLE);
    copy(&fixtures.join(table), "NEW.csv");
    copy(&root().join("docs/mask.md"), "FILE.txt");
    for (name, rows) in [("x.npy", 6), ("part.npy", 3)] {
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 6), }}");
        header += &" ".repeat(128 - 10 - 1 - header.len());
        let ones = 1_f32.to_le_bytes().repeat(6 * rows);
        let npy = [b"\x93NUMPY\x01\0\x76\0".as_slice(), header.as_bytes(), b"\n", &ones].concat();
        fs::write(folder.path().join(name), npy).unwrap();
    }
    folder
}

/// A command with a column that the table has.
fn filled(command: &str) -> String {
    command.replace(COLUMN, "kind")
}

fn is_elsewhere(command: &str) -> bool {
    ELSEWHERE.iter().any(|(start, _)| command.starts_with(start))
}

/// The commands in a block. A backslash at the end of a line continues it.
fn lines(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// The arguments of a call of the program, as a shell takes them apart. `None` for other commands.
fn words(command: &str) -> Option<Vec<String>> {
    let args = ["nn-dropout ", "cargo run --release -- "].iter().find_map(|start| command.strip_prefix(start))?;
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in args.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    Some(words)
}

/// The commands that a help lists, but not `help` itself.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| line.starts_with("  "));
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

struct Page {
    /// From the root of the repository.
    name: String,
    text: String,
}

struct Block {
    info: String,
    body: String,
    /// Whether nothing stands between it and the block before.
    directly: bool,
}

impl Page {
    fn all_blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let (mut is_inside, mut directly) = (false, false);
        for line in self.text.lines() {
            match (is_inside, line.trim_start().strip_prefix("```")) {
                (false, Some(info)) => {
                    blocks.push(Block { info: info.to_owned(), body: String::new(), directly });
                    is_inside = true;
                }
                (true, Some("")) => (is_inside, directly) = (false, true),
                (true, _) => blocks.last_mut().unwrap().body.extend([line, "\n"]),
                (false, None) => directly &= line.is_empty(),
            }
        }
        assert!(!is_inside, "{}: a block does not end", self.name);
        blocks
    }

    fn blocks(&self, info: &str) -> Vec<Block> {
        self.all_blocks().into_iter().filter(|block| block.info == info).collect()
    }
}

fn root() -> PathBuf {
    normal(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

fn page(name: &str) -> Page {
    Page {
        name: name.to_owned(),
        text: fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}")),
    }
}

/// The pages of the book, and the READMEs.
fn pages() -> Vec<Page> {
    let mut names: Vec<String> = files(&root().join("docs"), "md")
        .iter()
        .map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/"))
        .collect();
    names.extend(["README.md", "README.ja.md"].map(str::to_owned));
    assert!(names.len() > 40, "{names:?}");
    names.iter().map(|name| page(name)).collect()
}

/// All files in a folder with this extension, but those of builds.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|there| there == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A path without `..`.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut normal, component| {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            _ => normal.push(component),
        }
        normal
    })
}

/// The lines outside of code blocks, without code spans.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let outside = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    outside.collect::<Vec<_>>().join("\n")
}

/// The targets of all links and pictures.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let parts = prose.split("](").skip(1);
    parts.filter_map(|part| part.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of all headings, as GitHub and mdBook make them.
fn headings(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for line in prose(text).lines().filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
        let anchor: String = kept.map(|character| if character == ' ' { '-' } else { character }).collect();
        let same = anchors.iter().filter(|there| **there == anchor).count();
        anchors.push(if same == 0 { anchor } else { format!("{anchor}-{same}") });
    }
    anchors
}

//! `nn-dropout train --model gpt` and `generate`, run as a user runs them.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{entries, program, succeed};
use safetensors::SafeTensors;
use tempfile::TempDir;

/// Small and quick.
const TINY: &[&str] = &[
    "train",
    "--model",
    "gpt",
    "--data",
    "text.txt",
    "--n-layer",
    "2",
    "--n-head",
    "2",
    "--n-embd",
    "16",
    "--block-size",
    "16",
    "--batch-size",
    "4",
    "--eval-interval",
    "20",
    "--out",
    "run",
];

fn refuse(folder: &TempDir, args: &[&str], message: &str) {
    assert_eq!(common::refuse(folder, args), format!("error: {message}"));
}

/// A folder with a text in it that has something to learn.
fn with_text() -> TempDir {
    let folder = TempDir::new().unwrap();
    let lines: Vec<String> = (0..300).map(|i| format!("{i}: the cat sat on mat {}.\n", i * i % 17)).collect();
    fs::write(folder.path().join("text.txt"), lines.concat()).unwrap();
    folder
}

fn results(folder: &TempDir, run: &str) -> [Vec<u8>; 2] {
    ["metrics.csv", "model.safetensors"].map(|name| fs::read(folder.path().join(run).join(name)).unwrap())
}

fn read(folder: &TempDir, name: &str) -> Vec<u8> {
    fs::read(folder.path().join("run").join(name)).unwrap()
}

/// A column of `metrics.csv`.
fn column(path: &Path, index: usize) -> Vec<f64> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').nth(index).unwrap().parse().unwrap()).collect()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Our losses with the weights, batches and settings of a run of nanoGPT, and nanoGPT's own.
fn replay(name: &str, more: &[&str]) -> (Vec<f64>, Vec<f64>) {
    let folder = TempDir::new().unwrap();
    let file = |end: &str| fixture(&format!("{name}{end}")).into_os_string().into_string().unwrap();
    let (config, weights, batches) = (file(".toml"), file("-weights.safetensors"), file("-batches.npy"));
    let args = ["train", "--config", &config, "--init", &weights, "--batches", &batches, "--out", "run"];
    succeed(&folder, &[&args[..], more].concat());
    (column(&folder.path().join("run/metrics.csv"), 1), column(&fixture(&format!("{name}-losses.csv")), 1))
}

fn furthest(losses: &(Vec<f64>, Vec<f64>)) -> f64 {
    assert_eq!(losses.0.len(), losses.1.len());
    losses.0.iter().zip(&losses.1).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f64::max)
}

/// See `fixtures/make_gpt.py`.
#[test]
fn a_run_of_nanogpt_in_pytorch_is_replayed_step_by_step() {
    for name in ["gpt-bias", "gpt-plain"] {
        let losses = replay(name, &[]);
        assert!(losses.1.len() == 40 && losses.1[39] < losses.1[0] - 0.5, "there is something to replay");
        assert!(furthest(&losses) < 1e-5, "{name}: {}", furthest(&losses));
    }
}

#[test]
fn with_other_masks_or_none_the_losses_differ() {
    for more in [&["--rng", "philox"][..], &["--seed", "1"], &["--dropout", "0"]] {
        assert!(furthest(&replay("gpt-bias", more)) > 1e-2, "{more:?}");
    }
}

#[test]
fn a_text_is_learned_and_all_results_are_there() {
    let folder = with_text();
    let printed = succeed(&folder, &[TINY, &["--learning-rate", "0.01", "--max-iters", "150"]].concat());
    assert!(printed.contains("training loss") && printed.contains("validation loss"), "{printed}");
    let run = folder.path().join("run");
    assert_eq!(
        entries(&run),
        ["checkpoint.safetensors", "config.toml", "metrics.csv", "model.safetensors", "report.html", "vocabulary.txt"]
    );
    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    assert!(metrics.starts_with("step,train_loss,val_loss\n0,"), "{metrics}");
    assert_eq!(column(&run.join("metrics.csv"), 0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 140.0, 150.0]);
    for index in [1, 2] {
        let losses = column(&run.join("metrics.csv"), index);
        assert!(losses[8] < losses[0] - 1.0, "{losses:?}");
    }
    let bytes = fs::read(run.join("model.safetensors")).unwrap();
    let weights = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(weights.tensor("transformer.h.1.attn.c_attn.weight").unwrap().shape(), [48, 16]);
    assert_eq!(weights.tensor("transformer.ln_f.weight").unwrap().shape(), [16]);
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("<svg") && report.contains("n_embd = 16"));

    // From its own config, on one thread, in another folder: the same bytes.
    let again = program(&folder, &["train", "--config", "run/config.toml", "--out", "again"])
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap();
    assert!(again.status.success());
    assert_eq!(results(&folder, "again"), results(&folder, "run"));
}

/// Runs until the folder has a checkpoint and then some more, and ends it at once.
#[cfg(unix)]
fn kill(folder: &TempDir, args: &[&str], signal: nix::sys::signal::Signal) {
    use nix::sys::signal;
    use nix::unistd::Pid;

    let mut child = program(folder, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    // The first checkpoint is of step 0, and its row follows it.
    let rows = || fs::read_to_string(folder.path().join("run/metrics.csv")).map_or(0, |text| text.lines().count());
    while rows() < 3 {
        assert!(start.elapsed() < Duration::from_mins(1), "no checkpoint");
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_millis(20));
    signal::kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success(), "it had finished before it was interrupted");
}

#[cfg(unix)]
#[test]
fn a_run_that_was_killed_resumes_as_if_nothing_had_happened() {
    use nix::sys::signal::Signal;

    let long = [TINY, &["--max-iters", "1200"]].concat();
    let undisturbed = with_text();
    succeed(&undisturbed, &long);
    for (signal, rng) in [(Signal::SIGKILL, "philox"), (Signal::SIGINT, "philox"), (Signal::SIGKILL, "torch")] {
        let folder = with_text();
        let args = [&long[..], &["--rng", rng]].concat();
        kill(&folder, &args, signal);
        let rows = column(&folder.path().join("run/metrics.csv"), 0).len();
        assert!(rows < 61, "{rows} rows");
        succeed(&folder, &["train", "--out", "run", "--resume"]);
        if rng == "philox" {
            assert_eq!(results(&folder, "run"), results(&undisturbed, "run"), "after {signal}");
        } else {
            let other = with_text();
            succeed(&other, &args);
            assert_eq!(results(&folder, "run"), results(&other, "run"), "after {signal}, with PyTorch's masks");
        }
    }
}

#[test]
fn a_finished_run_can_be_made_longer_and_a_changed_one_cannot_resume() {
    let folder = with_text();
    succeed(&folder, &[TINY, &["--max-iters", "60", "--seed", "-1"]].concat());
    succeed(&folder, &["train", "--out", "run", "--resume", "--max-iters", "80"]);
    let whole = with_text();
    succeed(&whole, &[TINY, &["--max-iters", "80", "--seed", "18446744073709551615"]].concat());
    assert_eq!(results(&folder, "run"), results(&whole, "run"));
    refuse(
        &folder,
        &["train", "--out", "run", "--resume", "--n-layer", "3"],
        "the run in run has n_layer = 2, not 3: only max_iters may change",
    );
    refuse(&folder, &["train", "--out", "no", "--resume"], "there is no run to resume in no");
    refuse(&folder, &["train", "--resume"], "--resume needs --out, the folder of the run to resume");
}

#[test]
fn dropout_of_another_kind_resumes_with_its_schedule() {
    let folder = with_text();
    let train = |dropout: &str, steps: &str| {
        common::said(&folder, &[TINY, &["--max-iters", steps, "--force", "--dropout", dropout]].concat());
        results(&folder, "run")
    };
    // Interrupted after half of the steps.
    let resumed = |dropout: &str| {
        train(dropout, "20");
        succeed(&folder, &["train", "--out", "run", "--resume", "--max-iters", "40"]);
        results(&folder, "run")
    };
    let (none, plain) = (train("0", "40"), train("0.3", "40"));
    for dropout in [
        "kind = 'token-dropout', p = 0.3",
        "kind = 'drop-path', p = 0.3",
        "kind = 'gaussian-dropout', p = 0.3",
        "kind = 'dropout', p = 0.3, shared_axes = [1]",
        "kind = 'dropout', p = 0.3, schedule = { kind = 'linear', steps = 30 }",
    ] {
        let whole = train(dropout, "40");
        let config = read(&folder, "config.toml");
        assert!(whole != none && whole != plain, "{dropout}");
        assert!(resumed(dropout) == whole && read(&folder, "config.toml") == config, "{dropout}");
    }
    // The schedule counts the optimiser's steps, before an interruption and after it.
    let late =
        |steps: u64| resumed(&format!("kind = 'dropout', p = 0.3, schedule = {{ kind = 'late', steps = {steps} }}"));
    assert!(late(40) == none && late(39) != none);
    let [metrics, _] = late(20);
    let start =
        |metrics: &[u8]| String::from_utf8_lossy(metrics).lines().take(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(start(&metrics), start(&none[0]));
    assert!(metrics != none[0]);
}

#[test]
fn dropout_that_takes_no_activations_of_a_gpt_is_refused_before_the_training() {
    let folder = with_text();
    let of = "dropout of a GPT's [batch, token, channel] and [batch, head, query, key]";
    let kinds = "dropout, dropout2d, alpha-dropout, feature-alpha-dropout, drop-path, gaussian-dropout, gaussian-noise, neftune-noise, \
                 token-dropout";
    let no_batch =
        |kind: &str| format!("{kind} does not take the first axis for a batch of samples; expected one of {kinds}");
    for (dropout, why) in [
        ("kind = 'dropout3d', p = 0.1", no_batch("dropout3d")),
        ("kind = 'drop-connect', p = 0.1", no_batch("drop-connect")),
        ("kind = 'embedding-dropout', p = 0", no_batch("embedding-dropout")),
        (
            "kind = 'drop-block2d', p = 0.1",
            format!(
                "drop-block2d takes tensors of 4 dimensions (sample, channel, height, width), but got 3; expected one of {kinds}"
            ),
        ),
        ("kind = 'drop-key', p = 0.1", format!("drop-key is for the scores before a softmax; expected one of {kinds}")),
        (
            "kind = 'dropout', p = 0.1, shared_axes = [3]",
            "axis 3 cannot be shared by a tensor of 3 dimensions: axes are numbered from 0".to_owned(),
        ),
    ] {
        refuse(&folder, &[TINY, &["--dropout", dropout]].concat(), &format!("{of}: {why}"));
    }
    let line = common::refuse(&folder, &[TINY, &["--dropout", "kind = 'dropout1d', p = 0.1"]].concat());
    assert!(line.contains("dropout1d: Expected 2D or 3D input, but received a 4D input."), "{line}");
    let torch = "gaussian-noise needs --rng philox: PyTorch's masks have no numbers; expected one of dropout, dropout2d, alpha-dropout, \
                 feature-alpha-dropout, drop-path, token-dropout";
    let dropout = ["--rng", "torch", "--dropout", "kind = 'gaussian-noise', stddev = 0.1"];
    refuse(&folder, &[TINY, &dropout].concat(), &format!("{of}: {torch}"));
}

#[test]
fn what_only_some_editors_write_is_left_out_of_a_text_with_a_note() {
    let folder = with_text();
    let train = [TINY, &["--max-iters", "20"]].concat();
    succeed(&folder, &train);
    let text = fs::read_to_string(folder.path().join("text.txt")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let results = || ["metrics.csv", "model.safetensors", "vocabulary.txt"].map(|name| read(&folder, name));
    let plain = results();
    for (odd, note) in [
        ("\u{feff}".to_owned() + &text, "the byte order mark at the start is left out"),
        (lines.join("\r\n") + "\r\n", "carriage returns are read as line breaks"),
        (
            "\u{feff}".to_owned() + &lines.join("\r") + "\r",
            "the byte order mark at the start is left out, and carriage returns are read as line breaks",
        ),
    ] {
        fs::write(folder.path().join("text.txt"), odd).unwrap();
        let output = common::run(&folder, &[&train[..], &["--force"]].concat());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("note: text.txt: {note}\n"));
        assert!(results() == plain, "{note}");
    }
    // A refusal is one line, without the note.
    refuse(
        &folder,
        &[&train[..], &["--vocab-size", "3", "--force"]].concat(),
        "the text has 23 different characters, and the model 3 tokens",
    );

    let say = |prompt: &str| common::run(&folder, &["generate", "--run", "run", "--prompt", prompt, "--tokens", "5"]);
    let (plain, odd) = (say("1: the\n2"), say("1: the\r\n2"));
    assert_eq!(odd.stdout, plain.stdout);
    let note = String::from_utf8(odd.stderr).unwrap();
    assert_eq!(note, "note: --prompt: carriage returns are read as line breaks\n");
}

#[test]
fn damaged_files_of_a_run_are_refused_in_one_line() {
    let folder = with_text();
    succeed(&folder, &[TINY, &["--max-iters", "20"]].concat());
    let path = |name: &str| folder.path().join("run").join(name);
    let (resume, generate) = (["train", "--out", "run", "--resume", "--max-iters", "40"], ["generate", "--run", "run"]);

    // A bit of a weight, which no reader could see.
    let checkpoint = fs::read(path("checkpoint.safetensors")).unwrap();
    let weights = fs::read(path("model.safetensors")).unwrap();
    let mut damaged = checkpoint.clone();
    damaged[checkpoint.len() / 2] ^= 1;
    fs::write(path("checkpoint.safetensors"), &damaged).unwrap();
    refuse(&folder, &resume, "run/checkpoint.safetensors: the checkpoint is damaged");
    fs::remove_file(path("model.safetensors")).unwrap();
    refuse(&folder, &generate, "run/checkpoint.safetensors: the checkpoint is damaged");

    fs::write(path("checkpoint.safetensors"), &weights).unwrap();
    refuse(&folder, &resume, "run/checkpoint.safetensors: not a checkpoint");
    fs::write(path("model.safetensors"), &weights[..100]).unwrap();
    let said = common::refuse(&folder, &generate);
    assert!(said.starts_with("error: run/model.safetensors: not a .safetensors file: "), "{said}");

    fs::write(path("model.safetensors"), &weights).unwrap();
    let vocabulary = fs::read_to_string(path("vocabulary.txt")).unwrap();
    fs::write(path("vocabulary.txt"), vocabulary.clone() + "é").unwrap();
    refuse(&folder, &generate, "run/vocabulary.txt has 24 characters, and the model 23 tokens");
    fs::write(path("vocabulary.txt"), [0xFF]).unwrap();
    refuse(&folder, &generate, "run/vocabulary.txt: expected the characters of a text in UTF-8");
    fs::write(path("vocabulary.txt"), vocabulary).unwrap();

    // What is in a file cannot break the line.
    let tensor = safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![1], &[0]).unwrap();
    let odd = safetensors::serialize([("a\n\u{1b}[31m", tensor)], None).unwrap();
    fs::write(path("checkpoint.safetensors"), [&checkpoint[..], &odd].concat()).unwrap();
    common::refuse(&folder, &resume);
    fs::write(path("model.safetensors"), odd).unwrap();
    common::refuse(&folder, &generate);
}

#[test]
fn a_run_goes_on_with_the_contents_of_its_files_and_not_with_their_names() {
    let folder = with_text();
    let path = |name: &str| folder.path().join(name);
    let text = fs::read_to_string(path("text.txt")).unwrap();
    let resume = ["train", "--out", "run", "--resume", "--max-iters", "30"];
    succeed(&folder, &[TINY, &["--max-iters", "20"]].concat());
    let before =
        ["config.toml", "checkpoint.safetensors", "vocabulary.txt", "metrics.csv"].map(|name| read(&folder, name));
    // As many characters, others in their place, one more, too few.
    for changed in [text.replace('c', "C"), text.replacen("cat", "tac", 1), text.clone() + "é", "too short".to_owned()]
    {
        fs::write(path("text.txt"), &changed).unwrap();
        refuse(
            &folder,
            &resume,
            "text.txt is not the text that the run in run was begun with (then also named text.txt)",
        );
        let names = ["config.toml", "checkpoint.safetensors", "vocabulary.txt", "metrics.csv"];
        assert!(names.map(|name| read(&folder, name)) == before, "something was written");
    }
    fs::write(path("text.txt"), &text).unwrap();
    fs::rename(path("text.txt"), path("moved.txt")).unwrap();
    succeed(&folder, &[&resume[..], &["--data", "moved.txt"]].concat());
    assert!(fs::read_to_string(path("run/config.toml")).unwrap().contains("data = \"moved.txt\""));
    let undisturbed = with_text();
    succeed(&undisturbed, &[TINY, &["--max-iters", "30"]].concat());
    assert_eq!(results(&folder, "run"), results(&undisturbed, "run"));

    // Batches and weights too.
    for (name, end) in [("w.safetensors", "-weights.safetensors"), ("b.npy", "-batches.npy")] {
        fs::copy(fixture(&format!("gpt-bias{end}")), path(name)).unwrap();
    }
    let config = fixture("gpt-bias.toml").into_os_string().into_string().unwrap();
    succeed(
        &folder,
        &["train", "--config", &config, "--init", "w.safetensors", "--batches", "b.npy", "--out", "replay"],
    );
    for (name, kind) in [("w.safetensors", "file of weights"), ("b.npy", "file of batches")] {
        let intact = fs::read(path(name)).unwrap();
        let mut changed = intact.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(path(name), changed).unwrap();
        refuse(
            &folder,
            &["train", "--out", "replay", "--resume"],
            &format!("{name} is not the {kind} that the run in replay was begun with (then also named {name})"),
        );
        fs::write(path(name), intact).unwrap();
    }
    succeed(&folder, &["train", "--out", "replay", "--resume"]);
}

#[test]
fn a_trained_model_continues_a_text() {
    let folder = with_text();
    succeed(&folder, &[TINY, &["--learning-rate", "0.02", "--max-iters", "200"]].concat());
    let say = |args: &[&str]| succeed(&folder, &[&["generate", "--run", "run"], args].concat());
    let likeliest = say(&["--prompt", "the cat ", "--tokens", "40", "--temperature", "0"]);
    assert!(likeliest.starts_with("the cat ") && likeliest.contains("sat"), "{likeliest}");
    assert_eq!(likeliest.chars().count(), 8 + 40 + 1);
    assert_eq!(say(&["--prompt", "the cat ", "--tokens", "40", "--top-k", "1"]), likeliest);
    let any = say(&["--seed", "1", "--tokens", "60"]);
    assert!(any.starts_with('\n'));
    assert_eq!(say(&["--seed", "1", "--tokens", "60"]), any);
    assert_ne!(say(&["--seed", "2", "--tokens", "60"]), any);
    assert_eq!(say(&["--seed", "-1"]), say(&["--seed", "18446744073709551615"]));

    let refuse = |args: &[&str], message: &str| refuse(&folder, &[&["generate"], args].concat(), message);
    refuse(
        &["--run", "run", "--prompt", "Ätna"],
        "--prompt: the model does not know the character 'Ä', only those in run/vocabulary.txt",
    );
    let tab = "--prompt: the model does not know the character '\\u{200b}', only those in run/vocabulary.txt";
    refuse(&["--run", "run", "--prompt", "the\u{200b}cat"], tab);
    refuse(&["--run", "run", "--prompt", ""], "--prompt has to be at least one character long");
    refuse(&["--run", "no"], "there is no run in no");
    let negative = "invalid value '-1' for '--temperature <T>': expected a finite number of at least 0, but got -1";
    refuse(&["--run", "run", "--temperature", "-1"], negative);
    let count = "invalid value '-3' for '--top-k <K>': expected a whole number of at least 1, but got -3";
    refuse(&["--run", "run", "--top-k", "-3"], count);
    let range = "invalid value '-1e3' for '--tokens <N>': expected a whole number from 0 to 2^32 - 1, but got -1e3";
    refuse(&["--run", "run", "--tokens", "-1e3"], range);
}

#[test]
fn what_cannot_be_trained_is_refused_in_one_line() {
    let folder = with_text();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("short.txt", b"To be, or not to be");
    write("latin1.txt", &[0xE4; 3000]);
    let refuse =
        |args: &[&str], message: &str| refuse(&folder, &[&["train", "--model", "gpt"], args].concat(), message);
    let text = ["--data", "text.txt"];
    let with = |more: &[&'static str]| [&text[..], more].concat();
    refuse(&[], "--model gpt learns from --data FILE.txt or from --batches FILE.npy: name one");
    refuse(&["--batches", "no.npy"], "cannot read no.npy: No such file or directory (os error 2)");
    refuse(&["--vocab-size", "9"], "--model gpt learns from --data FILE.txt or from --batches FILE.npy: name one");
    refuse(&with(&["--n-embd", "50", "--n-head", "4"]), "n_embd has to be a multiple of n_head, but got 50 and 4");
    let short = "short.txt: the text has 19 characters, and its last tenth has to be longer than a block of 64";
    refuse(&["--data", "short.txt"], short);
    refuse(&["--data", "latin1.txt"], "latin1.txt: expected a text in UTF-8");
    refuse(&["--data", "no.txt"], "no.txt: No such file or directory (os error 2)");
    refuse(&with(&["--vocab-size", "3"]), "the text has 23 different characters, and the model 3 tokens");
    refuse(&with(&["--hidden", "3"]), "--hidden is for --model mlp");
    let beta = "invalid value '1' for '--beta1 <SHARE>': expected a number of at least 0 and below 1, but got 1";
    refuse(&with(&["--beta1", "1"]), beta);

    let file = |name: &str| fixture(name).into_os_string().into_string().unwrap();
    let (config, weights, batches) =
        (file("gpt-bias.toml"), file("gpt-bias-weights.safetensors"), file("gpt-bias-batches.npy"));
    refuse(&["--batches", &batches], "without a text or weights, vocab_size has to be given");
    let replay = ["--config", &config, "--batches", &batches];
    let other = ["--init", &weights, "--n-embd", "32"];
    let shape = "tensor `transformer.h.0.attn.c_attn.bias` has the shape [48], and the sizes of the model make it [96]";
    refuse(&[&replay[..], &other].concat(), &format!("{weights}: {shape}"));
    let place = "the model has no tensor `transformer.h.0.attn.c_attn.bias`, by its sizes and whether it has biases";
    refuse(&[&replay[..], &["--init", &weights, "--bias=false"]].concat(), &format!("{weights}: {place}"));
    let missing = "there is no tensor `transformer.h.2.attn.c_attn.bias`";
    refuse(&[&replay[..], &["--init", &weights, "--n-layer", "3"]].concat(), &format!("{weights}: {missing}"));
    let block = format!("{batches}: a block has 12 tokens, and the model's block_size is 8");
    refuse(&[&replay[..], &["--block-size", "8"]].concat(), &block);
    refuse(
        &[&replay[..], &["--vocab-size", "20"]].concat(),
        &format!("{batches}: expected tokens from 0 to 19, but got 21"),
    );
    refuse(&[&replay[..], &text].concat(), "--data and --batches exclude each other");
    refuse(
        &[&replay[..], &["--init", &batches]].concat(),
        &format!("{batches}: not a .safetensors file: header too large"),
    );
}

#[test]
fn options_of_the_other_model_are_refused() {
    let folder = with_text();
    refuse(&folder, &["train", "--n-layer", "2"], "--n-layer is for --model gpt");
    refuse(&folder, &["train", "--resume", "--out", "run"], "there is no run to resume in run");
    succeed(&folder, &["train", "--hidden", "8", "--epochs", "1", "--out", "run"]);
    refuse(&folder, &["train", "--resume", "--out", "run"], "--resume is for --model gpt");
    refuse(
        &folder,
        &["generate", "--run", "run"],
        "the run in run is of a perceptron, which `nn-dropout predict` takes, not of a GPT",
    );
}

#[test]
fn a_text_can_be_compressed_or_come_from_standard_input() {
    let folder = with_text();
    let train = |data: &str, out: &str| {
        let mut args = [TINY, &["--max-iters", "2", "--quiet"]].concat();
        args[4] = data;
        let place = args.iter().position(|arg| *arg == "run").unwrap();
        args[place] = out;
        let mut child = program(&folder, &args).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        if data == "-" {
            input.write_all(&fs::read(folder.path().join("text.txt")).unwrap()).unwrap();
        }
        drop(input);
        assert!(child.wait().unwrap().success(), "{data}");
        results(&folder, out)
    };
    let text = fs::read(folder.path().join("text.txt")).unwrap();
    fs::write(folder.path().join("text.txt.zst"), zstd::encode_all(&text[..], 3).unwrap()).unwrap();
    let plain = train("text.txt", "plain");
    assert!(train("text.txt.zst", "compressed") == plain && train("-", "piped") == plain);
}

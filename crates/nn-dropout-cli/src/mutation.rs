//! Damaged files for everything that reads files: a reader may refuse one, but not panic.
//!
//! Each reader gets a few of them, or as many as `NN_DROPOUT_MUTATIONS` says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::{env, fs};

use anyhow::Result;
use burn::tensor::Device;
use indicatif::ProgressBar;
use nn_dropout::{Config, Generator, GeneratorState, Input, Kind, Layer, Probability};
use nn_dropout_experiments::io::files::Staged;
use nn_dropout_experiments::io::{source as data, text};
use nn_dropout_experiments::metric::{Metric, Metrics, Score};
use nn_dropout_experiments::settings::{GptSettings, MlpSettings, Settings, file};
use nn_dropout_experiments::sweep::{Candidate, Sampler, State, Study, TrialResult, blocks};
use nn_dropout_experiments::table::{Cells, Contents, Description, Reading};
use nn_dropout_experiments::trainer::{Trainer, Validated};
use nn_dropout_models::GptConfig;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use tempfile::TempDir;

use crate::commands::study::Opened;
use crate::gpt::checkpoint;
use crate::gpt::model::new_model;
use crate::gpt::source::{self, Source};
use crate::gpt::trainer::GptTrainer;
use crate::io::npy::{npy_from_bytes, read_npy_bytes, read_npy_i64};
use crate::io::tensors::TensorFile;
use crate::io::weights;
use crate::report::sweep::{ChosenNetwork, Report};
use crate::sweep::Objective;
use crate::sweep::storage::{BegunWith, Experiment, Location, Storage};

/// Gives damaged copies of intact files to a reader. By default there are `count` of them.
fn check(name: &str, intact: &[Vec<u8>], count: u64, read: impl Fn(&[u8]) -> Result<()>) {
    for bytes in intact {
        read(bytes).expect("the reader accepts intact files");
    }
    let count = env::var("NN_DROPOUT_MUTATIONS").map_or(count, |count| count.parse().expect("a number of files"));
    for number in 0..count {
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        let bytes = mutate(&intact[rng.random_range(0..intact.len())], &mut rng);
        if catch_unwind(AssertUnwindSafe(|| read(&bytes))).is_err() {
            let path = env::temp_dir().join(format!("nn-dropout-{name}-{number}"));
            fs::write(&path, &bytes).unwrap();
            panic!("{name}: a panic at {}", path.display());
        }
    }
}

/// What readers are likely to trip over: extreme numbers, in bytes and in text, and the signs of text formats.
const TRAPS: &[&[u8]] = &[
    &[0],
    &[0xFF],
    &[0x7F, 0xFF, 0xFF, 0xFF],
    &[0xFF; 4],
    &[0xFF; 8],
    &[0; 8],
    &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
    &[0, 0, 0, 0, 1, 0, 0, 0],
    &[0xEF, 0xBB, 0xBF],
    b"-1",
    b"0",
    b"9223372036854775807",
    b"18446744073709551616",
    b"1e999",
    b"nan",
    b"null",
    b"\"",
    b"'",
    b"\\u",
    b",",
    b"\r\n",
    b"[[[[",
    b"{\"",
    b"}",
];

/// A copy with a few faults. The start of a file is hit more often: that is where headers are.
fn mutate(bytes: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let reach = bytes.len() >> rng.random_range(0..12);
        let at = rng.random_range(0..=reach);
        let piece = at..rng.random_range(at..=bytes.len().min(at + 64));
        let copy = bytes[piece.clone()].to_vec();
        let elsewhere = rng.random_range(0..=bytes.len());
        let trap = TRAPS[rng.random_range(0..TRAPS.len())];
        match rng.random_range(0..8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(piece)),
            2 => drop(bytes.splice(elsewhere..elsewhere, copy)),
            3 => overwrite(&mut bytes, elsewhere, &copy),
            4 => drop(bytes.splice(at..at, trap.iter().copied())),
            5 => overwrite(&mut bytes, at, trap),
            6 => overwrite(&mut bytes, at, &rng.next_u64().to_le_bytes()),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << rng.random_range(0..8)),
        }
    }
    bytes
}

fn overwrite(bytes: &mut Vec<u8>, at: usize, by: &[u8]) {
    let end = bytes.len().min(at + by.len());
    bytes.splice(at..end, by.iter().copied());
}

/// The fixtures whose names end like this.
fn tables(ends: &[&str]) -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tables");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| ends.iter().any(|end| path.to_string_lossy().ends_with(end)));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Reads a table as `train`, `describe` and `predict` do.
fn read_table(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes)?;
    let toml = format!("data = '{}'\ntarget = 'kind'", path.display());
    let settings = MlpSettings::of(file::parse(&toml)?);
    let source = data::Source::open(path)?;
    let whole = Contents::read(&source, &settings).map(|contents| Description::of(&contents).to_string());
    // A damaged row may make the table useless for training, but the rows before it can be predicted.
    let mut cells = Cells::open(&source, &settings.csv(), |_| Reading::default())?;
    let columns = cells.header.len();
    while let Some(row) = cells.next_row()? {
        for column in 0..columns {
            let _ = (row.cell(column).name(), row.value(column));
        }
    }
    whole.map(drop)
}

#[test]
fn csv_tables_are_read_or_refused() {
    let folder = TempDir::new().unwrap();
    let intact = tables(&[
        "plain.csv",
        "semicolon.csv",
        ".tsv",
        "thousands.csv",
        "utf16.csv",
        "sep-line.csv",
        ".csv.gz",
        ".csv.zst",
    ]);
    check("csv", &intact, 600, |bytes| read_table(&folder.path().join("table"), bytes));
}

#[test]
fn parquet_tables_are_read_or_refused() {
    let folder = TempDir::new().unwrap();
    check("parquet", &tables(&[".parquet"]), 600, |bytes| read_table(&folder.path().join("table"), bytes));
}

#[test]
fn tensors_are_read_or_refused() {
    let folder = TempDir::new().unwrap();
    let numbers = npy_from_bytes(&[7; 24]).unwrap();
    let header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }";
    let mut floats = header.to_vec();
    floats.resize(127, b' ');
    floats.extend([b"\n", &[7; 24][..]].concat());
    let pair = [("a", [2, 3]), ("b", [1, 6])].map(|(name, shape)| {
        (name, TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(&[1f32; 6])).unwrap())
    });
    let pair = safetensors::serialize(pair, None).unwrap();
    let output = folder.path().join("output");
    for (name, intact) in [("x.npy", floats), ("x.safetensors", pair)] {
        let path = folder.path().join(name);
        check(name, &[intact], 3000, |bytes| {
            fs::write(&path, bytes)?;
            let file = TensorFile::open(&path)?;
            let layer = Layer::with_generator(Kind::Dropout, 0.5, &Generator::philox(1))?;
            for tensor in file.tensors() {
                let mut staged = Staged::new(&output)?;
                let passage = file.pass(tensor, &mut staged);
                if let Some(draw) = layer.draw_for(&passage)? {
                    passage.apply(&draw)?;
                }
            }
            Ok(())
        });
    }
    let path = folder.path().join("bytes.npy");
    check("bytes.npy", &[numbers], 3000, |bytes| {
        fs::write(&path, bytes)?;
        // Tokens are read by the same code.
        let _ = read_npy_i64(&path);
        read_npy_bytes(&path).map(drop)
    });
}

/// Settings as a user writes them.
fn settings(toml: &str) -> Result<Settings> {
    Settings::of(file::parse(toml)?)
}

#[test]
fn settings_are_read_or_refused() {
    let mlp = "# A table.\ndata = 'animals.csv'\ntarget = \"kind\"\nignore = [\"name\", 'tail']\ntask = 'classification'\ndropout = 0.5\n\
               hidden = [64,\n  32]\nepochs = 1_000\nlearning_rate = 3e-3\nseed = -1\nquiet = true\n";
    let gpt = "model = 'gpt'\r\ndata = \"text.txt\"\r\nbias = false\r\nbeta1 = 0.9\r\nrng = 'torch'\r\n";
    let inline =
        "dropout = { kind = 'dropout', p = 0.1, shared_axes = [1], schedule = { kind = 'linear', steps = 10 } }\n";
    let section = "epochs = 3\n[dropout]\nkind = \"drop-path\"\np = 1e-1\nmode = 'batch'\nscale_by_keep = false\n";
    check("settings", &[mlp, gpt, inline, section].map(|text| text.as_bytes().to_vec()), 5000, |bytes| {
        settings(&text::decode(bytes.to_vec())?.text).map(drop)
    });
}

/// A small GPT and its source, with such masks.
fn gpt(rng: &str) -> (GptSettings, Source, GptConfig) {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.txt");
    fs::write(&text, "to be or not to be, ".repeat(10)).unwrap();
    let sizes = "n_layer = 1\nn_head = 1\nn_embd = 4\nblock_size = 4\nmax_iters = 1\nbatch_size = 1";
    let toml = format!("model = 'gpt'\ndata = '{}'\nrng = '{rng}'\n{sizes}", text.display());
    let Settings::Gpt(settings) = settings(&toml).unwrap() else { panic!("it is a GPT") };
    let (source, config) = source::load(&settings, |_| Ok(())).unwrap();
    (settings, source, config)
}

fn trainer((settings, source, config): &(GptSettings, Source, GptConfig)) -> GptTrainer<'_> {
    GptTrainer::new(settings.clone(), source, config, ProgressBar::hidden()).unwrap()
}

#[test]
fn checkpoints_are_resumed_or_refused() {
    for (rng, count) in [("philox", 3000), ("torch", 1000)] {
        let gpt = gpt(rng);
        let mut trained = trainer(&gpt);
        while trained.advance().unwrap().is_some() {}
        let bytes = trained.checkpoint().unwrap().unwrap();
        let optimizer = weights::parse(&bytes).unwrap().tensor("optimizer").unwrap().data().to_vec();
        check(&format!("checkpoint-{rng}"), &[bytes], count, |bytes| {
            let mut resumed = trainer(&gpt).resume(bytes.to_vec())?;
            resumed.advance().map(drop)
        });
        check(&format!("optimizer-{rng}"), &[optimizer], count, |bytes| {
            checkpoint::load_optimizer(crate::gpt::optimizer::optimizer(&gpt.0), bytes).map(drop)
        });
    }
}

#[test]
fn weights_are_read_or_refused() {
    let (settings, _, config) = gpt("philox");
    let model = || new_model(&config, &settings, &Generator::philox(0), &Device::flex());
    check("weights", &[weights::to_bytes(&model()).unwrap()], 5000, |bytes| {
        weights::load(model(), bytes.to_vec(), |_| false).map(drop)
    });
}

#[test]
fn states_of_generators_are_restored_or_refused() {
    let draw = |generator: &Generator| drop(generator.next_mask(3, Probability::new(0.5).unwrap(), 2000));
    let states = [Generator::philox(1), Generator::torch(2), Generator::jax(3)].map(|generator| {
        draw(&generator);
        serde_json::to_vec(&generator.state()).unwrap()
    });
    check("state", &states, 10000, |bytes| {
        draw(&Generator::from_state(serde_json::from_slice::<GeneratorState>(bytes)?));
        Ok(())
    });
    let torch = Generator::torch(4);
    draw(&torch);
    check("torch-state", &[torch.torch_rng_state().unwrap()], 5000, |bytes| {
        torch.set_torch_rng_state(bytes)?;
        draw(&torch);
        Ok(())
    });
}

#[test]
fn studies_are_continued_or_refused() {
    let experiment = Experiment {
        settings: "epochs = 2\n".to_owned(),
        inputs: Vec::new(),
        begun_with: BegunWith { config: "epochs = 2\n".to_owned(), options: "--seeds 3".to_owned(), trials: 6 },
    };
    let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    let objective = Objective::load(settings("epochs = 2").unwrap()).unwrap();
    let study = || Study {
        sampler: Sampler::Grid(
            [0.0, 0.5].map(|rate| Candidate::layer(Config::new(Kind::Dropout, rate).unwrap())).to_vec(),
        ),
        seed: 42,
        blocks: blocks(42, 3, None),
        metric: objective.settings.metric(),
        measurements: objective.measurements(),
        trials: Vec::new(),
    };
    let path = folder.path().join("study.db");
    let place = Location::File(path.clone());
    {
        let mut storage = Storage::open(&place, &experiment, "").unwrap();
        let mut study = study();
        study.extend(storage.results().unwrap()).unwrap();
        for trial in &study.trials[..4] {
            storage.claim(&[trial]).unwrap();
            let score = Score { loss: 0.25, metric: 0.5 };
            let history = [1, 2].map(|epoch| Metrics { epoch, train: score, validation: score }).to_vec();
            let validated =
                Validated { scores: vec![(Metric::Accuracy, 0.5)], left_out: vec![0.5; 20], groups: vec![true; 20] };
            let (trial, state) = (trial.clone(), State::Complete);
            storage.finish(&TrialResult { trial, state, seconds: 1.5, validated, history }).unwrap();
        }
        storage.claim(&[&study.trials[4]]).unwrap();
        storage.save(&study.trials[4], &[7; 100], 0.5).unwrap();
    }
    let bytes = fs::read(&path).unwrap();
    check("study", &[bytes], 300, |bytes| {
        fs::write(&path, bytes)?;
        drop(Opened::of(&place));
        let mut storage = Storage::open(&place, &experiment, "")?;
        let mut study = study();
        study.extend(storage.results()?)?;
        let ended = study.ended(storage.results()?).into_iter().cloned().collect::<Vec<_>>();
        let ended: Vec<&TrialResult> = ended.iter().collect();
        let report = Report {
            settings: &objective.settings,
            search: "grid",
            options: "",
            ended: &ended,
            unfinished: 1,
            first: (42, None),
            chosen: ChosenNetwork::default(),
            out: folder.path(),
        };
        report.write_trials()?;
        if let Some(answer) = report.answer() {
            report.write_recommended(&answer)?;
            report.write(&answer)?;
        }
        for trial in &study.trials {
            if storage.claim(&[trial])?.is_some() {
                storage.release(trial)?;
            }
        }
        Ok(())
    });
}

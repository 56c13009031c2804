//! nn-dropout and its peers, measured side by side in one run, on one machine, taking turns.

mod case;
mod gpt;
mod machine;
mod measure;
mod memory;
mod peers;
mod sweep;
mod table;

use std::fs::File;
use std::io::{IsTerminal, Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use half::{bf16, f16};
use rayon::ThreadPoolBuilder;
use serde::Serialize;

use case::{Case, DType, Op, name};
use measure::{Effort, Measured};
use peers::python::Python;

/// This allocator keeps freed memory for the next call, for all contenders in Rust. With the system's, a call that allocates
/// spends much of its time on new pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure nn-dropout against a plain multiplication, candle, Burn, PyTorch and JAX
///
/// Speeds are in billions of elements of the tensor per second. The contenders take turns in many short rounds, so that
/// whatever slows the machine down hits all alike; the number of each is the lower quartile of its times.
#[derive(Parser)]
#[command(name = "nn-dropout-bench")]
struct Args {
    /// Write the numbers to this file as well, one JSON object per line
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure PyTorch and JAX too, where this interpreter has them [default interpreter: python3]
    #[arg(long, value_name = "INTERPRETER", num_args = 0..=1, default_missing_value = "python3")]
    python: Option<PathBuf>,
    /// Measure what dropout adds to a training step of a GPT instead
    #[arg(long, conflicts_with = "sweep")]
    gpt: bool,
    /// Measure the 27 trainings of `nn-dropout sweep` instead
    #[arg(long)]
    sweep: bool,
    /// Fewer sizes and rounds, and f32 only
    #[arg(long)]
    quick: bool,
    /// The probability that an element is dropped
    #[arg(long, value_name = "P", default_value = "0.1", value_parser = probability)]
    p: f64,
    /// Only these operations [default: all for f32, forward for the other types]
    #[arg(long, value_name = "OP,...", value_delimiter = ',')]
    op: Vec<Op>,
    /// Only these element types
    #[arg(long, value_name = "TYPE,...", value_delimiter = ',')]
    dtype: Vec<DType>,
    /// Only these sizes
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    elements: Vec<u64>,
}

/// A line of the JSON file.
#[derive(Serialize)]
struct Record {
    who: &'static str,
    op: String,
    dtype: String,
    elements: usize,
    threads: usize,
    gelem_per_s: f64,
}

/// 64 elements show what a call costs, the others the speed in each cache and in memory.
const SIZES: [u64; 9] = [64, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24];
const QUICK_SIZES: [u64; 4] = [64, 1 << 14, 1 << 20, 1 << 24];

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            // The message of clap without the usage below it.
            let text = error.to_string();
            let said: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
            eprintln!("{}", said.join(" "));
            return ExitCode::from(2);
        }
        Err(help) => help.exit(),
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<()> {
    // A file that cannot be written fails now, not after minutes of measuring.
    let mut json = match &args.json {
        Some(path) => Some(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => None,
    };
    let effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    println!("{}", machine::describe());
    println!("nn-dropout's kernel: {}", nn_dropout::kernel_name());
    if !args.gpt && !args.sweep {
        println!("p = {}", args.p);
    }

    let all = available_parallelism().map_or(1, usize::from);
    let threads = if all == 1 { vec![1] } else { vec![1, all] };
    if args.gpt {
        return run_gpt(args, &threads, json.as_mut());
    }
    if args.sweep {
        let records = sweep::compare(args.python.as_deref(), all, if args.quick { 1 } else { 3 })?;
        write_lines(json.as_mut(), &records)?;
        println!("{}", sweep::table(&records));
        return Ok(());
    }
    let total: usize = threads.iter().map(|&threads| args.cases(threads).len()).sum();
    ensure!(total > 0, "bits have no type: they are measured with --dtype f32");
    let mut results: Vec<(Case, Vec<Measured>)> = Vec::new();
    for &threads in &threads {
        let mut pythons = match &args.python {
            Some(interpreter) => Python::start_all(interpreter, threads, threads == 1)?,
            None => Vec::new(),
        };
        // Libraries with threads use rayon's, so this pool limits them.
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        for case in args.cases(threads) {
            progress(&format!("{}/{total} {}", results.len() + 1, case.elements));
            let measured = pool.install(|| match case.dtype {
                DType::F32 => peers::compete::<f32>(case, args.p, &mut pythons, effort),
                DType::F64 => peers::compete::<f64>(case, args.p, &mut pythons, effort),
                DType::F16 => peers::compete::<f16>(case, args.p, &mut pythons, effort),
                DType::Bf16 => peers::compete::<bf16>(case, args.p, &mut pythons, effort),
            })?;
            let records: Vec<Record> = measured.iter().map(|measured| Record::new(case, measured)).collect();
            write_lines(json.as_mut(), &records)?;
            results.push((case, measured));
        }
    }
    progress("");
    results.sort_by_key(|(case, _)| *case);
    println!("{}", table::table(&results));
    Ok(())
}

fn run_gpt(args: &Args, threads: &[usize], mut json: Option<&mut File>) -> Result<()> {
    let effort = if args.quick { Effort::QUICK } else { Effort::STEPS };
    let mut records = Vec::new();
    for &threads in threads {
        let mut pythons = match &args.python {
            Some(interpreter) => Python::start_all(interpreter, threads, threads == 1)?,
            None => Vec::new(),
        };
        let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
        progress(&format!("{threads} threads"));
        let measured = pool.install(|| gpt::compare(threads, &mut pythons, effort))?;
        write_lines(json.as_deref_mut(), &measured)?;
        records.extend(measured);
    }
    progress("");
    println!("{}", gpt::table(&records));
    Ok(())
}

fn write_lines(json: Option<&mut File>, records: &[impl Serialize]) -> Result<()> {
    let Some(file) = json else { return Ok(()) };
    for record in records {
        writeln!(file, "{}", serde_json::to_string(record)?).context("cannot write the JSON file")?;
    }
    Ok(())
}

impl Args {
    /// All cases that were asked for, on this many threads.
    fn cases(&self, threads: usize) -> Vec<Case> {
        let dtypes = match (self.dtype.as_slice(), self.quick) {
            ([], true) => &[DType::F32],
            ([], false) => DType::value_variants(),
            (chosen, _) => chosen,
        };
        let sizes = match (self.elements.as_slice(), self.quick) {
            ([], true) => &QUICK_SIZES[..],
            ([], false) => &SIZES,
            (chosen, _) => chosen,
        };
        let mut cases = Vec::new();
        for &dtype in dtypes {
            let ops = match (self.op.as_slice(), dtype) {
                ([], DType::F32) => Op::value_variants(),
                ([], _) => &[Op::Forward],
                (chosen, _) => chosen,
            };
            for &op in ops.iter().filter(|&&op| op != Op::Bits || dtype == DType::F32) {
                cases.extend(sizes.iter().map(|&elements| Case { op, dtype, threads, elements: elements as usize }));
            }
        }
        cases
    }
}

impl Record {
    fn new(case: Case, measured: &Measured) -> Self {
        let Case { op, dtype, threads, elements } = case;
        let gelem_per_s = case.gelem_per_s(measured.seconds);
        Self { who: measured.who, op: name(&op), dtype: name(&dtype), elements, threads, gelem_per_s }
    }
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if p > 0.0 && p < 1.0 => Ok(p),
        _ => Err(format!("expected a number above 0 and below 1, but got {text}")),
    }
}

/// Shows progress on a terminal, in one line that the next one overwrites.
fn progress(text: &str) {
    if stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

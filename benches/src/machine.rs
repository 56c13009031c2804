//! What the numbers were measured on.

use std::fs::read_to_string;
use std::thread::available_parallelism;

/// The CPU's name, its cores and caches, as far as Linux says; elsewhere only the number of cores.
pub fn describe() -> String {
    let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| cpuinfo.lines().find(|line| line.starts_with(name))?.split_once(": ").map(|(_, value)| value);
    let model = field("model name").unwrap_or("unknown CPU");
    // Virtual machines often hide the model; family and model number still identify the microarchitecture.
    let number = match (field("cpu family"), field("model\t")) {
        (Some(family), Some(model)) => format!(" (family {family}, model {model})"),
        _ => String::new(),
    };
    let cores = available_parallelism().map_or(1, usize::from);
    format!("{model}{number}, {cores} {}{}", if cores == 1 { "core" } else { "cores" }, caches())
}

/// `, L1 48K, L2 1024K, L3 32768K`: the data caches that the first core sees.
fn caches() -> String {
    (0..)
        .map_while(cache)
        .filter(|cache| !cache.is_empty())
        .map(|cache| format!(", {cache}"))
        .collect::<Vec<_>>()
        .concat()
}

/// `L1 48K`, or nothing for a cache of instructions.
fn cache(index: u32) -> Option<String> {
    let read = |name| read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{name}")).ok();
    let (kind, level, size) = (read("type")?, read("level")?, read("size")?);
    Some(if kind.trim() == "Instruction" { String::new() } else { format!("L{} {}", level.trim(), size.trim()) })
}

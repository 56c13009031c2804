//! What the numbers were measured on.

use std::fs::read_to_string;
use std::thread::available_parallelism;

/// The CPU's name, its cores and caches, as far as Linux tells; elsewhere only the number of cores.
pub fn describe() -> String {
    let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| cpuinfo.lines().find(|line| line.starts_with(name))?.split_once(": ").map(|(_, value)| value);
    let model = field("model name").unwrap_or("unknown CPU");
    // Virtual machines often hide the model; family and model number still tell the microarchitecture.
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
        .map(|index| format!("/sys/devices/system/cpu/cpu0/cache/index{index}"))
        .map_while(|folder| {
            let read = |name| Some(read_to_string(format!("{folder}/{name}")).ok()?.trim().to_owned());
            Some((read("type")?, read("level")?, read("size")?))
        })
        .filter(|(kind, ..)| kind != "Instruction")
        .map(|(_, level, size)| format!(", L{level} {size}"))
        .collect()
}

//! What the tests of sweeps and of their studies share.

use std::fs;

use tempfile::TempDir;

/// Four trials, quick ones.
pub const QUICK: &str = "sweep --rates 0,0.5 --seeds 2 --hidden 16 --epochs 3 --quiet";

pub fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

pub fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

/// The columns of `results.csv` that all sweeps have, without how long each trial took.
pub fn results(folder: &TempDir, out: &str) -> Vec<Vec<String>> {
    let text = read(folder, &format!("{out}/results.csv"));
    let (header, rows) = text.split_once('\n').unwrap();
    assert!(header.starts_with("dropout,seed,train_metric,val_metric,epochs,seconds,state"), "{header}");
    let row = |line: &str| {
        line.split(',').take(7).enumerate().filter(|(i, _)| *i != 5).map(|(_, cell)| cell.to_owned()).collect()
    };
    rows.lines().map(row).collect()
}

/// A table with a smooth target, and noise in another column.
pub fn hills() -> String {
    let number = |i: usize, step: usize| (i * step % 97) as f64 / 97.0;
    let row = |i| {
        let (a, b, c) = (number(i, 31), number(i, 57), number(i, 11));
        format!("{a},{b},{c},{}\n", 50.0 * (a + (b - 0.5).powi(2)))
    };
    format!("a,b,c,height\n{}", (0..97).map(row).collect::<Vec<_>>().concat())
}

/// A text with some order in it.
pub fn story() -> String {
    (0..400)
        .map(|i| ["the cat sat on the mat. ", "a dog ran to the sea. ", "the sun is low. "][i * i % 7 % 3])
        .collect()
}

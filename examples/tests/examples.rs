//! Every example runs, keeps what it asserts, and says something.

use std::path::PathBuf;
use std::process::Command;

#[test]
fn every_example_runs() {
    // Tests are in a folder beside that of the examples.
    let test = std::env::current_exe().unwrap();
    let binaries = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
    let sources: Vec<PathBuf> = std::fs::read_dir("examples").unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(sources.len() >= 8, "{sources:?}");
    for source in sources {
        let name = source.file_stem().unwrap().to_str().unwrap();
        // Built by `cargo test`, unless a test is named.
        let output = Command::new(binaries.join(name)).output().unwrap_or_else(|error| panic!("{name}: {error}"));
        let [said, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{name}: {said}{error}");
        assert!(!said.is_empty(), "{name} says nothing");
        println!("{name}:\n{said}");
    }
}

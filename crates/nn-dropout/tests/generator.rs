//! Generators: seeding, numbering, handles, threads, saving and restoring.

use std::thread;

use nn_dropout::{Dropout, Generator, GeneratorState, Mask, Probability, default_generator, manual_seed};
use proptest::prelude::*;

fn half() -> Probability {
    Probability::new(0.5).unwrap()
}

#[test]
fn numbers_layers_and_steps_from_zero() {
    let generator = Generator::philox(42);
    let handle = generator.clone();
    assert_eq!([generator.next_layer(), handle.next_layer()], [0, 1]);
    assert_eq!(generator.next_mask(1, half(), 10), Mask::philox(42, 1, 0, half()));
    assert_eq!(handle.next_mask(1, half(), 10), Mask::philox(42, 1, 1, half()));
    assert_eq!(generator.next_mask(0, half(), 10), Mask::philox(42, 0, 0, half()));

    handle.manual_seed(43);
    assert_eq!(generator.initial_seed(), 43);
    assert_eq!(generator.next_layer(), 0);
    assert_eq!(generator.next_mask(1, half(), 10), Mask::philox(43, 1, 0, half()));
}

/// The only test of this file that touches the default generator: tests run side by side.
#[test]
fn the_default_generator_is_one_per_process() {
    manual_seed(7);
    assert_eq!(default_generator().initial_seed(), 7);
    let dropout = Dropout::new(0.5).unwrap();
    let first = dropout.forward(vec![1f32; 64]);
    assert_ne!(dropout.forward(vec![1f32; 64]), first);
    manual_seed(7);
    assert_eq!(dropout.forward(vec![1f32; 64]), first);
    let rebuilt = Dropout::new(0.5).unwrap();
    manual_seed(7);
    assert_eq!(rebuilt.forward(vec![1f32; 64]), first);
}

#[test]
fn layers_draw_the_same_on_any_thread() {
    let outputs = |threaded: bool| {
        let generator = Generator::philox(5);
        let layers: Vec<_> = (0..4).map(|_| Dropout::with_generator(0.5, &generator).unwrap()).collect();
        let run = |layer: &Dropout| (0..10).map(|_| layer.forward(vec![1f32; 100])).collect();
        if threaded {
            thread::scope(|scope| {
                let handles: Vec<_> = layers.iter().map(|l| scope.spawn(move || run(l))).collect();
                handles.into_iter().map(|h| h.join().unwrap()).collect()
            })
        } else {
            layers.iter().map(run).collect::<Vec<Vec<_>>>()
        }
    };
    assert_eq!(outputs(true), outputs(false));
}

proptest! {
    /// A run saved anywhere and resumed in a new process (new generator, new layers) draws what the uninterrupted
    /// run draws.
    #[test]
    fn saved_and_restored_generators_continue_alike(
        seed: u64,
        calls in prop::collection::vec(0..3usize, 0..30),
        cut: prop::sample::Index,
    ) {
        let start = || {
            let generator = Generator::philox(seed);
            let layers = [0.1, 0.5, 0.9].map(|p| Dropout::with_generator(p, &generator).unwrap());
            (generator, layers)
        };
        let run = |layers: &[Dropout; 3], calls: &[usize]| {
            calls.iter().map(|&layer| layers[layer].forward(vec![1f32; 50])).collect::<Vec<_>>()
        };
        let (before, after) = calls.split_at(cut.index(calls.len() + 1));

        let (generator, layers) = start();
        run(&layers, before);
        let saved = serde_json::to_string(&generator.state()).unwrap();
        let expected = run(&layers, after);

        let (resumed, resumed_layers) = start();
        let state = serde_json::from_str::<GeneratorState>(&saved).unwrap();
        prop_assert_eq!(Generator::from_state(state.clone()).state(), state.clone());
        resumed.set_state(state);
        prop_assert_eq!(run(&resumed_layers, after), expected);
        prop_assert_eq!(resumed.state(), generator.state());
        prop_assert_eq!(resumed.next_layer(), 3);
    }
}

//! Modules that take more than one tensor, or something else: they do what the library's layers do.

use burn::tensor::{DType, Device, Int, Tensor, TensorData, Tolerance};
use nn_dropout::{Kind, Layer};
use nn_dropout_burn::{
    EdgeDropoutConfig, EmbeddingDropoutConfig, Generator, LabelDropoutConfig, LayerDropConfig, Mode, NodeDropoutConfig,
    TokenDropoutConfig, ZoneoutConfig,
};

fn generators() -> [Generator; 3] {
    [Generator::philox(42), Generator::torch(42), Generator::jax(42)]
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn floats<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    // With all of their digits in use, so that each rounding counts.
    let numbers = (0..shape.iter().product()).map(|i| (i as f32 * 1.7).sin() * 2.0).collect();
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

fn ints<const D: usize>(numbers: impl IntoIterator<Item = i64>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(numbers.into_iter().collect(), shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

fn numbers<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i64> {
    tensor.into_data().iter().collect()
}

#[test]
fn embedding_dropout_is_dropout_of_the_rows_of_the_table() {
    let tokens = ints([0, 3, 11, 3, 7, 0, 1, 8], [2, 4], &device());
    let dy = floats([2, 4, 5], &device());
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        for (generator, other) in generators().into_iter().zip(generators()) {
            let table = || floats([12, 5], &device()).cast(dtype).detach().require_grad();
            let (ours, theirs) = (table(), table());
            let looked_up =
                EmbeddingDropoutConfig::new(0.4).init_with(&generator).forward(ours.clone(), tokens.clone());
            let config = nn_dropout::Config::new(Kind::EmbeddingDropout, 0.4).unwrap();
            let dropped = nn_dropout_burn::DropoutLayer::from_config(config, &other).forward(theirs.clone());
            let expected = burn::tensor::module::embedding(dropped, tokens.clone());
            assert_eq!(looked_up.to_data().as_bytes(), expected.to_data().as_bytes());

            let grads = (looked_up * dy.clone().cast(dtype)).sum().backward();
            let expected_grads = (expected * dy.clone().cast(dtype)).sum().backward();
            let (grad, expected) = (ours.grad(&grads).unwrap(), theirs.grad(&expected_grads).unwrap());
            // Sums of products and products of sums are rounded differently.
            grad.to_data().assert_approx_eq::<f32>(&expected.to_data(), Tolerance::rel_abs(0.02, 1e-6));
            assert!(grad.into_data().iter::<f32>().any(|g| g != 0.0));
            assert_eq!(generator.state(), other.state());
        }
    }
}

#[test]
fn no_words_are_no_error() {
    for generator in generators() {
        let dropout = EmbeddingDropoutConfig::new(0.5).init_with(&generator);
        let y = dropout.forward(floats([3, 2], &device()), ints([], [2, 0], &device()));
        assert_eq!(y.dims(), [2, 0, 2]);
    }
}

#[test]
fn an_embedding_without_noise_is_looked_up() {
    let generator = Generator::philox(42);
    let dropout = EmbeddingDropoutConfig::new(0.5).init_with(&generator);
    let state = generator.state();
    let device = Device::flex();
    let y = dropout.forward(floats([3, 2], &device), ints([2, 0], [1, 2], &device));
    let rows = values(floats([3, 2], &device));
    assert_eq!(values(y), [rows[4], rows[5], rows[0], rows[1]]);
    assert_eq!(generator.state(), state);
}

#[test]
fn layer_drop_runs_the_layers_that_the_library_runs() {
    for (generator, other) in generators().into_iter().zip(generators()) {
        let module = LayerDropConfig::new(0.5).init_with(&generator);
        let layer = nn_dropout::LayerDrop::with_generator(0.5, &other).unwrap();
        let mut runs = 0;
        for _ in 0..20 {
            let x = floats([3, 4], &device());
            let keeps = layer.keeps();
            let y = module.forward(x.clone(), |x| {
                runs += i32::from(keeps);
                x + 1.0
            });
            assert_eq!(values(y), values(if keeps { x + 1.0 } else { x }));
        }
        assert!((4..=16).contains(&runs));
    }
    let x = floats([2, 2], &Device::flex());
    let all = LayerDropConfig::new(1.0).init();
    assert_eq!(values(all.forward(x.clone(), |x| x + 1.0)), values(x.clone() + 1.0));
    let monte_carlo = all.with_mode(Mode::MonteCarlo);
    assert_eq!(values(monte_carlo.forward(x.clone(), |_| panic!("it is dropped"))), values(x));
}

#[test]
fn zoneout_is_the_librarys_and_gradients_go_where_elements_came_from() {
    for (generator, other) in generators().into_iter().zip(generators()) {
        let module = ZoneoutConfig::new(0.3).init_with(&generator);
        let layer = nn_dropout::Zoneout::with_generator(0.3, &other).unwrap();
        for _ in 0..3 {
            let new = floats([4, 6], &device()).require_grad();
            let previous = (floats([4, 6], &device()) * -3.0 + 0.5).detach().require_grad();
            let mut expected = values(new.clone());
            let previous_values = values(previous.clone());
            layer.forward(&[4, 6], &mut expected, &previous_values).unwrap();
            let y = module.forward(new.clone(), previous.clone());
            assert_eq!(values(y.clone()), expected);

            let grads = y.sum().backward();
            let [new_grad, previous_grad] = [&new, &previous].map(|state| values(state.grad(&grads).unwrap()));
            let from_previous = expected.iter().zip(&previous_values).map(|(y, previous)| y == previous);
            for (i, from_previous) in from_previous.enumerate() {
                let expected = if from_previous { [0.0, 1.0] } else { [1.0, 0.0] };
                assert_eq!([new_grad[i], previous_grad[i]], expected, "element {i}");
            }
            assert!(new_grad.contains(&0.0) && new_grad.contains(&1.0));
        }
    }
}

#[test]
fn zoneout_is_the_expectation_outside_of_training() {
    let mut layer = nn_dropout::Zoneout::with_generator(0.3, &Generator::philox(42)).unwrap();
    let module = ZoneoutConfig::new(0.3).init_with(&Generator::philox(42));
    let (new, previous) = (floats([4, 6], &Device::flex()), floats([4, 6], &Device::flex()) * 2.0 + 1.0);
    let mut expected = values(new.clone());
    layer.eval().forward(&[4, 6], &mut expected, &values(previous.clone())).unwrap();
    assert_eq!(values(module.forward(new.clone(), previous.clone())), expected);
    let monte_carlo = module.with_mode(Mode::MonteCarlo).forward(new.clone(), previous.clone());
    assert_ne!(values(monte_carlo), expected);
    let none = ZoneoutConfig::new(0.0).init().forward(new.clone(), previous);
    assert_eq!(values(none), values(new));
}

#[test]
fn label_dropout_is_the_librarys() {
    for (generator, other) in generators().into_iter().zip(generators()) {
        let module = LabelDropoutConfig::new(0.4).init_with(&generator);
        let layer = nn_dropout::LabelDropout::with_generator(0.4, &other).unwrap();
        let rows = floats([9, 3], &device()).require_grad();
        let null = Tensor::<1>::from_floats([10.0, 20.0, 30.0], &device()).require_grad();
        let mut expected = values(rows.clone());
        layer.forward(&mut expected, &[10.0, 20.0, 30.0]).unwrap();
        let y = module.forward(rows.clone(), null.clone());
        assert_eq!(values(y.clone()), expected);

        let dropped = expected.chunks(3).filter(|row| *row == [10.0, 20.0, 30.0]).count();
        assert!((1..9).contains(&dropped));
        let grads = y.sum().backward();
        assert_eq!(values(null.grad(&grads).unwrap()), [dropped as f32; 3]);
        assert_eq!(values(rows.grad(&grads).unwrap()).iter().sum::<f32>(), (27 - 3 * dropped) as f32);

        let mut expected: Vec<i64> = (0..50).collect();
        layer.forward_labels(&mut expected, 99);
        let labels = module.forward_labels(ints(0..50, [50], &device()), 99);
        assert_eq!(numbers(labels), expected);
        assert!(expected.contains(&99));
    }
    let module = LabelDropoutConfig::new(1.0).init();
    let (rows, null) = (floats([4, 3], &Device::flex()), Tensor::<1>::ones([3], &Device::flex()));
    assert_eq!(values(module.forward(rows.clone(), null)), values(rows));
    assert_eq!(numbers(module.forward_labels(ints(0..4, [4], &Device::flex()), 9)), [0, 1, 2, 3]);
}

#[test]
fn kept_tokens_are_the_librarys_and_so_are_their_gradients() {
    let (module, layer) = (
        TokenDropoutConfig::new(0.4).init_with(&Generator::philox(42)),
        nn_dropout::TokenDropout::with_generator(0.4, &Generator::philox(42)).unwrap(),
    );
    for prefix in [0, 1, 9, 12] {
        let x = floats([3, 9, 4], &device()).require_grad();
        let expected = layer.kept(3, 9, prefix).unwrap();
        let (kept, tokens) = module.keep_tokens(x.clone(), prefix);
        assert_eq!(numbers(tokens).into_iter().map(|token| token as usize).collect::<Vec<_>>(), expected);
        let count = expected.len() / 3;
        assert_eq!(kept.dims(), [3, count, 4]);
        let rows = values(x.clone());
        for (row, (i, token)) in values(kept.clone()).chunks(4).zip(expected.iter().enumerate()) {
            assert_eq!(row, &rows[(i / count * 9 + token) * 4..][..4]);
        }
        let grads = kept.sum().backward();
        let grad = values(x.grad(&grads).unwrap());
        let is_kept = |row: usize| expected[row / 9 * count..][..count].contains(&(row % 9));
        assert!(grad.chunks(4).enumerate().all(|(row, grad)| grad == [f32::from(is_kept(row)); 4]));
    }

    let x = floats([2, 3, 4], &Device::flex());
    let (kept, tokens) = module.keep_tokens(x.clone(), 1);
    assert_eq!((values(kept), numbers(tokens)), (values(x), vec![0, 1, 2, 0, 1, 2]));
    let (kept, _) = module.keep_tokens(floats([0, 3, 4], &device()), 1);
    assert_eq!(kept.dims(), [0, 3, 4]);
}

#[test]
fn in_monte_carlo_mode_all_samples_keep_the_same_tokens_and_elements() {
    let tokens = |samples| {
        let module = TokenDropoutConfig::new(0.4).init_with(&Generator::philox(42)).with_mode(Mode::MonteCarlo);
        numbers(module.keep_tokens(floats([samples, 9, 4], &Device::flex()), 0).1)
    };
    assert_eq!(tokens(3), tokens(1).repeat(3));

    let from_new = |samples| {
        let module = ZoneoutConfig::new(0.4).init_with(&Generator::philox(42)).with_mode(Mode::MonteCarlo);
        let device = Device::flex();
        values(module.forward(Tensor::<2>::ones([samples, 9], &device), Tensor::zeros([samples, 9], &device)))
    };
    assert_eq!(from_new(3), from_new(1).repeat(3));
    assert!(from_new(1).contains(&0.0) && from_new(1).contains(&1.0));
}

/// Edges of an undirected graph of 8 nodes, in both directions.
fn edges() -> Vec<[usize; 2]> {
    let pairs = (0..8).flat_map(|a| (0..8).map(move |b| [a, b])).filter(|[a, b]| a != b && (a * b) % 3 != 1);
    pairs.collect()
}

fn edge_index(edges: &[[usize; 2]], device: &Device) -> Tensor<2, Int> {
    let ends = [0, 1].map(|end| edges.iter().map(move |edge| edge[end] as i64));
    ints(ends.into_iter().flatten(), [2, edges.len()], device)
}

#[test]
fn edges_and_nodes_are_removed_as_by_the_library() {
    let list = edges();
    for (generator, other) in generators().into_iter().zip(generators()) {
        let module = EdgeDropoutConfig::new(0.4).init_with(&generator);
        let layer = nn_dropout::EdgeDropout::with_generator(0.4, &other).unwrap();
        let node_module = NodeDropoutConfig::new(0.4).init_with(&generator);
        let node_layer = nn_dropout::NodeDropout::with_generator(0.4, &other).unwrap();
        for _ in 0..3 {
            for (kept, (edges, places)) in [
                (layer.forward(&list), module.forward(edge_index(&list, &device()))),
                (layer.forward_undirected(&list), module.forward_undirected(edge_index(&list, &device()))),
            ] {
                assert_eq!(numbers(edges), numbers(edge_index(&kept.edges, &device())));
                assert_eq!(numbers(places), kept.numbers.iter().map(|&number| number as i64).collect::<Vec<_>>());
                assert!(kept.numbers.len() < list.len());
            }

            let kept = node_layer.forward(8, &list);
            let (edges, places, nodes) = node_module.forward(8, edge_index(&list, &device()));
            assert_eq!(numbers(edges), numbers(edge_index(&kept.edges.edges, &device())));
            assert_eq!(places.dims(), [kept.edges.numbers.len()]);
            assert_eq!(nodes.into_data().iter::<bool>().collect::<Vec<_>>(), kept.nodes);
        }
    }
}

#[test]
fn a_graph_outside_of_training_is_whole() {
    let (list, device) = (edges(), Device::flex());
    let index = || edge_index(&list, &device);
    let all: Vec<i64> = (0..list.len() as i64).collect();
    let module = EdgeDropoutConfig::new(1.0).init();
    for (edges, places) in [module.forward(index()), module.forward_undirected(index())] {
        assert_eq!((numbers(edges), numbers(places)), (numbers(index()), all.clone()));
    }
    let (edges, places, nodes) = NodeDropoutConfig::new(1.0).init().forward(8, index());
    assert_eq!((numbers(edges), numbers(places)), (numbers(index()), all));
    assert!(nodes.into_data().iter::<bool>().all(|kept| kept));
    let (edges, _) = module.with_mode(Mode::MonteCarlo).forward(index());
    assert_eq!(edges.dims(), [2, 0]);
}

#[test]
fn layers_count_their_steps_as_the_librarys_do() {
    let generator = Generator::philox(42);
    let module = ZoneoutConfig::new(0.3).init_with(&generator);
    let other = Generator::philox(42);
    let layer = Layer::with_generator(Kind::Zoneout, 0.3, &other).unwrap();
    for _ in 0..3 {
        module.clone().forward(floats([2, 2], &device()), floats([2, 2], &device()));
        layer.draw(&[2, 2]).unwrap();
    }
    assert_eq!(generator.state(), other.state());
}

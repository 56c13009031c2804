//! Modules are refused with panics, as in Burn. They say what was given and what is accepted, and name the line of the call.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Mutex;

use burn::tensor::{Device, Int, Tensor};
use nn_dropout::{Config, Kind};
use nn_dropout_burn::*;

/// The file and the message of the last panic.
static LAST: Mutex<[String; 2]> = Mutex::new([String::new(), String::new()]);

fn assert_points_here(what: &str, message: &str, call: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err(), "{what} did not panic");
    let [file, said] = LAST.lock().unwrap().clone();
    assert_eq!(file, file!(), "{what}");
    assert!(said.contains(message), "{what}: {said}");
}

fn ones<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::ones(shape, &Device::flex().autodiff())
}

fn ints<const D: usize>(shape: [usize; D]) -> Tensor<D, Int> {
    Tensor::ones(shape, &Device::flex().autodiff())
}

/// One test: the hook is the whole process's.
#[test]
fn panics_name_the_call() {
    set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or_default().to_owned();
        *LAST.lock().unwrap() = [panic.location().unwrap().file().to_owned(), message];
    }));

    macro_rules! check_p {
        ($($config:ident),*) => {$(
            let message = "dropout probability has to be between 0 and 1, but got";
            assert_points_here(stringify!($config), message, || _ = $config::new(1.5).init());
            assert_points_here(stringify!($config), message, || _ = $config::new(-0.5).init_with(&Generator::philox(42)));
        )*};
    }
    check_p! {
        AlphaDropoutConfig, Dropout1dConfig, Dropout2dConfig, Dropout3dConfig, DropoutConfig, FeatureAlphaDropoutConfig,
        DropPathConfig, DropBlock2dConfig, DropBlock3dConfig, GaussianDropoutConfig, DropConnectConfig,
        EmbeddingDropoutConfig, TokenDropoutConfig, DropKeyConfig, LayerDropConfig, ZoneoutConfig, LabelDropoutConfig,
        NodeDropoutConfig, EdgeDropoutConfig
    }
    let message = "gaussian-dropout takes p below 1";
    assert_points_here("no variance", message, || _ = GaussianDropoutConfig::new(1.0).init());
    let message = "expected a finite number of at least 0, but got -1";
    assert_points_here("stddev", message, || _ = GaussianNoiseConfig::new(-1.0).init());
    assert_points_here("alpha", message, || _ = NeftuneNoiseConfig::new(-1.0).init());
    let message = "block_size has to be at least 1, but got 0";
    assert_points_here("block size", message, || _ = DropBlock2dConfig::new(0.5).with_block_size(0).init());

    let concrete = |config: ConcreteDropoutConfig| move || _ = config.init(&Device::flex());
    let config = ConcreteDropoutConfig::new;
    let message = "concrete-dropout begins with p above 0 and below 1, but got 1";
    assert_points_here("certain", message, concrete(config().with_prob(1.0)));
    let message = "the temperature has to be a finite number above 0, but got 0";
    assert_points_here("cold", message, concrete(config().with_temperature(0.0)));
    let message = "a regularizer has to be a finite number of at least 0, but got -1";
    assert_points_here("negative", message, concrete(config().with_weight_regularizer(-1.0)));
    assert_points_here("negative", message, concrete(config().with_dropout_regularizer(-1.0)));

    let message = "a DropoutLayer is one of dropout, dropout1d,";
    let config = Config::new(Kind::LayerDrop, 0.5).unwrap();
    assert_points_here("kind", message, || _ = DropoutLayer::from_config(config, &Generator::philox(42)));

    macro_rules! check_shape {
        ($($config:ident: $input:expr, $message:expr;)*) => {$(
            let module = $config::new(0.5).init();
            assert_points_here(stringify!($config), $message, || _ = module.forward($input));
        )*};
    }
    check_shape! {
        Dropout1dConfig: ones([3]), "dropout1d: Expected 2D or 3D input, but received a 1D input";
        Dropout2dConfig: ones([3]), "Feature dropout requires at least 2 dimensions in the input";
        FeatureAlphaDropoutConfig: ones([3]), "Feature dropout requires at least 2 dimensions in the input";
        DropBlock2dConfig: ones([2, 3, 4]), "drop-block2d takes tensors of 4 dimensions (sample, channel, height, width), but got 3";
        DropBlock3dConfig: ones([2, 3, 4]), "drop-block3d takes tensors of 5 dimensions";
        TokenDropoutConfig: ones([3]), "token-dropout takes tensors of at least 2 dimensions, but got 1";
        NeftuneNoiseConfig: ones([3]), "neftune-noise takes tensors of at least 2 dimensions, but got 1";
        EdgeDropoutConfig: ints([3, 4]), "edge-dropout takes edges of shape [2, edges], but got [3, 4]";
    }
    let locked = DropoutConfig::new(0.5).with_shared_axes(Some(vec![2])).init();
    let message = "axis 2 cannot be shared by a tensor of 2 dimensions: axes are numbered from 0";
    assert_points_here("shared axis", message, || _ = locked.forward(ones([2, 3])));
    let zoneout = ZoneoutConfig::new(0.5).init();
    let message = "zoneout takes two states of one shape, but got [2, 3] and [2, 4]";
    assert_points_here("zoneout", message, || _ = zoneout.forward(ones([2, 3]), ones([2, 4])));
    let labels = LabelDropoutConfig::new(0.5).init();
    let message = "label-dropout takes rows as long as the null row, but got 3 and 4";
    assert_points_here("label-dropout", message, || _ = labels.forward(ones([2, 3]), ones([4])));
    let edges = EdgeDropoutConfig::new(0.5).init();
    let message = "edge-dropout takes edges of shape [2, edges], but got [1, 4]";
    assert_points_here("edge-dropout", message, || _ = edges.forward_undirected(ints([1, 4])));
    let nodes = NodeDropoutConfig::new(0.5).init();
    let message = "node-dropout takes edges of shape [2, edges], but got [1, 4]";
    assert_points_here("node-dropout", message, || _ = nodes.forward(3, ints([1, 4])));
    let message = "node-dropout takes edges of 3 nodes, numbered from 0, but got node -1";
    assert_points_here("node", message, || _ = nodes.forward(3, -ints([2, 4])));
    let message = "node-dropout takes edges of 1 nodes, numbered from 0, but got node 1";
    assert_points_here("node", message, || _ = nodes.forward(1, ints([2, 4])));

    let message = "draws from a Philox generator, not from one of PyTorch's or JAX's masks";
    for generator in [Generator::torch(42), Generator::jax(42)] {
        let noise = GaussianNoiseConfig::new(0.5).init_with(&generator);
        assert_points_here("numbers", message, || _ = noise.forward(ones([3])));
        let tokens = TokenDropoutConfig::new(0.5).init_with(&generator);
        assert_points_here("numbers", message, || _ = tokens.keep_tokens(ones([1, 3, 2]), 0));
        let concrete = ConcreteDropoutConfig::new().init_with(&generator, &Device::flex().autodiff());
        assert_points_here("numbers", message, || _ = concrete.forward(ones([3])));
    }
}

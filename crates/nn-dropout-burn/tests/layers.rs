//! All modules, with the masks of each generator: outputs and gradients are those of the draw that the library's layer makes.

#![expect(deprecated, reason = "NdArray stands in for the backends that have no kernel of ours")]

use burn::tensor::{Device, Tensor, TensorData};
use nn_dropout::Draw;
use nn_dropout_burn::{
    AlphaDropoutConfig, Dropout1dConfig, Dropout2dConfig, Dropout3dConfig, DropoutConfig, FeatureAlphaDropoutConfig,
    Generator,
};

fn generators() -> [Generator; 3] {
    [Generator::philox(42), Generator::torch(42), Generator::jax(42)]
}

fn check<const D: usize>(name: &str, shape: [usize; D], forward: impl Fn(Tensor<D>) -> Tensor<D>, draw: &Draw) {
    let numbers =
        |step: usize| (0..shape.iter().product()).map(|i| (i * step % 17) as f32 / 4.0 - 2.0).collect::<Vec<_>>();
    let (x, dy) = (numbers(5), numbers(7));
    let (mut y, mut dx) = (x.clone(), x.clone());
    draw.forward(&x, &mut y).unwrap();
    draw.backward(&dy, &mut dx).unwrap();

    let tensor = |data: &[f32], device: &Device| Tensor::<D>::from_data(TensorData::new(data.to_vec(), shape), device);
    let device = Device::flex().autodiff();
    let input = tensor(&x, &device).require_grad();
    let output = forward(input.clone());
    let grads = (output.clone() * tensor(&dy, &device)).sum().backward();
    assert_eq!(output.to_data().to_vec::<f32>().unwrap(), y, "{name}");
    assert_eq!(input.grad(&grads).unwrap().to_data().to_vec::<f32>().unwrap(), dx, "{name}, gradient");
}

macro_rules! agree {
    ($test:ident, $layer:ident, $config:ident, $shape:expr) => {
        #[test]
        fn $test() {
            for (generator, other) in generators().into_iter().zip(generators()) {
                let module = $config::new(0.3).init_with(&generator);
                let layer = nn_dropout::$layer::with_generator(0.3, &other).unwrap();
                for _ in 0..3 {
                    let draw = layer.draw(&$shape).unwrap().unwrap();
                    check(stringify!($layer), $shape, |x| module.forward(x), &draw);
                }
                assert_eq!(generator.state(), other.state());
            }
        }
    };
}

agree!(dropout, Dropout, DropoutConfig, [3, 5, 7]);
agree!(alpha_dropout, AlphaDropout, AlphaDropoutConfig, [3, 5, 7]);
agree!(dropout1d, Dropout1d, Dropout1dConfig, [3, 5, 7]);
agree!(dropout2d, Dropout2d, Dropout2dConfig, [3, 5, 4, 2]);
agree!(dropout3d, Dropout3d, Dropout3dConfig, [9, 2, 3, 4]);
agree!(feature_alpha_dropout, FeatureAlphaDropout, FeatureAlphaDropoutConfig, [4, 6, 3]);

#[test]
fn backends_without_a_kernel_of_ours_get_the_same() {
    let data = TensorData::new((0..60).map(|i| i as f32 / 8.0 - 3.0).collect::<Vec<_>>(), [3, 20]);
    for seed in 0..3 {
        let [flex, other] = [Device::flex(), Device::ndarray()].map(|device| {
            let generators = generators();
            let layers = generators.map(|generator| {
                generator.manual_seed(seed);
                (AlphaDropoutConfig::new(0.4).init_with(&generator), DropoutConfig::new(0.4).init_with(&generator))
            });
            let mut x = Tensor::<2>::from_data(data.clone(), &device.autodiff());
            for (alpha, dropout) in layers {
                x = dropout.forward(alpha.forward(x));
            }
            x.into_data()
        });
        flex.assert_approx_eq::<f32>(&other, burn::tensor::Tolerance::default());
    }
}

#[test]
#[should_panic(expected = "dropout1d: Expected 2D or 3D input, but received a 4D input.")]
fn wrong_shapes_are_refused_in_the_words_of_pytorch() {
    let x = Tensor::<4>::ones([1, 2, 3, 4], &Device::flex().autodiff());
    Dropout1dConfig::new(0.5).init().forward(x);
}

//! `nn-dropout apply`, run as a user runs it.

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use ndarray::{Array, ArrayD, Dimension, IxDyn, ShapeBuilder};
use nn_dropout::{Dropout2d, Element, Generator, GeneratorState, JaxKey, Layer, Mask, Probability, bf16, f16};
use npyz::{AutoSerialize, Deserialize, NpyFile, Order, Serialize, WriterBuilder};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tempfile::TempDir;

fn succeed(folder: &TempDir, args: &[&str]) {
    assert_eq!(common::succeed(folder, &[&["apply"], args].concat()), "");
}

fn refuse(folder: &TempDir, args: &[&str], message: &str) {
    assert_eq!(common::refuse(folder, &[&["apply"], args].concat()), format!("error: {message}"));
}

fn save<T: AutoSerialize + Serialize + Copy, D: Dimension>(path: &Path, array: &Array<T, D>) {
    let shape: Vec<u64> = array.shape().iter().map(|&n| n as u64).collect();
    let (order, memory) =
        if array.is_standard_layout() { (Order::C, array.view()) } else { (Order::Fortran, array.t()) };
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&shape).order(order);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    writer.extend(memory.iter().copied()).unwrap();
    writer.finish().unwrap();
    fs::write(path, bytes).unwrap();
}

fn load<T: Deserialize>(path: &Path) -> ArrayD<T> {
    let file = NpyFile::new(fs::File::open(path).unwrap()).unwrap();
    let shape: Vec<usize> = file.shape().iter().map(|&n| n as usize).collect();
    let fortran = file.order() == Order::Fortran;
    ArrayD::from_shape_vec(IxDyn(&shape).set_f(fortran), file.into_vec().unwrap()).unwrap()
}

/// Ordinary numbers, none of them 0, in C or Fortran order.
fn numbers<T: From<f32>>(shape: &[usize], fortran: bool) -> ArrayD<T> {
    let mut i = 0;
    ArrayD::from_shape_simple_fn(IxDyn(shape).set_f(fortran), || {
        i += 1;
        T::from((i * 7 % 23) as f32 / 4.0 - 2.125)
    })
}

/// What the library's layer gives, called with one array.
fn forward<T: Element>(layer: &str, generator: &Generator, x: &ArrayD<T>) -> ArrayD<T> {
    let layer = Layer::with_generator(layer.parse().unwrap(), 0.3, generator).unwrap();
    layer.forward(x.clone()).unwrap()
}

const LAYERS: [&str; 6] = ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha-dropout", "feature-alpha-dropout"];

fn check_npy<T: Element + PartialEq + From<f32> + AutoSerialize + Serialize + Deserialize>() {
    let folder = TempDir::new().unwrap();
    let (input, output) = (folder.path().join("x.npy"), folder.path().join("y.npy"));
    for layer in LAYERS {
        for (rng, generator) in ["philox", "torch", "jax"].into_iter().zip([
            Generator::philox as fn(u64) -> Generator,
            Generator::torch,
            Generator::jax,
        ]) {
            for fortran in [false, true] {
                let x = numbers::<T>(&[3, 4, 5], fortran);
                save(&input, &x);
                let args = ["x.npy", "--output", "y.npy", "--layer", layer, "--p", "0.3", "--rng", rng, "--seed", "7"];
                succeed(&folder, &args);
                let y = load::<T>(&output);
                assert_eq!(y, forward(layer, &generator(7), &x), "{args:?}");
                assert_eq!(y.is_standard_layout(), !fortran);
            }
        }
    }
}

#[test]
fn every_layer_gives_in_npy_files_what_the_library_gives() {
    check_npy::<f32>();
    check_npy::<f64>();
}

/// `f16` has no `From<f32>`, so this test is not generic.
#[test]
fn half_precision_is_accepted() {
    let folder = TempDir::new().unwrap();
    let x = numbers::<f32>(&[4, 6], false).mapv(f16::from_f32);
    save(&folder.path().join("x.npy"), &x);
    succeed(&folder, &["x.npy", "--output", "x.npy", "--layer", "dropout", "--p", "0.3"]); // in place
    assert_eq!(load::<f16>(&folder.path().join("x.npy")), forward("dropout", &Generator::philox(42), &x));
}

#[test]
fn prints_the_example_of_pytorch() {
    let folder = TempDir::new().unwrap();
    save(&folder.path().join("x.npy"), &ArrayD::<f32>::ones(IxDyn(&[6, 6])));
    let args = ["x.npy", "--output", "y.npy", "--layer", "dropout", "--p", "0.5", "--rng", "torch", "--seed", "123"];
    succeed(&folder, &[&args[..], &["--bits", "kept"]].concat());
    let rows = ["220220", "000202", "222202", "022002", "020202", "022220"];
    let y = load::<f32>(&folder.path().join("y.npy"));
    assert_eq!(y.iter().map(f32::to_string).collect::<String>(), rows.concat());
    let bits = fs::read(folder.path().join("kept")).unwrap();
    assert_eq!(bits, [0b0001_1011, 0b1111_1010, 0b1001_1010, 0b1010_1010, 0b0000_0111]);
}

#[test]
fn tensors_of_safetensors_files_take_turns_in_the_order_of_their_names() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (numbers::<f32>(&[5, 3], false), numbers::<f32>(&[2, 4, 3], false).mapv(bf16::from_f32));
    let views = [
        ("b.weight", Dtype::BF16, second.shape(), bytemuck::cast_slice(second.as_slice().unwrap())),
        ("a.bias", Dtype::F32, first.shape(), bytemuck::cast_slice(first.as_slice().unwrap())),
    ];
    let views = views.map(|(name, dtype, shape, data)| (name, TensorView::new(dtype, shape.to_vec(), data).unwrap()));
    let metadata = Some(HashMap::from([("format".to_owned(), "pt".to_owned())]));
    fs::write(folder.path().join("x.safetensors"), safetensors::serialize(views, metadata.clone()).unwrap()).unwrap();
    for (rng, generator) in
        [("philox", Generator::philox(42)), ("torch", Generator::torch(42)), ("jax", Generator::jax(42))]
    {
        let args = ["x.safetensors", "--output", "y.safetensors", "--layer", "dropout2d", "--p", "0.3", "--rng", rng];
        succeed(&folder, &[&args[..], &["--bits", "kept"]].concat());
        let bytes = fs::read(folder.path().join("y.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let layer = Dropout2d::with_generator(0.3, &generator).unwrap();
        let expected = layer.forward(first.clone()).unwrap();
        assert_eq!(
            file.tensor("a.bias").unwrap().data(),
            bytemuck::cast_slice::<f32, u8>(expected.as_slice().unwrap())
        );
        let bits = fs::read(folder.path().join("kept")).unwrap();
        assert_eq!(bits.len(), 2 + 3, "15 and 24 elements");
        assert!((0..15).all(|i| (bits[i / 8] >> (i % 8) & 1 == 0) == (expected.as_slice().unwrap()[i] == 0.0)));
        let expected = layer.forward(second.clone()).unwrap();
        assert_eq!(
            file.tensor("b.weight").unwrap().data(),
            bytemuck::cast_slice::<bf16, u8>(expected.as_slice().unwrap())
        );
        assert_eq!(*SafeTensors::read_metadata(&bytes).unwrap().1.metadata(), metadata);
    }
}

#[test]
fn calls_are_chosen_by_layer_and_step() {
    let folder = TempDir::new().unwrap();
    let x = numbers::<f32>(&[100], false);
    save(&folder.path().join("x.npy"), &x);
    let args = ["x.npy", "--output", "y.npy", "--layer", "dropout", "--p", "0.3", "--seed", "5", "--step", "9"];
    let y = || load::<f32>(&folder.path().join("y.npy"));

    succeed(&folder, &[&args[..], &["--layer-id", "4", "--bits", "kept"]].concat());
    let generator = Generator::philox(0);
    generator.set_state(GeneratorState::philox(5, 4, [(4, 9)]));
    assert_eq!(y(), forward("dropout", &generator, &x));
    let mask = Mask::philox(5, 4, 9, Probability::new(0.3).unwrap());
    assert_eq!(fs::read(folder.path().join("kept")).unwrap(), mask.bits(0..100));

    succeed(&folder, &[&args[..], &["--rng", "jax"]].concat());
    generator.set_jax_key(JaxKey::new(5).fold_in(9));
    assert_eq!(y(), forward("dropout", &generator, &x));
}

#[test]
fn the_state_of_pytorch_is_taken_over_and_handed_back() {
    let folder = TempDir::new().unwrap();
    let x = numbers::<f32>(&[7, 9], true);
    save(&folder.path().join("x.npy"), &x);
    let generator = Generator::torch(3);
    generator.next_mask(0, Probability::new(0.5).unwrap(), 1000);
    save(&folder.path().join("before.npy"), &Array::from(generator.torch_rng_state().unwrap()));
    let line = "x.npy --output y.npy --layer alpha-dropout --p 0.3 --rng torch --rng-state before.npy --save-rng-state after.npy";
    succeed(&folder, &common::words(line));
    assert_eq!(load::<f32>(&folder.path().join("y.npy")), forward("alpha-dropout", &generator, &x));
    let after = load::<u8>(&folder.path().join("after.npy"));
    assert_eq!(after.as_slice().unwrap(), generator.torch_rng_state().unwrap());
}

#[test]
fn in_eval_mode_and_at_p_zero_nothing_changes() {
    let folder = TempDir::new().unwrap();
    save(&folder.path().join("x.npy"), &numbers::<f64>(&[3, 5], true));
    for args in [&["--p", "0.7", "--eval"][..], &["--p", "0"]] {
        let start = ["x.npy", "--output", "y.npy", "--layer", "dropout", "--bits", "kept"];
        succeed(&folder, &[&start[..], args].concat());
        assert_eq!(fs::read(folder.path().join("y.npy")).unwrap(), fs::read(folder.path().join("x.npy")).unwrap());
        assert_eq!(fs::read(folder.path().join("kept")).unwrap(), [0xFF, 0x7F]);
    }
}

#[test]
fn what_cannot_be_done_is_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    save(&path("x.npy"), &numbers::<f32>(&[3], false));
    save(&path("bytes.npy"), &Array::from(vec![0_u8; 9]));
    save(&path("zeros.npy"), &Array::from(vec![0_u8; 5056]));
    let whole = fs::read(path("x.npy")).unwrap();
    fs::write(path("short.npy"), &whole[..whole.len() - 1]).unwrap();
    fs::write(path("text.npy"), "no numbers").unwrap();
    fs::write(path("broken.safetensors"), [0xFF; 20]).unwrap();
    let numbers =
        safetensors::serialize([("a", TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap())], None).unwrap();
    fs::write(path("int.safetensors"), numbers).unwrap();

    let refuse = |start: &[&str], more: &[&str], message: &str| {
        refuse(&folder, &[start, &["--p", "0.3"], more].concat(), message);
    };
    let of = |input, output| [input, "--output", output, "--layer", "dropout"];
    let x = &of("x.npy", "y.npy");
    refuse(&of("no.npy", "y.npy"), &[], "cannot read no.npy: No such file or directory (os error 2)");
    refuse(&of("text.npy", "y.npy"), &[], "text.npy: not a .npy file: magic not found for NPY file");
    refuse(&of("short.npy", "y.npy"), &[], "short.npy: broken .npy file: 11 bytes of numbers for the shape [3]");
    let types = "expected numbers of type float16, float32 or float64, but got '|u1'";
    refuse(&of("bytes.npy", "y.npy"), &[], &format!("bytes.npy: {types}"));
    let broken = "broken.safetensors: not a .safetensors file: header too large";
    refuse(&of("broken.safetensors", "y.safetensors"), &[], broken);
    let int = "int.safetensors: tensor `a`: expected numbers of type F16, BF16, F32 or F64, but got I64";
    refuse(&of("int.safetensors", "y.safetensors"), &[], int);
    refuse(&of("x.npy", "y.txt"), &[], "y.txt: expected a name that ends in .npy or .safetensors");
    refuse(&of("x.npy", "y.safetensors"), &[], "y.safetensors: expected a file of the same kind as x.npy");
    refuse(&of("x.npy", "no/y.npy"), &[], "cannot write no/y.npy: No such file or directory (os error 2)");
    refuse(x, &["--bits", "no/kept"], "cannot write no/kept: No such file or directory (os error 2)");
    refuse(x, &["--bits", "y.npy"], "two outputs have the name y.npy");
    refuse(
        &["x.npy", "--output", "y.npy", "--layer", "feature-alpha-dropout"],
        &[],
        "x.npy: Feature dropout requires at least 2 dimensions in the input",
    );
    refuse(x, &["--rng-state", "zeros.npy"], "--rng-state is for --rng torch");
    refuse(x, &["--save-rng-state", "after.npy"], "--save-rng-state is for --rng torch");
    let layer_id = "--layer-id is for --rng philox: the masks of PyTorch and JAX do not depend on it";
    refuse(x, &["--rng", "jax", "--layer-id", "1"], layer_id);
    let step = "--step is for --rng philox and jax: --rng-state says where PyTorch is in its sequence";
    refuse(x, &["--rng", "torch", "--step", "1"], step);
    let torch = ["--rng", "torch", "--rng-state"];
    let state = |file, message: &str| refuse(x, &[&torch[..], &[file]].concat(), message);
    state("zeros.npy", "zeros.npy: no state of torch.get_rng_state(): it is not seeded");
    state("bytes.npy", "bytes.npy: a state of torch.get_rng_state() has 5056 bytes, but got 9");
    state("x.npy", "x.npy: expected one dimension of uint8, but got '<f4' [3]");
    refuse(x, &[&torch[..], &["zeros.npy", "--seed", "1"]].concat(), "--seed and --rng-state exclude each other");
    let seed = "invalid value '-1' for '--seed <N>': expected a whole number from 0 to 2^64 - 1, but got -1";
    refuse(x, &["--seed", "-1"], seed);
}

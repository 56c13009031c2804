//! `nn-dropout apply`, run as a user runs it.

mod common;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
#[cfg(unix)]
use std::{process::Command, thread::sleep, time::Duration};

use bytemuck::NoUninit;
use ndarray::{Array, ArrayD, Dimension, IxDyn, ShapeBuilder, Slice};
use nn_dropout::{
    Config, Dropout, Dropout2d, Element, Generator, GeneratorState, Input, JaxKey, Kind, Layer, Mask, Mode, PathMode,
    Probability, bf16, f16,
};
use npyz::{AutoSerialize, DType, Deserialize, NpyFile, Order, Serialize, WriterBuilder};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tempfile::TempDir;

fn succeed(folder: &TempDir, args: &[&str]) {
    assert_eq!(common::succeed(folder, &[&["apply"], args].concat()), "");
}

fn refuse(folder: &TempDir, args: &[&str], message: &str) {
    assert_eq!(common::refuse(folder, &[&["apply"], args].concat()), format!("error: {message}"));
}

/// Saves an array in its order of memory, C or Fortran.
fn save<T: AutoSerialize + Serialize + Copy, D: Dimension>(path: &Path, array: &Array<T, D>) {
    save_as(path, array, &T::default_dtype());
}

fn save_as<T: Serialize + Copy, D: Dimension>(path: &Path, array: &Array<T, D>, dtype: &DType) {
    let shape: Vec<u64> = array.shape().iter().map(|&n| n as u64).collect();
    let (order, memory) =
        if array.is_standard_layout() { (Order::C, array.view()) } else { (Order::Fortran, array.t()) };
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().dtype(dtype.clone()).shape(&shape).order(order);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    writer.extend(memory.iter().copied()).unwrap();
    writer.finish().unwrap();
    fs::write(path, bytes).unwrap();
}

fn load<T: Deserialize>(path: &Path) -> ArrayD<T> {
    let file = NpyFile::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let shape: Vec<usize> = file.shape().iter().map(|&n| n as usize).collect();
    let fortran = file.order() == Order::Fortran;
    ArrayD::from_shape_vec(IxDyn(&shape).set_f(fortran), file.into_vec().unwrap()).unwrap()
}

/// A `.npy` file with any header.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

/// A `.safetensors` file with any header.
fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// Ordinary numbers, none of them 0, in C or Fortran order.
fn numbers(shape: &[usize], fortran: bool) -> ArrayD<f32> {
    let mut i = 0;
    ArrayD::from_shape_simple_fn(IxDyn(shape).set_f(fortran), || {
        i += 1;
        (i * 7 % 23) as f32 / 4.0 - 2.125
    })
}

/// A layer, as options and as the library has it.
#[derive(Clone)]
struct Case {
    options: String,
    config: Config,
    mode: Mode,
}

impl Case {
    fn new(kind: Kind, amount: f64) -> Self {
        let options = format!("--layer {} --{} {amount}", kind.name(), kind.amount());
        Self { options, config: Config::new(kind, amount).unwrap(), mode: Mode::Train }
    }

    /// The same with another option.
    fn with(self, option: &str, config: impl FnOnce(Config) -> Result<Config, nn_dropout::ConfigError>) -> Self {
        Self { options: format!("{} {option}", self.options), config: config(self.config).unwrap(), ..self }
    }

    fn takes_numbers(&self) -> bool {
        self.config.kind().takes_numbers()
    }

    /// The generators that it can draw from.
    fn rngs(&self) -> &[&'static str] {
        if self.takes_numbers() { &RNGS[..1] } else { &RNGS }
    }

    /// A shape that it takes.
    fn shape(&self) -> &[usize] {
        match self.config.kind() {
            Kind::DropBlock2d => &[2, 3, 10, 9],
            Kind::DropBlock3d => &[2, 2, 8, 7, 9],
            _ => &[3, 4, 5],
        }
    }
}

/// Every layer that takes one tensor.
fn every_layer(amount: f64) -> Vec<Case> {
    Kind::ALL.into_iter().filter(|kind| kind.takes_one_tensor()).map(|kind| Case::new(kind, amount)).collect()
}

fn cases(kinds: &[Kind], amount: f64) -> Vec<Case> {
    kinds.iter().map(|&kind| Case::new(kind, amount)).collect()
}

/// What the library's layer gives, called with one array.
fn forward<T: Element>(kind: Kind, generator: &Generator, x: &ArrayD<T>) -> ArrayD<T> {
    forward_and_kept(&Case::new(kind, 0.3), generator, x).0
}

/// The same, and what was kept, packed in row-major order.
fn forward_and_kept<T: Element>(case: &Case, generator: &Generator, x: &ArrayD<T>) -> (ArrayD<T>, Vec<u8>) {
    let mut layer = Layer::from_config(case.config.clone(), generator);
    let draw = layer.set_mode(case.mode).draw_for(x).unwrap();
    let (mut y, mut scales) = (x.clone(), vec![1_f32; x.len()]);
    if let Some(draw) = draw {
        y = y.apply(&draw);
        draw.backward_inplace(&mut scales).unwrap();
    }
    (y, packed(scales.iter().map(|&scale| scale != 0.0)))
}

/// Eight to a byte, the first in the lowest bit.
fn packed(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let bits: Vec<bool> = bits.collect();
    bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect()
}

const RNGS: [&str; 3] = ["philox", "torch", "jax"];

fn generator(rng: &str, seed: u64) -> Generator {
    match rng {
        "philox" => Generator::philox(seed),
        "torch" => Generator::torch(seed),
        _ => Generator::jax(seed),
    }
}

/// Compares files of a type with the library's results, in both orders of memory and of bytes.
fn check_npy<T>(shape: &[usize], cases: &[Case], of: fn(f32) -> T)
where
    T: Element + PartialEq + AutoSerialize + Serialize + Deserialize,
{
    let folder = TempDir::new().unwrap();
    let path = |name| folder.path().join(name);
    for (fortran, is_big_endian) in [(false, false), (true, false), (true, true)] {
        let x = numbers(shape, fortran).mapv(of);
        let dtype = T::default_dtype().descr().replace('\'', "");
        let dtype = if is_big_endian { dtype.replace('<', ">") } else { dtype };
        save_as(&path("x.npy"), &x, &DType::new_scalar(dtype.parse().unwrap()));
        for case in cases {
            for rng in case.rngs() {
                let bits = if case.takes_numbers() { "" } else { "--bits kept" };
                let line = format!("x.npy --output y.npy --seed 7 {bits} --rng {rng} {}", case.options);
                succeed(&folder, &common::words(&line));
                let (y, kept) = forward_and_kept(case, &generator(rng, 7), &x);
                // Not the arrays themselves: where they differ they would be printed.
                assert!(load::<T>(&path("y.npy")) == y, "{line}, {dtype}, Fortran order: {fortran}");
                if !case.takes_numbers() {
                    assert!(fs::read(path("kept")).unwrap() == kept, "{line}, {dtype}, Fortran order: {fortran}");
                }
                let header = |name| fs::read(path(name)).unwrap()[..128].to_vec();
                assert_eq!(header("y.npy"), header("x.npy"));
            }
        }
    }
}

#[test]
fn every_layer_gives_in_npy_files_what_the_library_gives() {
    for case in every_layer(0.3) {
        let (shape, case) = (case.shape().to_vec(), [case]);
        check_npy(&shape, &case, f32::from);
        check_npy(&shape, &case, f64::from);
        check_npy(&shape, &case, f16::from_f32);
    }
    let all = every_layer(1.0 - f64::EPSILON).into_iter().filter(|case| case.shape().len() == 3);
    check_npy(&[3, 4, 5], &all.collect::<Vec<_>>(), f32::from);
    check_npy(&[3, 4, 5], &cases(&[Kind::Dropout, Kind::AlphaDropout, Kind::DropPath], 1.0), f32::from);
}

#[test]
fn every_option_of_a_layer_gives_what_the_library_gives() {
    let new = |kind| Case::new(kind, 0.3);
    for kind in [Kind::Dropout, Kind::AlphaDropout, Kind::GaussianDropout, Kind::GaussianNoise] {
        let axes = |axes: &'static [usize]| move |config: Config| config.with_shared_axes(axes);
        let cases = [
            new(kind).with("--shared-axes 1", axes(&[1])),
            new(kind).with("--shared-axes 2,0", axes(&[2, 0])),
            new(kind).with("--shared-axes 0,1,2", axes(&[0, 1, 2])),
        ];
        check_npy(&[3, 4, 5], &cases, f32::from);
    }
    for kind in [Kind::Dropout1d, Kind::Dropout2d, Kind::FeatureAlphaDropout] {
        check_npy(
            &[3, 4, 5],
            &[new(kind).with("--channels-last", |config| config.with_channels_last(true))],
            f32::from,
        );
    }
    check_npy(
        &[2, 3, 2, 2, 5],
        &[new(Kind::Dropout3d).with("--channels-last", |config| config.with_channels_last(true))],
        f32::from,
    );

    let drop_path = || new(Kind::DropPath);
    let batch = |config: Config| config.with_mode(PathMode::Batch);
    let cases = [
        drop_path().with("--mode batch", batch),
        drop_path().with("--mode row", Ok),
        drop_path().with("--scale-by-keep false", |config| config.with_scale_by_keep(false)),
        drop_path().with("--scale-by-keep true", Ok),
        drop_path()
            .with("--mode batch", batch)
            .with("--scale-by-keep false", |config| config.with_scale_by_keep(false)),
    ];
    check_npy(&[3, 4, 5], &cases, f32::from);

    for kind in [Kind::DropBlock2d, Kind::DropBlock3d] {
        let cases = [
            new(kind).with("--block-size 1", |config| config.with_block_size(1)),
            new(kind).with("--block-size 3", |config| config.with_block_size(3)),
            new(kind).with("--channels-last", |config| config.with_channels_last(true)),
            new(kind).with("--channels-last=false --clipping=false --coupled-channels=false", Ok),
            new(kind).with("--clipping", |config| config.with_clipping(true)),
            new(kind)
                .with("--coupled-channels", |config| config.with_coupled_channels(true))
                .with("--block-size 2", |config| config.with_block_size(2)),
        ];
        check_npy(cases[0].shape(), &cases, f32::from);
    }
}

#[test]
fn in_monte_carlo_mode_all_samples_share_the_noise() {
    for case in every_layer(0.5) {
        let case = Case { options: format!("{} --monte-carlo", case.options), mode: Mode::MonteCarlo, ..case };
        check_npy(case.shape(), std::slice::from_ref(&case), f32::from);
    }
}

/// Where a part lies along each axis: from, and how many.
type Place = Vec<(usize, usize)>;

/// A tensor of this shape in parts: the first two axes and the last are cut in two.
fn parts(shape: &[usize]) -> Vec<Place> {
    shape.iter().enumerate().fold(vec![Vec::new()], |places, (axis, &size)| {
        let first = size.div_ceil(2);
        let is_cut = axis < 2 || axis == shape.len() - 1;
        let cuts = if is_cut { vec![(0, first), (first, size - first)] } else { vec![(0, size)] };
        places.iter().flat_map(|place| cuts.iter().map(|cut| [&place[..], &[*cut]].concat())).collect()
    })
}

#[test]
fn a_part_gets_its_part_of_the_noise_of_the_whole() {
    let folder = TempDir::new().unwrap();
    let path = |name| folder.path().join(name);
    let slice = |place: &Place| {
        let place = place.clone();
        move |axis: ndarray::AxisDescription| {
            let (start, size) = place[axis.axis.index()];
            Slice::from(start..start + size)
        }
    };
    let shared = Case::new(Kind::Dropout, 0.3).with("--shared-axes 1", |config| config.with_shared_axes([1]));
    let monte_carlo = |case: Case| Case { options: format!("{} --monte-carlo", case.options), ..case };
    let others = [shared, monte_carlo(Case::new(Kind::Dropout, 0.3)), monte_carlo(Case::new(Kind::GaussianNoise, 0.3))];
    for case in every_layer(0.3).into_iter().chain(others) {
        for fortran in [false, true] {
            let (shape, x) = (case.shape(), numbers(case.shape(), fortran));
            for rng in case.rngs() {
                let bits = if case.takes_numbers() { "" } else { "--bits kept" };
                let options = format!("--seed 7 --rng {rng} {bits} {}", case.options);
                save(&path("x.npy"), &x);
                succeed(&folder, &common::words(&format!("x.npy --output y.npy {options}")));
                let whole = load::<f32>(&path("y.npy"));
                let kept = fs::read(path("kept")).ok().filter(|_| !case.takes_numbers());
                let is_kept = |bits: &[u8], i: usize| bits[i / 8] >> (i % 8) & 1 == 1;
                // The number of each element of the whole.
                let all = ArrayD::from_shape_fn(IxDyn(shape), |at| {
                    (0..shape.len()).fold(0, |number, axis| number * shape[axis] + at[axis])
                });
                for place in parts(shape) {
                    let part = x.slice_each_axis(slice(&place));
                    let ordered = ArrayD::from_shape_fn(part.raw_dim().set_f(fortran), |at| part[at]);
                    save(&path("part.npy"), &ordered);
                    let [offset, sizes] =
                        [place.iter().map(|cut| cut.0).collect(), shape.to_vec()].map(|numbers: Vec<usize>| {
                            numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
                        });
                    let line = format!("part.npy --output y.npy {options} --whole-shape {sizes} --offset {offset}");
                    succeed(&folder, &common::words(&line));
                    let expected = whole.slice_each_axis(slice(&place));
                    assert!(load::<f32>(&path("y.npy")) == expected, "{line}, Fortran order: {fortran}");
                    if let Some(kept) = &kept {
                        let bits = fs::read(path("kept")).unwrap();
                        let numbers = all.slice_each_axis(slice(&place));
                        let mut own = numbers.iter().enumerate();
                        assert!(own.all(|(i, &number)| is_kept(&bits, i) == is_kept(kept, number)), "{line}");
                        assert_eq!(bits.len(), numbers.len().div_ceil(8));
                    }
                }
            }
        }
    }
}

#[test]
fn tensors_of_a_safetensors_file_are_each_such_a_part() {
    let folder = TempDir::new().unwrap();
    let x = numbers(&[2, 4], false);
    let view = |bytes| TensorView::new(Dtype::F32, vec![2, 4], bytes).unwrap();
    let file = safetensors::serialize([("a", view(bytes(&x))), ("b", view(bytes(&x)))], None).unwrap();
    fs::write(folder.path().join("x.safetensors"), file).unwrap();
    let line = "x.safetensors --output y.safetensors --layer dropout --p 0.5 --whole-shape 6,9 --offset 4,5";
    succeed(&folder, &common::words(line));
    let output = fs::read(folder.path().join("y.safetensors")).unwrap();
    let dropout = Dropout::with_generator(0.5, &Generator::philox(42)).unwrap();
    for name in ["a", "b"] {
        let draw = dropout.draw(&[6, 9]).unwrap().unwrap().block(&[6, 9], &[4, 5], &[2, 4]).unwrap();
        let expected = draw.forward_to_vec(x.as_slice().unwrap()).unwrap();
        let tensor = SafeTensors::deserialize(&output).unwrap().tensor(name).unwrap().data().to_vec();
        assert_eq!(tensor, bytemuck::cast_slice::<f32, u8>(&expected));
    }
}

#[test]
fn tensors_without_axes_or_elements_are_tensors_too() {
    let cases_of = |kinds: &[Kind]| cases(kinds, 0.3);
    for shape in [&[][..], &[0], &[3, 0, 5]] {
        let kinds = [Kind::Dropout, Kind::AlphaDropout, Kind::GaussianDropout, Kind::GaussianNoise, Kind::DropKey];
        check_npy(shape, &cases_of(&kinds), f32::from);
    }
    let three: Vec<Case> = every_layer(0.3).into_iter().filter(|case| case.shape().len() == 3).collect();
    check_npy(&[3, 0, 5], &three, f64::from);
    let folder = TempDir::new().unwrap();
    for (shape, whole, offset) in [("(3, 0, 5)", "3,4,5", "0,2,0"), ("(0,)", "0", "0"), ("(0, 2)", "0,7", "0,3")] {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n");
        fs::write(folder.path().join("x.npy"), npy(&header, &[])).unwrap();
        for layer in ["dropout --p 0.3", "gaussian-noise --stddev 1"] {
            let line = format!("x.npy --output y.npy --layer {layer} --whole-shape {whole} --offset {offset}");
            succeed(&folder, &common::words(&line));
        }
    }
}

/// Tensors of several parts, none of which ends where an axis does.
#[test]
fn large_tensors_pass_through_in_parts() {
    let shape = [3, 401, 523];
    check_npy(&shape, &cases(&[Kind::Dropout, Kind::Dropout1d, Kind::GaussianNoise], 0.3), f32::from);
    check_npy(&shape, &cases(&[Kind::AlphaDropout, Kind::TokenDropout], 0.3), f64::from);
    check_npy(&shape, &cases(&[Kind::Dropout], 0.3), f16::from_f32);
    check_npy(&[3, 2, 401, 261], &cases(&[Kind::DropBlock2d], 0.1), f32::from);
}

#[test]
fn the_output_may_replace_the_input() {
    let folder = TempDir::new().unwrap();
    let x = numbers(&[701, 1001], false);
    save(&folder.path().join("x.npy"), &x);
    succeed(&folder, &["x.npy", "--output", "x.npy", "--layer", "dropout", "--p", "0.3"]);
    assert!(load::<f32>(&folder.path().join("x.npy")) == forward(Kind::Dropout, &Generator::philox(42), &x));
    assert_eq!(common::entries(folder.path()), ["x.npy"]);
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
    let (first, second) = (numbers(&[5, 3], false), numbers(&[2, 4, 3], false).mapv(bf16::from_f32));
    let views = [
        ("b.weight", Dtype::BF16, second.shape(), bytes(&second)),
        ("a.bias", Dtype::F32, first.shape(), bytes(&first)),
    ];
    let views = views.map(|(name, dtype, shape, data)| (name, TensorView::new(dtype, shape.to_vec(), data).unwrap()));
    let metadata = Some(HashMap::from([("format".to_owned(), "pt".to_owned())]));
    fs::write(folder.path().join("x.safetensors"), safetensors::serialize(views, metadata.clone()).unwrap()).unwrap();
    for rng in RNGS {
        let args = ["x.safetensors", "--output", "y.safetensors", "--layer", "dropout2d", "--p", "0.3", "--rng", rng];
        succeed(&folder, &[&args[..], &["--bits", "kept"]].concat());
        let output = fs::read(folder.path().join("y.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&output).unwrap();
        let layer = Dropout2d::with_generator(0.3, &generator(rng, 42)).unwrap();
        let expected = layer.forward(first.clone()).unwrap();
        assert_eq!(file.tensor("a.bias").unwrap().data(), bytes(&expected));
        let bits = fs::read(folder.path().join("kept")).unwrap();
        assert_eq!(bits.len(), 2 + 3, "15 and 24 elements");
        assert!((0..15).all(|i| (bits[i / 8] >> (i % 8) & 1 == 0) == (expected.as_slice().unwrap()[i] == 0.0)));
        let expected = layer.forward(second.clone()).unwrap();
        assert_eq!(file.tensor("b.weight").unwrap().data(), bytes(&expected));
        assert_eq!(*SafeTensors::read_metadata(&output).unwrap().1.metadata(), metadata);
    }
}

/// Its header stays as it is. Tensors may lie in any order, and at any byte.
#[test]
fn a_safetensors_file_by_another_writer_keeps_its_form() {
    let folder = TempDir::new().unwrap();
    // Of three parts.
    let large = numbers(&[701, 1001], false);
    let (half, brain) = (numbers(&[3], false).mapv(f16::from_f32), numbers(&[2, 1, 2], false).mapv(bf16::from_f32));
    let (double, none) = (numbers(&[], false).mapv(f64::from), numbers(&[2, 0], false));
    let ends = [6, 4 * large.len() + 6, 4 * large.len() + 14, 4 * large.len() + 22];
    let tensor = |name, dtype, shape: &[usize], start, end| {
        format!(r#""{name}": {{"shape": {shape:?}, "dtype": "{dtype}", "data_offsets": [{start}, {end}]}}"#)
    };
    let header = [
        tensor("large", "F32", large.shape(), ends[0], ends[1]),
        r#""__metadata__": {"made by": "hand"}"#.to_owned(),
        tensor("none", "F32", none.shape(), ends[1], ends[1]),
        tensor("double", "F64", double.shape(), ends[2], ends[3]),
        tensor("brain", "BF16", brain.shape(), ends[1], ends[2]),
        tensor("a half", "F16", half.shape(), 0, ends[0]),
    ];
    let header = format!("{{ {} }} ", header.join(",\n"));
    let file = |half: &ArrayD<f16>, large: &ArrayD<f32>, brain: &ArrayD<bf16>, double: &ArrayD<f64>| {
        safetensors(&header, &[bytes(half), bytes(large), bytes(brain), bytes(double)].concat())
    };
    fs::write(folder.path().join("x.safetensors"), file(&half, &large, &brain, &double)).unwrap();
    for rng in RNGS {
        let line = format!("x.safetensors --output y.safetensors --layer dropout --p 0.3 --rng {rng} --bits kept");
        succeed(&folder, &common::words(&line));
        let layer = Dropout::with_generator(0.3, &generator(rng, 42)).unwrap();
        // In the order of their names.
        let (half, brain) = (layer.forward(half.clone()), layer.forward(brain.clone()));
        let (double, large) = (layer.forward(double.clone()), layer.forward(large.clone()));
        layer.forward(none.clone());
        assert!(
            fs::read(folder.path().join("y.safetensors")).unwrap() == file(&half, &large, &brain, &double),
            "{rng}"
        );
        let kept = [
            packed(half.iter().map(|&y| y != f16::ZERO)),
            packed(brain.iter().map(|&y| y != bf16::ZERO)),
            packed(double.iter().map(|&y| y != 0.0)),
            packed(large.iter().map(|&y| y != 0.0)),
        ];
        assert!(fs::read(folder.path().join("kept")).unwrap() == kept.concat(), "{rng}");
    }
}

fn bytes<T: NoUninit>(array: &ArrayD<T>) -> &[u8] {
    bytemuck::cast_slice(array.as_slice().unwrap())
}

#[test]
fn calls_are_chosen_by_layer_and_step() {
    let folder = TempDir::new().unwrap();
    let x = numbers(&[100], false);
    save(&folder.path().join("x.npy"), &x);
    let args = ["x.npy", "--output", "y.npy", "--layer", "dropout", "--p", "0.3", "--seed", "5", "--step", "9"];
    let y = || load::<f32>(&folder.path().join("y.npy"));

    succeed(&folder, &[&args[..], &["--layer-id", "4", "--bits", "kept"]].concat());
    let generator = Generator::philox(0);
    generator.set_state(GeneratorState::philox(5, 4, [(4, 9)]));
    assert_eq!(y(), forward(Kind::Dropout, &generator, &x));
    let mask = Mask::philox(5, 4, 9, Probability::new(0.3).unwrap());
    assert_eq!(fs::read(folder.path().join("kept")).unwrap(), mask.bits(0..100));

    succeed(&folder, &[&args[..], &["--rng", "jax"]].concat());
    generator.set_jax_key(JaxKey::new(5).fold_in(9));
    assert_eq!(y(), forward(Kind::Dropout, &generator, &x));
}

#[test]
fn the_state_of_pytorch_is_taken_over_and_handed_back() {
    let folder = TempDir::new().unwrap();
    let x = numbers(&[7, 9], true);
    save(&folder.path().join("x.npy"), &x);
    let generator = Generator::torch(3);
    generator.next_mask(0, Probability::new(0.5).unwrap(), 1000);
    save(&folder.path().join("before.npy"), &Array::from(generator.torch_rng_state().unwrap()));
    let line = "x.npy --output y.npy --layer alpha-dropout --p 0.3 --rng torch --rng-state before.npy --save-rng-state after.npy";
    succeed(&folder, &common::words(line));
    assert_eq!(load::<f32>(&folder.path().join("y.npy")), forward(Kind::AlphaDropout, &generator, &x));
    let after = load::<u8>(&folder.path().join("after.npy"));
    assert_eq!(after.as_slice().unwrap(), generator.torch_rng_state().unwrap());
}

#[test]
fn in_eval_mode_and_at_p_zero_nothing_changes() {
    let folder = TempDir::new().unwrap();
    save(&folder.path().join("x.npy"), &numbers(&[3, 5], true).mapv(f64::from));
    for args in [&["--p", "0.7", "--eval"][..], &["--p", "0"]] {
        let start = ["x.npy", "--output", "y.npy", "--layer", "dropout", "--bits", "kept"];
        succeed(&folder, &[&start[..], args].concat());
        assert_eq!(fs::read(folder.path().join("y.npy")).unwrap(), fs::read(folder.path().join("x.npy")).unwrap());
        assert_eq!(fs::read(folder.path().join("kept")).unwrap(), [0xFF, 0x7F]);
    }
}

/// A `.npy` file of so many zeros of f32, which takes no room on most disks.
#[cfg(unix)]
fn save_zeros(path: &Path, count: u64) {
    let header = npy(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({count},)}}\n"), &[]);
    fs::write(path, &header).unwrap();
    File::options().append(true).open(path).unwrap().set_len(header.len() as u64 + 4 * count).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_file() {
    let folder = TempDir::new().unwrap();
    let size = 256 << 20;
    save_zeros(&folder.path().join("x.npy"), size / 4);
    let line = "apply x.npy --output y.npy --layer dropout --p 0.3 --bits kept";
    let mut child = common::program(&folder, &common::words(line)).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.map_or(peak, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10);
        sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
    assert!(peak > 0 && peak < size / 4, "{peak} bytes for a file of {size}");
}

#[cfg(unix)]
#[test]
fn an_output_is_whole_or_not_there() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let folder = TempDir::new().unwrap();
    let path = |name| folder.path().join(name);
    save_zeros(&path("x.npy"), 1 << 30);
    fs::write(path("y.npy"), "before").unwrap();
    let line = "apply x.npy --output y.npy --layer dropout --p 0.3";

    let mut limited = Command::new("sh");
    let program = common::program(&folder, &[]);
    // Files cannot grow beyond this many blocks of 512 bytes: as on a full disk, writing fails.
    let script = format!("trap '' XFSZ; ulimit -f 32768; exec '{}' {line}", program.get_program().display());
    let output = limited.current_dir(&folder).args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said, "error: cannot write y.npy: File too large (os error 27)\n");
    assert_eq!(common::entries(folder.path()), ["x.npy", "y.npy"]);

    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let mut child = common::program(&folder, &common::words(line)).spawn().unwrap();
        // Until it has written a part under another name.
        let written = || {
            let sizes =
                fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().metadata().map_or(0, |file| file.len()));
            sizes.filter(|&size| size < 4 << 30).max().unwrap()
        };
        while written() < 4 << 20 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
            sleep(Duration::from_millis(1));
        }
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!(fs::read(path("y.npy")).unwrap(), b"before");
        // Nobody can clean up after SIGKILL.
        if signal != Signal::SIGKILL {
            assert_eq!(code, Some(130));
            assert_eq!(common::entries(folder.path()), ["x.npy", "y.npy"]);
        }
    }
}

#[test]
fn what_cannot_be_done_is_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    save(&path("x.npy"), &numbers(&[3], false));
    save(&path("bytes.npy"), &Array::from(vec![0_u8; 9]));
    save(&path("zeros.npy"), &Array::from(vec![0_u8; 5056]));
    let whole = fs::read(path("x.npy")).unwrap();
    fs::write(path("short.npy"), &whole[..whole.len() - 1]).unwrap();
    fs::write(path("text.npy"), "no numbers").unwrap();
    fs::write(path("broken.safetensors"), [0xFF; 20]).unwrap();
    let integers =
        safetensors::serialize([("a", TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap())], None).unwrap();
    fs::write(path("int.safetensors"), integers).unwrap();

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
    refuse(x, &["--bits", "./y.npy"], "two outputs have the name ./y.npy");
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
    let seed = "invalid value '0.5' for '--seed <N>': expected a whole number from -2^63 to 2^64 - 1, but got 0.5";
    refuse(x, &["--seed", "0.5"], seed);
}

#[test]
fn layers_and_options_that_do_not_fit_are_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    save(&folder.path().join("x.npy"), &numbers(&[3, 4], false));
    let names = every_layer(0.0).iter().map(|case| case.config.kind().name()).collect::<Vec<_>>().join(", ");
    let refuse = |options: &str, message: &str| {
        let line = format!("x.npy --output y.npy {options}");
        refuse(&folder, &common::words(&line), message);
    };
    let invalid = |value: &str, option: &str, why: &str| format!("invalid value '{value}' for '{option}': {why}");
    let name =
        |name: &str, why: String| refuse(&format!("--layer {name} --p 0.3"), &invalid(name, "--layer <NAME>", &why));
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.takes_one_tensor()) {
        let why = "needs more than one tensor (a second one, labels, a graph, or a network's layer)";
        name(&kind.name(), format!("{} {why}; expected one of {names}", kind.name()));
    }
    name("dropuot", format!("expected one of {names}, but got dropuot"));

    refuse("--layer dropout", "dropout needs --p");
    refuse("--layer gaussian-noise", "gaussian-noise needs --stddev");
    refuse("--layer neftune-noise", "neftune-noise needs --alpha");
    refuse("--layer gaussian-noise --p 0.3", "--p is not for gaussian-noise, which takes --stddev");
    refuse("--layer neftune-noise --alpha 5 --stddev 1", "--stddev is not for neftune-noise, which takes --alpha");
    refuse("--layer dropout --p 0.3 --alpha 1", "--alpha is not for dropout, which takes --p");
    let p = "dropout probability has to be between 0 and 1, but got 1.5";
    refuse("--layer dropout --p 1.5", &invalid("1.5", "--p <P>", p));
    let stddev = "expected a finite number of at least 0, but got -1";
    refuse("--layer gaussian-noise --stddev -1", &invalid("-1", "--stddev <S>", stddev));
    let no_variance = "gaussian-dropout takes p below 1: the variance of its noise is p / (1 - p)";
    refuse("--layer gaussian-dropout --p 1", no_variance);

    let channels = "dropout1d, dropout2d, dropout3d, feature-alpha-dropout, drop-block2d, drop-block3d";
    let axes = "dropout, alpha-dropout, gaussian-dropout, gaussian-noise";
    for (option, kinds) in [
        ("--shared-axes 1", axes),
        ("--channels-last", channels),
        ("--mode batch", "drop-path"),
        ("--scale-by-keep false", "drop-path"),
        ("--block-size 3", "drop-block2d, drop-block3d"),
        ("--clipping", "drop-block2d, drop-block3d"),
        ("--coupled-channels", "drop-block2d, drop-block3d"),
    ] {
        let name = option.split(' ').next().unwrap();
        let message = format!("{name} is for {kinds}, not for token-dropout");
        refuse(&format!("--layer token-dropout --p 0.3 {option}"), &message);
    }
    let missing = "x.npy: axis 2 cannot be shared by a tensor of 2 dimensions: axes are numbered from 0";
    refuse("--layer dropout --p 0.3 --shared-axes 0,2", missing);
    let number = "expected a whole number from 0 to 2^64 - 1, but got -1";
    refuse("--layer dropout --p 0.3 --shared-axes -1", &invalid("-1", "--shared-axes <AXIS,...>", number));
    let size = "expected a whole number of at least 1, but got 0";
    refuse("--layer drop-block2d --p 0.3 --block-size 0", &invalid("0", "--block-size <N>", size));
    let mode = "[possible values: row, batch]";
    refuse("--layer drop-path --p 0.3 --mode all", &format!("invalid value 'all' for '--mode <row|batch>'; {mode}"));

    for (layer, message) in [
        ("drop-block2d", "drop-block2d takes tensors of 4 dimensions (sample, channel, height, width), but got 2"),
        (
            "drop-block3d",
            "drop-block3d takes tensors of 5 dimensions (sample, channel, depth, height, width), but got 2",
        ),
    ] {
        refuse(&format!("--layer {layer} --p 0.3"), &format!("x.npy: {message}"));
    }
    for (kind, amount) in [("gaussian-dropout", "p"), ("gaussian-noise", "stddev"), ("neftune-noise", "alpha")] {
        for rng in ["torch", "jax"] {
            let message = "draws from a Philox generator, not from one of PyTorch's or JAX's masks";
            refuse(&format!("--layer {kind} --{amount} 0.3 --rng {rng}"), &format!("x.npy: {kind} {message}"));
        }
        let message = format!("--bits is for layers that keep or drop: {kind} does neither");
        refuse(&format!("--layer {kind} --{amount} 0.3 --bits kept"), &message);
    }

    let dropout = |more: &str, message: &str| refuse(&format!("--layer dropout --p 0.3 {more}"), message);
    dropout("--eval --monte-carlo", "--eval and --monte-carlo exclude each other");
    dropout("--whole-shape 3,4", "--whole-shape and --offset belong together: a part has both");
    dropout("--offset 0,0", "--whole-shape and --offset belong together: a part has both");
    for (whole, offset) in
        [("3,8", "0,5"), ("2,4", "0,0"), ("3,4,1", "0,0,0"), ("3,4", "0"), ("3,8", "0,18446744073709551615")]
    {
        let message =
            format!("x.npy: a tensor of shape [3, 4] at --offset {offset} does not lie within --whole-shape {whole}");
        dropout(&format!("--whole-shape {whole} --offset {offset}"), &message);
        refuse(&format!("--layer dropout --p 0 --whole-shape {whole} --offset {offset}"), &message);
    }
    let large = "--whole-shape 4294967296,2147483648: a whole has less than 2^63 elements";
    dropout("--whole-shape 4294967296,2147483648 --offset 0,0", large);
    let large = "--whole-shape 1048576,65536: a whole has less than 2^36 elements, with one bit for each in memory";
    dropout("--rng torch --whole-shape 1048576,65536 --offset 0,0", large);
    refuse("--layer drop-block2d --p 0.3 --whole-shape 1048576,65536 --offset 0,0", large);
}

#[test]
fn damaged_files_are_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let dict = |descr: &str, shape: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
    let f32s = |shape: &str| npy(&dict("'<f4'", shape), &[0; 12]);
    let long = |version: u8, length: u32| [b"\x93NUMPY", &[version, 0][..], &length.to_le_bytes(), b"{}"].concat();
    for (bytes, message) in [
        (vec![], "not a .npy file: magic not found for NPY file"),
        (b"\x93NUMPY\x01\x00".to_vec(), "not a .npy file: failed to fill whole buffer"),
        (f32s("(3,)")[..40].to_vec(), "broken .npy file: it ends within the header"),
        (f32s("(3,)")[..74].to_vec(), "broken .npy file: 7 bytes of numbers for the shape [3]"),
        (f32s("(2,)"), "broken .npy file: 12 bytes of numbers for the shape [2]"),
        (
            f32s("(3, 9223372036854775808, 2)"),
            "broken .npy file: 12 bytes of numbers for the shape [3, 9223372036854775808, 2]",
        ),
        (f32s("(4611686018427387907,)"), "broken .npy file: 12 bytes of numbers for the shape [4611686018427387907]"),
        (f32s("(36893488147419103235,)"), "not a .npy file: dimension cannot be larger than u64"),
        (f32s("(-3,)"), "not a .npy file: dimension cannot be negative"),
        (f32s("(1.5, 2)"), "not a .npy file: dimension must be an integer"),
        (f32s("3"), "not a .npy file: shape must be list or tuple"),
        (f32s(&"(".repeat(60)), "not a .npy file of plain numbers"),
        (npy("{'descr': '<f4', 'shape': (3,)}", &[0; 12]), "not a .npy file: dict is missing key 'fortran_order'"),
        (npy("\u{e9}", &[]), "not a .npy file: could not parse Python expression: syntax error:  --> 1:1"),
        (
            npy(&dict("[('a', '<f4')]", "(3,)"), &[0; 12]),
            "expected numbers of type float16, float32 or float64, but got a structure",
        ),
        (npy(&dict("'|O'", "(3,)"), &[0; 12]), "not a .npy file of plain numbers"),
        (
            npy(&dict("'<f16'", "(3,)"), &[0; 48]),
            "expected numbers of type float16, float32 or float64, but got '<f16'",
        ),
        (long(2, u32::MAX), "not a .npy file: header too large"),
        (long(2, 5000), "broken .npy file: it ends within the header"),
        (long(9, 2), "not a .npy file: unsupported version: (9, 0)"),
    ] {
        fs::write(folder.path().join("x.npy"), bytes).unwrap();
        let args = ["x.npy", "--output", "y.npy", "--layer", "dropout", "--p", "0.3", "--bits", "kept"];
        refuse(&folder, &args, &format!("x.npy: {message}"));
    }

    let tensor = |name: &str, dtype: &str, shape: &str, [start, end]: [u64; 2]| {
        let header =
            format!(r#"{{"{name}": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": [{start}, {end}]}}}}"#);
        safetensors(&header, &[0; 12])
    };
    let f32s = |shape, offsets| tensor("a", "F32", shape, offsets);
    let no = "not a .safetensors file";
    let overflow = format!("{no}: overflow computing buffer size from shape and/or element type");
    let broken = "broken .safetensors file";
    for (bytes, message) in [
        (vec![0; 7], format!("{no}: too short")),
        (100_000_001_u64.to_le_bytes().to_vec(), format!("{no}: header too large")),
        (100_000_000_u64.to_le_bytes().to_vec(), format!("{broken}: it ends within the header")),
        (f32s("[3]", [0, 12])[..60].to_vec(), format!("{broken}: it ends within the header")),
        (f32s("[2]", [0, 8]), format!("{broken}: 12 bytes of numbers, where the header has 8")),
        (f32s("[4]", [0, 16]), format!("{broken}: 12 bytes of numbers, where the header has 16")),
        (f32s("[3]", [0, 16]), format!("{no}: invalid shape, data type, or offset for tensor")),
        (f32s("[3]", [4, 16]), format!("{no}: invalid offset for tensor `a`")),
        (f32s("[3]", [12, 0]), format!("{no}: invalid offset for tensor `a`")),
        (f32s("[4611686018427387904, 2]", [0, 12]), overflow.clone()),
        (f32s("[4611686018427387903]", [0, u64::MAX - 3]), overflow),
        (safetensors("{", &[]), format!("{no}: EOF while parsing an object at line 1 column 1")),
        (
            tensor(r"a\nb", "I32", "[3]", [0, 12]),
            r"tensor `a\nb`: expected numbers of type F16, BF16, F32 or F64, but got I32".to_owned(),
        ),
    ] {
        fs::write(folder.path().join("x.safetensors"), bytes).unwrap();
        let args = ["x.safetensors", "--output", "y.safetensors", "--layer", "dropout", "--p", "0.3", "--bits", "kept"];
        refuse(&folder, &args, &format!("x.safetensors: {message}"));
    }
}

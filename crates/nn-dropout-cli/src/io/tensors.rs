//! Files of tensors: NumPy's `.npy` and `.safetensors`.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ndarray::{ArrayD, ArrayViewD, IxDyn, ShapeBuilder};
use nn_dropout::{bf16, f16};
use npyz::{NpyFile, NpyHeader, Order, TypeChar, WriterBuilder};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::files;

/// A tensor of any accepted type.
pub enum Tensor {
    F16(ArrayD<f16>),
    Bf16(ArrayD<bf16>),
    F32(ArrayD<f32>),
    F64(ArrayD<f64>),
}

/// Does the same with the array of a [`Tensor`] of any type.
macro_rules! with_array {
    ($tensor:expr, $array:ident => $what:expr) => {
        match $tensor {
            $crate::io::tensors::Tensor::F16($array) => $what,
            $crate::io::tensors::Tensor::Bf16($array) => $what,
            $crate::io::tensors::Tensor::F32($array) => $what,
            $crate::io::tensors::Tensor::F64($array) => $what,
        }
    };
}
pub(crate) use with_array;

/// The contents of a file.
pub enum TensorFile {
    Npy(Tensor),
    /// The tensors in the order of their names, and the metadata.
    Safetensors(Vec<(String, Tensor)>, Option<HashMap<String, String>>),
}

/// The format of a file, by the end of its name.
#[derive(Clone, Copy, PartialEq)]
pub enum Format {
    Npy,
    Safetensors,
}

impl Format {
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npy") => Ok(Self::Npy),
            Some("safetensors") => Ok(Self::Safetensors),
            _ => bail!("{}: expected a name that ends in .npy or .safetensors", path.display()),
        }
    }
}

impl TensorFile {
    pub fn read(path: &Path) -> Result<Self> {
        let format = Format::of(path)?;
        let bytes = files::read(path)?;
        match format {
            Format::Npy => from_npy(&bytes).map(Self::Npy),
            Format::Safetensors => from_safetensors(&bytes),
        }
        .with_context(|| path.display().to_string())
    }

    /// The bytes of a file of the same format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Npy(Tensor::F16(array)) => to_npy(array),
            Self::Npy(Tensor::F32(array)) => to_npy(array),
            Self::Npy(Tensor::F64(array)) => to_npy(array),
            Self::Npy(Tensor::Bf16(_)) => bail!("NumPy has no bfloat16"),
            Self::Safetensors(tensors, metadata) => to_safetensors(tensors, metadata.clone()),
        }
    }

    pub fn tensors_mut(&mut self) -> Vec<&mut Tensor> {
        match self {
            Self::Npy(tensor) => vec![tensor],
            Self::Safetensors(tensors, _) => tensors.iter_mut().map(|(_, tensor)| tensor).collect(),
        }
    }
}

/// Splits a `.npy` file into its header and the bytes of its numbers.
fn npy_parts(bytes: &[u8]) -> Result<(NpyHeader, &[u8])> {
    let file = NpyFile::new(bytes).map_err(|error| anyhow!("not a .npy file: {}", first_line(&error)))?;
    let header = file.header().clone();
    let data = file.into_inner();
    let size = header.dtype().num_bytes().context("not a .npy file of numbers")?;
    let expected = header.shape().iter().try_fold(size as u64, |bytes, &n| bytes.checked_mul(n));
    ensure!(
        expected == Some(data.len() as u64),
        "broken .npy file: {} bytes of numbers for the shape {:?}",
        data.len(),
        header.shape()
    );
    Ok((header, data))
}

fn from_npy(bytes: &[u8]) -> Result<Tensor> {
    let (header, data) = npy_parts(bytes)?;
    let dtype = header.dtype();
    let npyz::DType::Plain(kind) = &dtype else {
        bail!("expected numbers of type float16, float32 or float64, but got a structure");
    };
    Ok(match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 2) => Tensor::F16(array_from_npy(header, data)?),
        (TypeChar::Float, 4) => Tensor::F32(array_from_npy(header, data)?),
        (TypeChar::Float, 8) => Tensor::F64(array_from_npy(header, data)?),
        _ => bail!("expected numbers of type float16, float32 or float64, but got {}", dtype.descr()),
    })
}

fn array_from_npy<T: npyz::Deserialize>(header: NpyHeader, data: &[u8]) -> Result<ArrayD<T>> {
    let shape: Vec<usize> = header.shape().iter().map(|&n| n as usize).collect();
    let fortran = header.order() == Order::Fortran;
    let numbers = NpyFile::with_header(header, data).into_vec()?;
    Ok(ArrayD::from_shape_vec(IxDyn(&shape).set_f(fortran), numbers)?)
}

/// The file has the order of the numbers in memory, C or Fortran.
fn to_npy<T: npyz::AutoSerialize + npyz::Serialize + Copy>(array: &ArrayD<T>) -> Result<Vec<u8>> {
    let shape: Vec<u64> = array.shape().iter().map(|&n| n as u64).collect();
    let (order, numbers): (_, ArrayViewD<T>) =
        if array.is_standard_layout() { (Order::C, array.view()) } else { (Order::Fortran, array.t()) };
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&shape).order(order);
    let mut writer = options.writer(&mut bytes).begin_nd()?;
    writer.extend(numbers.iter().copied())?;
    writer.finish()?;
    Ok(bytes)
}

/// The bytes in a `.npy` file of one dimension.
pub fn read_npy_bytes(path: &Path) -> Result<Vec<u8>> {
    let file = files::read(path)?;
    let read = || {
        let (header, data) = npy_parts(&file)?;
        let descr = header.dtype().descr();
        ensure!(
            descr == "'|u1'" && header.shape().len() == 1,
            "expected one dimension of uint8, but got {descr} {:?}",
            header.shape()
        );
        Ok(data.to_vec())
    };
    read().with_context(|| path.display().to_string())
}

/// The shape and the numbers of a `.npy` file of int64, in C order.
pub fn read_npy_i64(path: &Path) -> Result<(Vec<usize>, Vec<i64>)> {
    let file = files::read(path)?;
    let read = || {
        let (header, data) = npy_parts(&file)?;
        let descr = header.dtype().descr();
        ensure!(descr == "'<i8'" || descr == "'>i8'", "expected numbers of type int64, but got {descr}");
        let array: ArrayD<i64> = array_from_npy(header, data)?;
        Ok((array.shape().to_vec(), array.iter().copied().collect()))
    };
    read().with_context(|| path.display().to_string())
}

pub fn npy_from_bytes(bytes: Vec<u8>) -> Result<Vec<u8>> {
    to_npy(&ArrayD::from_shape_vec(IxDyn(&[bytes.len()]), bytes)?)
}

fn from_safetensors(bytes: &[u8]) -> Result<TensorFile> {
    let broken = |error| anyhow!("not a .safetensors file: {}", first_line(&error));
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let mut names = file.names();
    names.sort_unstable();
    let mut tensors = Vec::new();
    for name in names {
        let view = file.tensor(name).map_err(broken)?;
        let shape = IxDyn(view.shape());
        macro_rules! array {
            () => {
                ArrayD::from_shape_vec(shape, bytemuck::pod_collect_to_vec(view.data()))?
            };
        }
        let tensor = match view.dtype() {
            Dtype::F16 => Tensor::F16(array!()),
            Dtype::BF16 => Tensor::Bf16(array!()),
            Dtype::F32 => Tensor::F32(array!()),
            Dtype::F64 => Tensor::F64(array!()),
            other => bail!("tensor `{name}`: expected numbers of type F16, BF16, F32 or F64, but got {other:?}"),
        };
        tensors.push((name.to_owned(), tensor));
    }
    Ok(TensorFile::Safetensors(tensors, header.metadata().clone()))
}

fn to_safetensors(tensors: &[(String, Tensor)], metadata: Option<HashMap<String, String>>) -> Result<Vec<u8>> {
    let mut views = Vec::new();
    for (name, tensor) in tensors {
        let dtype = match tensor {
            Tensor::F16(_) => Dtype::F16,
            Tensor::Bf16(_) => Dtype::BF16,
            Tensor::F32(_) => Dtype::F32,
            Tensor::F64(_) => Dtype::F64,
        };
        let view = with_array!(tensor, array => {
            let numbers = array.as_slice().context("tensors of .safetensors files are row-major")?;
            TensorView::new(dtype, array.shape().to_vec(), bytemuck::cast_slice(numbers))?
        });
        views.push((name, view));
    }
    Ok(safetensors::serialize(views, metadata)?)
}

fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

//! NumPy's `.npy` files.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use nn_dropout_experiments::io::files;
use npyz::{DType, Endianness, NpyFile, NpyHeader, Order, TypeChar, WriterBuilder};

use super::tensors::{Float, Tensor, first_line};

/// The bytes before the numbers, and the tensor.
pub fn read_tensor(file: &mut impl Read, length: u64) -> Result<(Vec<u8>, Tensor)> {
    let (bytes, header) = read_header(file, length)?;
    let dtype = header.dtype();
    let DType::Plain(kind) = &dtype else {
        bail!("expected numbers of type float16, float32 or float64, but got a structure");
    };
    let float = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 2) => Float::F16,
        (TypeChar::Float, 4) => Float::F32,
        (TypeChar::Float, 8) => Float::F64,
        _ => bail!("expected numbers of type float16, float32 or float64, but got {}", dtype.descr()),
    };
    let tensor = Tensor {
        float,
        is_big_endian: kind.endianness() == Endianness::Big,
        shape: shape(&header)?,
        is_fortran: header.order() == Order::Fortran,
        start: bytes.len() as u64,
    };
    Ok((bytes, tensor))
}

/// The bytes in a `.npy` file of one dimension.
pub fn read_npy_bytes(path: &Path) -> Result<Vec<u8>> {
    let file = files::read(path)?;
    let read = || {
        let (header, data) = split(&file)?;
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
        let (header, data) = split(&file)?;
        let descr = header.dtype().descr();
        ensure!(descr == "'<i8'" || descr == "'>i8'", "expected numbers of type int64, but got {descr}");
        let (shape, fortran) = (shape(&header)?, header.order() == Order::Fortran);
        let numbers = NpyFile::with_header(header, data).into_vec()?;
        let array = ArrayD::from_shape_vec(IxDyn(&shape).set_f(fortran), numbers)?;
        Ok((shape, array.iter().copied().collect()))
    };
    read().with_context(|| path.display().to_string())
}

pub fn npy_from_bytes(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&[bytes.len() as u64]);
    let mut writer = options.writer(&mut file).begin_nd()?;
    writer.extend(bytes)?;
    writer.finish()?;
    Ok(file)
}

/// Splits a file into its header and the bytes of its numbers.
fn split(file: &[u8]) -> Result<(NpyHeader, &[u8])> {
    let (bytes, header) = read_header(&mut &*file, file.len() as u64)?;
    Ok((header, &file[bytes.len()..]))
}

/// The longest header. NumPy itself refuses longer ones.
const LONGEST: u64 = 10_000;

/// The most brackets in a header. Within each other, every one doubles or triples the time that npyz takes.
const BRACKETS: usize = 8;

/// The bytes of the header, and what they say. The numbers fill the rest of the file.
fn read_header(file: &mut impl Read, length: u64) -> Result<(Vec<u8>, NpyHeader)> {
    let mut bytes = Vec::new();
    file.take(12).read_to_end(&mut bytes)?;
    let size = match bytes.strip_prefix(b"\x93NUMPY") {
        Some(&[1, _, a, b, ..]) => 10 + u64::from(u16::from_le_bytes([a, b])),
        Some(&[_, _, a, b, c, d]) => 12 + u64::from(u32::from_le_bytes([a, b, c, d])),
        _ => 0,
    };
    ensure!(size <= LONGEST, "not a .npy file: header too large");
    file.take(size.saturating_sub(12)).read_to_end(&mut bytes)?;
    ensure!(size <= bytes.len() as u64, "broken .npy file: it ends within the header");
    let brackets = bytes.iter().filter(|byte| b"([{".contains(byte)).count();
    ensure!(brackets <= BRACKETS, "not a .npy file of plain numbers");
    let header = NpyHeader::from_reader(&*bytes).map_err(|error| anyhow!("not a .npy file: {}", first_line(&error)))?;
    let item = header.dtype().num_bytes().context("not a .npy file of plain numbers")?;
    let data = length.saturating_sub(bytes.len() as u64);
    let expected = header.shape().iter().try_fold(item as u64, |bytes, &n| bytes.checked_mul(n));
    ensure!(expected == Some(data), "broken .npy file: {data} bytes of numbers for the shape {:?}", header.shape());
    Ok((bytes, header))
}

fn shape(header: &NpyHeader) -> Result<Vec<usize>> {
    header.shape().iter().map(|&size| usize::try_from(size).context("the shape is too large")).collect()
}

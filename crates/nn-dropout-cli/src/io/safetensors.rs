//! `.safetensors` files.

use std::io::Read;

use anyhow::{Context, Result, anyhow, bail, ensure};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::tensors::{Float, Tensor, first_line};

/// The longest header that the format allows.
const LONGEST: u64 = 100_000_000;

/// The bytes before the first tensor, and the tensors in the order of their names.
pub fn read_tensors(file: &mut impl Read, length: u64) -> Result<(Vec<u8>, Vec<Tensor>)> {
    let mut header = Vec::new();
    file.take(8).read_to_end(&mut header)?;
    let size = u64::from_le_bytes(*header.first_chunk().context("not a .safetensors file: too short")?);
    ensure!(size <= LONGEST, "not a .safetensors file: header too large");
    file.take(size).read_to_end(&mut header)?;
    let data = length.checked_sub(8 + size).context("broken .safetensors file: it ends within the header")?;
    let metadata: Metadata = serde_json::from_slice(&header[8..])
        .map_err(|error| anyhow!("not a .safetensors file: {}", first_line(&error)))?;
    let expected = metadata.data_len();
    ensure!(
        data == expected as u64,
        "broken .safetensors file: {data} bytes of numbers, where the header has {expected}"
    );

    let mut tensors: Vec<_> = metadata.tensors().into_iter().collect();
    tensors.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let tensor = |(name, info): (String, &TensorInfo)| {
        let float = match info.dtype {
            Dtype::F16 => Float::F16,
            Dtype::BF16 => Float::Bf16,
            Dtype::F32 => Float::F32,
            Dtype::F64 => Float::F64,
            other => {
                let name = name.escape_debug();
                bail!("tensor `{name}`: expected numbers of type F16, BF16, F32 or F64, but got {other:?}")
            }
        };
        let start = header.len() as u64 + info.data_offsets.0 as u64;
        Ok(Tensor { float, is_big_endian: false, shape: info.shape.clone(), is_fortran: false, start })
    };
    let tensors = tensors.into_iter().map(tensor).collect::<Result<_>>()?;
    Ok((header, tensors))
}

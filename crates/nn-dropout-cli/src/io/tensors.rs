//! Files of tensors. Any size takes the same memory: tensors pass through it a part at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bytemuck::Pod;
use nn_dropout::{Draw, Element, Index, Input, bf16, f16};
use nn_dropout_experiments::interrupt;
use nn_dropout_experiments::io::files::{self, Staged, cannot_read};

use super::{npy, safetensors};

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

/// The accepted types of numbers.
#[derive(Clone, Copy)]
pub enum Float {
    F16,
    Bf16,
    F32,
    F64,
}

/// A tensor in a file.
pub struct Tensor {
    pub float: Float,
    pub is_big_endian: bool,
    pub shape: Vec<usize>,
    /// Whether the first axis is the fastest, not the last.
    pub is_fortran: bool,
    /// The number of its first byte.
    pub start: u64,
}

/// A file of tensors that is open for reading.
pub struct TensorFile {
    path: PathBuf,
    file: File,
    /// The bytes before the first tensor.
    header: Vec<u8>,
    /// In the order of their names.
    tensors: Vec<Tensor>,
}

impl TensorFile {
    pub fn open(path: &Path) -> Result<Self> {
        let format = Format::of(path)?;
        let (mut file, length) = files::open(path)?;
        let (header, tensors) = match format {
            Format::Npy => npy::read_tensor(&mut file, length).map(|(header, tensor)| (header, vec![tensor])),
            Format::Safetensors => safetensors::read_tensors(&mut file, length),
        }
        .with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), file, header, tensors })
    }

    pub fn header(&self) -> &[u8] {
        &self.header
    }

    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// A tensor of this file on its way to the same place in another file.
    pub fn pass<'a>(&'a self, tensor: &'a Tensor, to: &'a mut Staged) -> Passage<'a> {
        Passage { from: self, tensor, to, whole: &tensor.shape }
    }
}

/// A tensor between two files, as a layer takes it: its output is in the second file.
pub struct Passage<'a> {
    from: &'a TensorFile,
    tensor: &'a Tensor,
    to: &'a mut Staged,
    /// The shape that the layer sees.
    whole: &'a [usize],
}

impl<'a> Passage<'a> {
    /// The tensor is a part of one of this shape, which lies in memory as it does. The layer draws for the whole, and what is
    /// applied is the draw's [block](Draw::block).
    pub fn within(self, whole: &'a [usize]) -> Self {
        Self { whole, ..self }
    }
}

impl Input for Passage<'_> {
    type Output = Result<()>;

    fn with_shape<R>(&self, f: impl FnOnce(&[usize]) -> R) -> R {
        f(self.whole)
    }

    fn memory_order(&self) -> Option<Vec<usize>> {
        self.tensor.is_fortran.then(|| (0..self.tensor.shape.len()).rev().collect())
    }

    fn identity(self) -> Result<()> {
        self.run(None)
    }

    fn apply(self, draw: &Draw) -> Result<()> {
        let draw = self.tensor.in_file_order(draw)?;
        self.run(Some(&draw))
    }
}

impl Passage<'_> {
    fn run(self, draw: Option<&Draw>) -> Result<()> {
        match self.tensor.float {
            Float::F16 => self.run_as::<f16>(draw),
            Float::Bf16 => self.run_as::<bf16>(draw),
            Float::F32 => self.run_as::<f32>(draw),
            Float::F64 => self.run_as::<f64>(draw),
        }
    }

    fn run_as<T: Element + Pod>(self, draw: Option<&Draw>) -> Result<()> {
        let Self { from: TensorFile { path, file, .. }, tensor, to, .. } = self;
        let is_foreign = tensor.is_big_endian != cfg!(target_endian = "big");
        let swap: fn(&mut [T]) = if is_foreign { swap_bytes } else { |_| {} };
        let mut file = file;
        file.seek(SeekFrom::Start(tensor.start)).with_context(|| cannot_read(path))?;
        to.seek(tensor.start)?;
        let mut memory = Vec::new();
        for (first, count) in parts(tensor.count(), PART / size_of::<T>()) {
            memory.resize(count, T::default());
            file.read_exact(bytemuck::cast_slice_mut(&mut memory)).with_context(|| cannot_read(path))?;
            if let Some(draw) = draw {
                swap(&mut memory);
                draw.forward_inplace_at(first, &mut memory)?;
                swap(&mut memory);
            }
            to.write(bytemuck::cast_slice(&memory))?;
        }
        Ok(())
    }
}

impl Tensor {
    /// The number of elements. It is no larger than the file.
    pub fn count(&self) -> u64 {
        self.shape.iter().map(|&size| size as u64).product()
    }

    /// The draw for the elements in the order in which the file has them.
    fn in_file_order(&self, draw: &Draw) -> Result<Draw> {
        if !self.is_fortran {
            return Ok(draw.clone());
        }
        let strides = draw.index().strides(&self.shape)?;
        let axes = self.shape.iter().map(|&size| size as u64).zip(strides);
        Ok(draw.clone().with_index(Index::new(draw.index().start(), axes.rev())))
    }
}

/// How many bytes are in memory at once: enough for all threads, and so few that the caches hold them.
const PART: usize = 1 << 20;

/// Elements in parts of at most `most`: the number of the first, and how many. There are no more after an interrupt.
pub fn parts(count: u64, most: usize) -> impl Iterator<Item = (u64, usize)> {
    let part = move |first: u64| (first, (count - first).min(most as u64) as usize);
    (0..count).step_by(most).map(part).take_while(|_| !interrupt::noted())
}

fn swap_bytes<T: Pod>(numbers: &mut [T]) {
    for number in bytemuck::cast_slice_mut::<T, u8>(numbers).chunks_exact_mut(size_of::<T>()) {
        number.reverse();
    }
}

pub fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

//! All GPUs: the extension operation as one kernel in `CubeCL`, which draws bits where they are used. `plan` says what a launch
//! does, `kernel` does it, `random` draws.

#![allow(
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::used_underscore_binding,
    reason = "what a kernel takes has other types on the GPU"
)]

mod kernel;
mod plan;
mod random;

use burn::backend::TensorMetadata;
use burn::backend::cubecl::dtype_to_elem_type;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::std::tensor::layout::linear::LinearViewLaunch;
use burn_cubecl::cubecl::{calculate_cube_count_elemwise, tensor_vector_size_parallel};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use nn_dropout::{Distribution, Draw, Effect, Mask};

use self::kernel::{AmountsLaunch, MapLaunch, noise};
use self::plan::{Family, Formula, Noise, Part, Plan};
use self::random::StreamLaunch;

/// So many elements at most go into one launch, so that 32 bits count them.
const MOST: u64 = 1 << 30;

/// `input` with the noise of `draw`, in its own memory if nobody else holds it.
pub fn apply_draw(input: CubeTensor, draw: &Draw) -> CubeTensor {
    apply_in_parts(input, draw, MOST)
}

fn apply_in_parts(input: CubeTensor, draw: &Draw, most: u64) -> CubeTensor {
    let count = input.shape().num_elements();
    draw.check(count).unwrap_or_else(|error| panic!("{error}"));
    if count == 0 || draw.effect() == Effect::Identity {
        return input;
    }
    let parts = plan::parts(draw, count as u64, most);
    // Elements are numbered with 32 bits where their strides are looked at.
    let input = if parts.len() > 1 || input.meta.is_tiled() { into_contiguous(input) } else { input };
    let inplace = input.can_mut() && input.is_nonoverlapping();
    let output = if inplace {
        input.clone()
    } else {
        let (client, device) = (input.client.clone(), input.device.clone());
        empty_device_contiguous_dtype(client, device, input.shape(), input.dtype)
    };
    let noise = Noise::of(draw, input.dtype);
    let words = words(draw.mask(), &noise, &input);
    for part in &parts {
        launch(&input, &output, inplace, words.as_ref(), &noise, part);
    }
    output
}

fn launch(
    input: &CubeTensor,
    output: &CubeTensor,
    inplace: bool,
    words: Option<&CubeTensor>,
    drawn: &Noise,
    part: &Part,
) {
    let (client, dtype) = (&input.client, input.dtype);
    let places = part.places();
    let Noise { family, stream, formula, numbers } = *drawn;
    let vector = vector_size(input, [part.first, part.count, u64::from(places.skip)]);
    let plan =
        Plan { family, formula, unit: places.unit, vector, narrow: places.are_narrow(), double: dtype == DType::F64 };
    let units = (u64::from(places.skip) + part.count).div_ceil(8) as usize;
    let cube_dim = CubeDim::new(client, units);
    let cube_count = calculate_cube_count_elemwise(client, units, cube_dim);
    let address_type = input.required_address_type().max(output.required_address_type());
    let map = MapLaunch::new(
        places.start as u32,
        (places.start >> 32) as u32,
        places.sizes().collect(),
        places.strides().map(|stride| stride as u32).collect(),
        places.strides().map(|stride| (stride >> 32) as u32).collect(),
    );
    let [key0, key1, step, layer, high, low] = stream;
    let computed_in = plan::computed_in(dtype);
    let [first, second, third, fourth] = numbers.map(|number| InputScalar::new(number, computed_in));
    // SAFETY: a unit writes to no element after the part's last, and each to its own. What it reads has the same places, and
    // words are read with a check, or at one of the table's places.
    unsafe {
        noise::launch_unchecked(
            client,
            cube_count,
            cube_dim,
            address_type,
            vector,
            view(input),
            if inplace { output.as_linear_view_alias(0) } else { view(output) },
            words.map(view).into(),
            part.first as usize / vector,
            (part.count as usize / vector) as u32,
            places.skip / vector as u32,
            map,
            StreamLaunch::new(key0, key1, step, layer, high, low),
            AmountsLaunch::new(first, second, third, fourth, 0),
            plan,
            dtype_to_elem_type(dtype),
            computed_in,
        );
    }
}

/// The tensor as vectors, one after the other. Where elements are one after the other, it has one axis.
fn view(tensor: &CubeTensor) -> LinearViewLaunch {
    tensor.clone().into_linear_view()
}

/// How many elements can be read and written at once, if all of these numbers are multiples of it.
fn vector_size(input: &CubeTensor, numbers: [u64; 3]) -> usize {
    let sizes = input.client.io_optimized_vector_sizes(input.dtype.size());
    let sizes = sizes.filter(|&size| size <= 8 && numbers.iter().all(|number| number % size as u64 == 0));
    if input.is_contiguous() {
        return sizes.max().unwrap_or(1);
    }
    let (shape, strides) = (input.meta.shape(), input.meta.strides());
    tensor_vector_size_parallel(sizes, shape, strides, shape.num_dims() - 1)
}

/// What the kernel reads besides the tensor: the bits of a mask that holds them, or what normal numbers are made of.
fn words(mask: &Mask, noise: &Noise, input: &CubeTensor) -> Option<CubeTensor> {
    let words: Vec<u32> = match (noise.family, noise.formula) {
        (_, Formula::MultiplyBy(Distribution::Normal) | Formula::Add(Distribution::Normal)) => {
            Distribution::NORMAL_PIECES.as_flattened().to_vec()
        }
        (Family::Held, _) => held(mask),
        _ => return None,
    };
    let (client, device) = (input.client.clone(), input.device.clone());
    let handle = client.create_from_slice(bytemuck::cast_slice(&words));
    Some(CubeTensor::new_contiguous(client, device, Shape::new([words.len()]), handle, DType::U32))
}

/// The bits of a mask that holds them, 32 to a word.
fn held(mask: &Mask) -> Vec<u32> {
    let mut bytes = mask.bits(0..mask.count().unwrap_or_default());
    bytes.resize(bytes.len().next_multiple_of(4).max(4), 0);
    bytes.as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use burn::backend::DispatchDevice;
    use burn::backend::ops::FloatTensorOps;
    use burn::tensor::{Device, DeviceType, TensorData};
    use burn_cubecl::CubeBackend;
    use burn_cubecl::ops::into_data_sync;
    use nn_dropout::{Index, Probability};

    use super::*;

    /// A tensor for which one launch would do, in many.
    #[test]
    fn launches_together_are_one() {
        #[cfg(feature = "vulkan")]
        let devices = Device::enumerate(DeviceType::Vulkan);
        #[cfg(not(feature = "vulkan"))]
        let devices: Vec<Device> = Vec::new();
        for device in devices {
            let DispatchDevice::Cube(device) = device.as_dispatch().clone() else { unreachable!() };
            let mask = Mask::philox(1, 2, 3, Probability::new(0.4).unwrap());
            for index in [
                Index::endless(),
                Index::new(5, [(1000, 1)]),
                Index::new(7, [(10, 500), (6, 0), (16, 1)]),
                Index::new(u64::MAX - 100, [(3, 1 << 40), (20, 8), (16, u64::MAX)]),
                Index::new(0, [(2, 1), (1 << 40, 0)]),
            ] {
                for count in [960, 955] {
                    let x: Vec<f32> = (0..count).map(|i| i as f32 - 300.5).collect();
                    let draw = Draw::dropout(mask.clone()).with_index(index.clone());
                    let expected = draw.forward_to_vec(&x).unwrap();
                    for most in [1, 8, 24, 100, 500, 2000] {
                        let data = TensorData::new(x.clone(), [count as usize]);
                        let tensor = CubeBackend::float_from_data(data, &device);
                        let noisy = into_data_sync(apply_in_parts(tensor, &draw, most)).try_to_vec::<f32>().unwrap();
                        assert_eq!(noisy, expected, "{index:?}, {count} elements, at most {most} at once");
                    }
                }
            }
        }
    }
}

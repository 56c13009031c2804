//! Initial values of variables, drawn from a generator with a seed.

use std::sync::PoisonError;

use candle_core::{DType, Device, Error, Result, Shape, Tensor, Var};
use candle_nn::init::NormalOrUniform;
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder, VarMap};
use nn_dropout::{Draw, Effect, Generator, Index, Magnitude, Probability};

use crate::op::ApplyDraw;

/// A [`VarBuilder`] whose new variables are drawn from `generator`, in place of [`VarBuilder::from_varmap`], which draws from
/// random numbers that cannot be seeded on a CPU.
///
/// Each new variable takes the generator's next number of a layer. So its values depend on the seed, and on what was made before
/// it: variables and layers. They are the same on every device. The distributions are those of [`Init`]. Variables that are in
/// `variables` already are returned as they are.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_nn::VarMap;
/// use nn_dropout_candle::{Generator, seeded_var_builder};
///
/// let weights = || {
///     let vb = seeded_var_builder(&VarMap::new(), &Generator::philox(42), DType::F32, &Device::Cpu);
///     candle_nn::linear(3, 2, vb)?.weight().to_vec2::<f32>()
/// };
/// assert_eq!(weights()?, weights()?);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// Getting a variable is an error where [`VarMap::get`] makes it one, where a number of its [`Init`] is not finite or a scale is
/// below 0, and with a generator of PyTorch's or JAX's masks, which draw no numbers.
pub fn seeded_var_builder(
    variables: &VarMap,
    generator: &Generator,
    dtype: DType,
    device: &Device,
) -> VarBuilder<'static> {
    let seeded = Seeded { variables: variables.clone(), generator: generator.clone() };
    VarBuilder::from_backend(Box::new(seeded), dtype, device.clone())
}

struct Seeded {
    variables: VarMap,
    generator: Generator,
}

impl SimpleBackend for Seeded {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        {
            let mut variables = self.variables.data().lock().unwrap_or_else(PoisonError::into_inner);
            if !variables.contains_key(name) {
                let value = draw(init, &shape, dtype, device, &self.generator)?;
                variables.insert(name.to_owned(), value);
            }
        }
        self.variables.get(shape, name, init, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.variables.get_unchecked(name, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.variables.contains_tensor(name)
    }
}

/// A variable with this initial value, which takes the number of a layer also if it is a constant.
fn draw(init: Init, shape: &Shape, dtype: DType, device: &Device, generator: &Generator) -> Result<Var> {
    let number = generator.next_layer();
    let (mean, distribution, scale) = match init {
        Init::Const(_) => return init.var(shape.clone(), dtype, device),
        Init::Randn { mean, stdev } => (mean, NormalOrUniform::Normal, stdev),
        Init::Uniform { lo, up } => (f64::midpoint(lo, up), NormalOrUniform::Uniform, (up - lo) / 2.0),
        Init::Kaiming { dist, fan, non_linearity } => {
            let deviation = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
            match dist {
                NormalOrUniform::Normal => (0.0, dist, deviation),
                NormalOrUniform::Uniform => (0.0, dist, 3_f64.sqrt() * deviation),
            }
        }
    };
    let scale = Magnitude::new(scale).map_err(Error::msg)?;
    let effect = match distribution {
        NormalOrUniform::Normal => Effect::GaussianNoise(scale),
        NormalOrUniform::Uniform => Effect::UniformNoise(scale),
    };
    let mask = generator.next_mask(number, Probability::ZERO, 0);
    let draw = Draw::new(mask, Index::of(shape.dims()), effect);
    let means = Tensor::full(mean, shape.clone(), &Device::Cpu)?.to_dtype(dtype)?;
    Var::from_tensor(&means.apply_op1_no_bwd(&ApplyDraw(draw))?.to_device(device)?)
}

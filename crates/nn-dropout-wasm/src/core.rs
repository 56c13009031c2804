//! What every visitor loads: dropout layers of any kind.

use nn_dropout::{Config, Generator, Kind};
use nn_dropout_test_vectors::Case;
use serde_json::json;
use wasm_bindgen::prelude::*;

/// All kinds of layers with the names of their amounts, as JSON.
#[wasm_bindgen]
pub fn kinds() -> String {
    let kinds = Kind::ALL.map(|kind| json!({"name": kind.name(), "amount": kind.amount()}));
    json!(kinds).to_string()
}

/// The instruction set of the kernel.
#[wasm_bindgen]
pub fn kernel() -> String {
    nn_dropout::kernel_name().to_owned()
}

/// The hashes that this build gives for one of the cases of `test_vectors`, both as JSON. The page computes in `f32` alone.
#[wasm_bindgen]
pub fn check_case(case: &str) -> Result<String, JsError> {
    let case: Case = serde_json::from_str(case)?;
    Ok(serde_json::to_string(&case.computed_in_f32())?)
}

/// A layer with a generator of its own. It begins in training mode.
#[wasm_bindgen]
pub struct Layer {
    layer: nn_dropout::Layer,
    config: Config,
    new_generator: fn(u64) -> Generator,
    seed: u64,
    step: u32,
    /// The shape of the calls so far: PyTorch's masks depend on how many numbers were drawn before.
    shape: Vec<usize>,
}

#[wasm_bindgen]
impl Layer {
    /// A layer from a table in TOML, with masks of ours (`philox`), PyTorch's (`torch`) or JAX's (`jax`).
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, rng: &str, seed: u64) -> Result<Layer, JsError> {
        let config: Config = toml::from_str(config)?;
        let new_generator = match rng {
            "philox" => Generator::philox,
            "torch" => Generator::torch,
            "jax" => Generator::jax,
            _ => return Err(JsError::new(&format!("expected philox, torch or jax, but got {rng}"))),
        };
        let layer = nn_dropout::Layer::from_config(config.clone(), &new_generator(seed));
        Ok(Self { layer, config, new_generator, seed, step: 0, shape: Vec::new() })
    }

    /// Noise from now on.
    pub fn train(&mut self) {
        self.layer.train();
    }

    /// No noise from now on.
    pub fn eval(&mut self) {
        self.layer.eval();
    }

    /// The number of the next call in training mode, from 0.
    #[wasm_bindgen(getter)]
    pub fn step(&self) -> u32 {
        self.step
    }

    /// Moves to another call. All calls before it count as of the shape of the last one.
    #[wasm_bindgen(setter)]
    pub fn set_step(&mut self, step: u32) -> Result<(), JsError> {
        let mode = self.layer.mode();
        self.layer = nn_dropout::Layer::from_config(self.config.clone(), &(self.new_generator)(self.seed));
        for _ in 0..step {
            self.layer.draw(&self.shape)?;
        }
        self.layer.set_mode(mode);
        self.step = step;
        Ok(())
    }

    /// A call.
    pub fn forward(&mut self, x: &[f32], shape: &[u32]) -> Result<Vec<f32>, JsError> {
        self.shape = shape.iter().map(|&size| size as usize).collect();
        let Some(draw) = self.layer.draw(&self.shape)? else { return Ok(x.to_vec()) };
        self.step = self.step.wrapping_add(1);
        Ok(draw.forward_to_vec(x)?)
    }

    /// Which elements the next call keeps: 1, or 0 if it drops them.
    pub fn mask(&mut self, shape: &[u32]) -> Result<Vec<u8>, JsError> {
        self.shape = shape.iter().map(|&size| size as usize).collect();
        let generator = self.layer.generator();
        let state = generator.state();
        let draw = self.layer.draw(&self.shape);
        generator.set_state(state);
        let count = self.shape.iter().product::<usize>() as u64;
        Ok(match draw? {
            Some(draw) if !draw.effect().takes_numbers() => {
                (0..count).map(|element| u8::from(draw.keeps(element))).collect()
            }
            _ => vec![1; count as usize],
        })
    }
}

//! What every visitor loads: dropout layers of any kind.

use nn_dropout::{Config, Draw, Generator, GeneratorState, JaxKey, Kind};
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

/// A layer with a generator of its own, for tensors of one shape. It begins in training mode.
#[wasm_bindgen]
pub struct Layer {
    layer: nn_dropout::Layer,
    shape: Vec<usize>,
    /// The noise of the last call.
    draw: Option<Draw>,
}

#[wasm_bindgen]
impl Layer {
    /// A layer from a table in TOML, with masks of ours (`philox`), PyTorch's (`torch`) or JAX's (`jax`), before call number `step` in
    /// training mode, from 0.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, rng: &str, seed: u64, shape: &[u32], step: u32) -> Result<Layer, JsError> {
        let config: Config = toml::from_str(config)?;
        // PyTorch's generator alone has no place for a call: the calls before it have to be drawn.
        let (generator, skipped) = match rng {
            "philox" => (Generator::from_state(GeneratorState::philox(seed, 0, [(0, step)])), 0),
            "torch" => (Generator::torch(seed), step),
            "jax" => (Generator::from_state(GeneratorState::jax(JaxKey::new(seed), step)), 0),
            _ => return Err(JsError::new(&format!("expected philox, torch or jax, but got {rng}"))),
        };
        let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
        let layer = nn_dropout::Layer::from_config(config, &generator);
        for _ in 0..skipped {
            layer.draw(&shape)?;
        }
        Ok(Self { layer, shape, draw: None })
    }

    /// No noise from now on.
    pub fn eval(&mut self) {
        self.layer.eval();
    }

    /// A call.
    pub fn forward(&mut self, x: &[f32]) -> Result<Vec<f32>, JsError> {
        self.draw = self.layer.draw(&self.shape)?;
        Ok(match &self.draw {
            Some(draw) => draw.forward_to_vec(x)?,
            None => x.to_vec(),
        })
    }

    /// Which elements the last call kept: 1, or 0 if it dropped them.
    pub fn kept(&self) -> Vec<u8> {
        let count = self.shape.iter().product::<usize>() as u64;
        match &self.draw {
            Some(draw) if !draw.effect().takes_numbers() => {
                (0..count).map(|element| u8::from(draw.keeps(element))).collect()
            }
            _ => vec![1; count as usize],
        }
    }
}

//! Whole runs with the default generator, which is one per process, and so has a test binary of its own, with one test.

use candle_core::{DType, Device, ModuleT, Result, Tensor};
use candle_nn::{AdamW, Linear, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use nn_dropout_candle::{
    ConcreteDropout, ConcreteDropoutConfig, Dropout, default_generator, manual_seed, ops, seeded_var_builder,
};

struct Mlp {
    hidden: Linear,
    dropout: Dropout,
    concrete: ConcreteDropout,
    out: Linear,
}

impl Mlp {
    fn new(vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            hidden: candle_nn::linear(4, 16, vb.pp("hidden"))?,
            dropout: Dropout::new(0.2),
            concrete: ConcreteDropout::new(ConcreteDropoutConfig::default(), vb.pp("concrete"))?,
            out: candle_nn::linear(16, 1, vb.pp("out"))?,
        })
    }
}

impl ModuleT for Mlp {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let hidden = xs.apply(&self.hidden)?.relu()?.apply_t(&self.dropout, train)?;
        hidden.apply_t(&self.concrete, train)?.apply(&self.out)
    }
}

/// The weights of each variable, by its name.
type Weights = Vec<(String, Vec<f32>)>;

/// The weights after a training, and the loss before and after it.
fn train(seed: u64) -> Result<(Weights, [f32; 2])> {
    manual_seed(seed);
    let variables = VarMap::new();
    let model = Mlp::new(&seeded_var_builder(&variables, &default_generator(), DType::F32, &Device::Cpu))?;
    let x = Tensor::from_iter((0..256).map(|i| (i as f32 * 0.7).sin()), &Device::Cpu)?.reshape((64, 4))?;
    let y = (x.sum_keepdim(1)? * 0.5)?;
    let loss = |train| (model.forward_t(&x, train)? - &y)?.sqr()?.mean_all();

    let before = loss(false)?.to_scalar()?;
    let mut optimizer = AdamW::new(variables.all_vars(), ParamsAdamW { lr: 0.01, ..Default::default() })?;
    for _ in 0..100 {
        optimizer.backward_step(&loss(true)?)?;
    }
    let weights = variables.data().lock().unwrap();
    let mut weights: Vec<_> = weights
        .iter()
        .map(|(name, weight)| Ok((name.clone(), weight.flatten_all()?.to_vec1()?)))
        .collect::<Result<_>>()?;
    weights.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok((weights, [before, loss(false)?.to_scalar()?]))
}

#[test]
fn a_run_is_a_function_of_its_seed() -> Result<()> {
    let (weights, [before, after]) = train(7)?;
    assert!(after < before / 4.0, "{before} and {after}");
    assert_eq!(train(7)?.0, weights);
    assert_ne!(train(8)?.0, weights);

    let x = Tensor::ones(64, DType::F32, &Device::Cpu)?;
    let calls = || -> Result<[Vec<f32>; 2]> {
        manual_seed(7);
        Ok([ops::dropout(&x, 0.5)?.to_vec1()?, ops::dropout(&x, 0.5)?.to_vec1()?])
    };
    let [first, second] = calls()?;
    assert_ne!(first, second);
    assert_eq!(calls()?, [first, second]);
    let next = default_generator().next_layer();
    ops::dropout(&x, 0.5)?;
    assert_eq!(default_generator().next_layer(), next + 1);
    Ok(())
}

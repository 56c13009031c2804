//! AdamW as nanoGPT uses it, and the clipping of gradients.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use nn_dropout_experiments::settings::GptSettings;
use nn_dropout_models::AdamW;

use super::model::Gpt;

/// AdamW; only matrices decay.
pub fn optimizer(settings: &GptSettings) -> ModuleOptimizer {
    let adamw = |weight_decay| AdamW {
        beta_1: settings.beta1.get(),
        beta_2: settings.beta2.get(),
        epsilon: 1e-8,
        weight_decay,
    };
    // Burn calls a layer norm's weight gamma.
    let matrices = ParamGroup::from_regex(r"\.weight$").expect("the pattern is well-formed");
    ModuleOptimizer::from(adamw(0.0)).with_group(matrices, adamw(settings.weight_decay.get()), None)
}

/// Scales all gradients so that their common norm is at most `most`, as `torch.nn.utils.clip_grad_norm_` does; 0 means no limit.
pub fn clip(gradients: GradientsParams, model: &Gpt, most: f64) -> GradientsParams {
    struct Norm<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1 += gradient.square().sum().into_scalar::<f64>();
            }
        }
    }
    struct Scale(GradientsParams, f64);
    impl ModuleVisitor for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, gradient.mul_scalar(self.1));
            }
        }
    }
    if most == 0.0 {
        return gradients;
    }
    let mut norm = Norm(&gradients, 0.0);
    model.visit(&mut norm);
    let scale = most / (norm.1.sqrt() + 1e-6);
    if scale >= 1.0 {
        return gradients;
    }
    let mut scaled = Scale(gradients, scale);
    model.visit(&mut scaled);
    scaled.0
}

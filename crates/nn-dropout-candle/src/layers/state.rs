//! Layers with a second tensor: the previous state of a recurrent network, or what stands for an unknown label.

use candle_core::{Result, Tensor, WithDType, bail};
use nn_dropout::Probability;

use super::front::{draw_on, is_on, keeps, layer};
use crate::op::ApplyDraw;

layer! {
    /// Keeps elements of the previous hidden state of a recurrent network in place of the new ones: [`nn_dropout::Zoneout`] for
    /// candle's tensors. Where it does not act the result is what is expected: `(1 - p) * new + p * previous`.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use nn_dropout_candle::Zoneout;
    ///
    /// let zoneout = Zoneout::new(0.25);
    /// let new = Tensor::ones((2, 4), DType::F32, &Device::Cpu)?;
    /// let previous = new.zeros_like()?;
    /// let state = zoneout.forward(&new, &previous, true)?.flatten_all()?.to_vec1::<f32>()?;
    /// assert!(state.iter().all(|x| *x == 0.0 || *x == 1.0));
    ///
    /// let state = zoneout.forward(&new, &previous, false)?.flatten_all()?.to_vec1::<f32>()?;
    /// assert_eq!(state, [0.75; 8]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    Zoneout(p)
}

impl Zoneout {
    /// The state that goes on. Gradients go to the state that each element was taken from.
    ///
    /// # Errors
    ///
    /// If the two states differ in shape or type, or p is out of its range and `train` is true.
    pub fn forward(&self, new: &Tensor, previous: &Tensor, train: bool) -> Result<Tensor> {
        if new.shape() != previous.shape() {
            bail!("zoneout takes two states of one shape, but got {:?} and {:?}", new.dims(), previous.dims());
        }
        match (draw_on(&self.layer, train, new)?, &self.layer) {
            (Some(draw), _) => {
                let kept = previous.apply_op1(ApplyDraw(draw.complement()))?;
                new.apply_op2(&kept, ApplyDraw(draw))
            }
            (None, Ok(layer)) if !is_on(layer.mode(), train) && layer.p_now() > Probability::ZERO => {
                let p = layer.p_now().get();
                (new * (1.0 - p))? + (previous * p)?
            }
            _ => Ok(new.clone()),
        }
    }
}

layer! {
    /// Replaces labels, captions or other conditions of a generative model by what stands for none:
    /// [`nn_dropout::LabelDropout`] for candle's tensors. It trains a network for classifier-free guidance.
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use nn_dropout_candle::LabelDropout;
    ///
    /// let dropout = LabelDropout::new(0.1);
    /// let labels = Tensor::new(&[3u32, 1, 4, 1], &Device::Cpu)?;
    /// let labels = dropout.forward_labels(&labels, 10u32, true)?; // 10 stands for no label
    /// assert!(labels.to_vec1::<u32>()?.iter().all(|label| [3, 1, 4, 10].contains(label)));
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    LabelDropout(p)
}

impl LabelDropout {
    /// The rows, along the first axis, of which the dropped ones are replaced by `null`. Its gradient is the sum of theirs.
    ///
    /// # Errors
    ///
    /// If `null` is not of the type and the shape of a row, or p is out of its range and `train` is true.
    pub fn forward(&self, rows: &Tensor, null: &Tensor, train: bool) -> Result<Tensor> {
        let (count, row) = (rows.dim(0)?, &rows.dims()[1..]);
        if null.dims() != row || null.dtype() != rows.dtype() {
            bail!(
                "label-dropout takes a null row like the rows, {} {row:?}, but got {} {:?}",
                rows.dtype().as_str(),
                null.dtype().as_str(),
                null.dims()
            );
        }
        let Some(kept) = self.kept(count, rows, train)? else { return Ok(rows.clone()) };
        kept.where_cond(rows, &null.broadcast_as(rows.shape())?)
    }

    /// The labels, of which the dropped ones are replaced by `null`. They are of its type.
    ///
    /// # Errors
    ///
    /// If they are of another type, or p is out of its range and `train` is true.
    pub fn forward_labels<N: WithDType>(&self, labels: &Tensor, null: N, train: bool) -> Result<Tensor> {
        if labels.dtype() != N::DTYPE {
            bail!(
                "label-dropout takes labels of the type of the null label, {}, but got {}",
                N::DTYPE.as_str(),
                labels.dtype().as_str()
            );
        }
        let Some(kept) = self.kept(labels.dim(0)?, labels, train)? else { return Ok(labels.clone()) };
        kept.where_cond(labels, &Tensor::new(null, labels.device())?.broadcast_as(labels.shape())?)
    }

    /// Which rows are left, for each element. `None` if all are.
    fn kept(&self, count: usize, rows: &Tensor, train: bool) -> Result<Option<Tensor>> {
        let Some(keeps) = keeps(&self.layer, count, train)? else { return Ok(None) };
        let kept = Tensor::from_iter((0..count).map(|row| u8::from(keeps(row))), rows.device())?;
        let mut column = vec![1; rows.rank()];
        column[0] = count;
        kept.reshape(column)?.broadcast_as(rows.shape()).map(Some)
    }
}

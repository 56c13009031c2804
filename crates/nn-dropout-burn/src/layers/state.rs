//! Layers with a second tensor: the previous state of a recurrent network, or what stands for an unknown label.

use burn::tensor::{Bool, Int, Tensor, TensorData};

use super::front::{apply, draw, is_on, module};

module! {
    /// Keeps elements of the previous hidden state of a recurrent network in place of the new ones: [`nn_dropout::Zoneout`] as
    /// a Burn module, active where [`Dropout`](super::Dropout) is. Elsewhere the result is what is expected:
    /// `(1 - p) * new + p * previous`.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use nn_dropout_burn::ZoneoutConfig;
    ///
    /// let zoneout = ZoneoutConfig::new(0.25).init();
    /// let device = Device::flex().autodiff();
    /// let (new, previous) = (Tensor::<2>::ones([2, 4], &device), Tensor::<2>::zeros([2, 4], &device));
    /// let state = zoneout.forward(new.clone(), previous.clone());
    /// assert!(state.to_data().iter::<f32>().all(|x| x == 0.0 || x == 1.0));
    ///
    /// let state = zoneout.forward(new.inner(), previous.inner());
    /// assert!(state.to_data().iter::<f32>().all(|x| x == 0.75));
    /// ```
    Zoneout, ZoneoutConfig {
        /// The probability that an element of the previous state is kept, from 0 to 1.
        prob
    }
}

impl Zoneout {
    /// The state that goes on. Gradients go to the state that each element was taken from.
    ///
    /// # Panics
    ///
    /// If the two states differ in shape.
    #[track_caller]
    pub fn forward<const D: usize>(&self, new: Tensor<D>, previous: Tensor<D>) -> Tensor<D> {
        let (shape, device) = (new.dims(), new.device());
        let same = previous.dims();
        assert!(shape == same, "zoneout takes two states of one shape, but got {shape:?} and {same:?}");
        if !is_on(self.layer.mode(), &self.training, &device) {
            let p = self.layer.p_now().get();
            return if p == 0.0 { new } else { new * (1.0 - p) + previous * p };
        }
        match draw(&self.layer, &self.training, &device, &shape) {
            Some(draw) => apply(previous, draw.complement()) + apply(new, draw),
            None => new,
        }
    }
}

module! {
    /// Replaces labels, captions or other conditions of a generative model by what stands for none:
    /// [`nn_dropout::LabelDropout`] as a Burn module, active where [`Dropout`](super::Dropout) is. It trains a network for
    /// classifier-free guidance.
    ///
    /// ```
    /// use burn::tensor::{Device, Int, Tensor};
    /// use nn_dropout_burn::LabelDropoutConfig;
    ///
    /// let dropout = LabelDropoutConfig::new(0.1).init();
    /// let labels = Tensor::<1, Int>::from_ints([3, 1, 4, 1], &Device::flex().autodiff());
    /// let labels = dropout.forward_labels(labels, 10); // 10 stands for no label
    /// assert!(labels.to_data().iter::<i64>().all(|label| [3, 1, 4, 10].contains(&label)));
    /// ```
    LabelDropout, LabelDropoutConfig {
        /// The probability that a label is replaced, from 0 to 1.
        prob
    }
}

impl LabelDropout {
    /// The rows, of which the dropped ones are replaced by `null`. Its gradient is the sum of theirs.
    ///
    /// # Panics
    ///
    /// If a row has another length than `null`.
    #[track_caller]
    pub fn forward(&self, rows: Tensor<2>, null: Tensor<1>) -> Tensor<2> {
        let ([count, columns], [length]) = (rows.dims(), null.dims());
        assert!(columns == length, "label-dropout takes rows as long as the null row, but got {columns} and {length}");
        match draw(&self.layer, &self.training, &rows.device(), &[count, columns]) {
            Some(draw) => {
                let nulls = null.unsqueeze::<2>().expand([count, columns]);
                apply(nulls, draw.complement()) + apply(rows, draw)
            }
            None => rows,
        }
    }

    /// The labels, of which the dropped ones are replaced by `null`.
    #[track_caller]
    pub fn forward_labels(&self, labels: Tensor<1, Int>, null: i64) -> Tensor<1, Int> {
        let ([count], device) = (labels.dims(), labels.device());
        let Some(draw) = draw(&self.layer, &self.training, &device, &[count]) else { return labels };
        let dropped: Vec<bool> = (0..count as u64).map(|row| !draw.keeps(row)).collect();
        labels.mask_fill(Tensor::<1, Bool>::from_data(TensorData::new(dropped, [count]), &device), null)
    }
}

//! Dropout of tokens and of attention keys.

use super::front::front;
use super::kind::DrawError;

front! {
    /// Zeroes whole tokens: the vectors along the last axis of a tensor of shape (sample, token, width), each with probability
    /// p. The rest is multiplied by `1 / (1 - p)`.
    ///
    /// [`kept`](Self::kept) removes tokens instead, a fixed number of them. A tensor of fewer than two axes is an error. Everything
    /// else is as for [`Dropout`](crate::Dropout).
    ///
    /// ```
    /// use nn_dropout::{Generator, TokenDropout};
    ///
    /// let dropout = TokenDropout::with_generator(0.5, &Generator::philox(42))?;
    /// let y = dropout.draw(&[2, 3, 4])?.expect("in training mode").forward_to_vec(&[1f32; 24])?;
    /// assert!(y.chunks(4).all(|token| token == [0.0; 4] || token == [2.0; 4]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    TokenDropout(p)
}

impl TokenDropout {
    /// The tokens of each of `samples` samples that are kept in the next call, if each keeps the same number: `1 - p` of them,
    /// rounded down, and at least one. The first `prefix` tokens, such as a class token, are kept besides. The numbers of a
    /// sample's tokens are ascending; all samples have equally many, one sample after the other.
    ///
    /// Which are kept does not depend on the other samples: those with the lowest random [words](crate::Mask::word).
    ///
    /// Liu and others, "PatchDropout: economizing vision transformers using patch dropout", WACV 2023; timm's `PatchDropout` with
    /// `ordered=True`.
    ///
    /// ```
    /// use nn_dropout::{Generator, TokenDropout};
    ///
    /// let dropout = TokenDropout::with_generator(0.5, &Generator::philox(42))?;
    /// let kept = dropout.kept(2, 7, 1)?;
    /// assert_eq!(kept.len(), 2 * (1 + 3));
    /// assert!(kept[..4].is_sorted() && kept[0] == 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the generator draws no numbers.
    pub fn kept(&self, samples: usize, tokens: usize, prefix: usize) -> Result<Vec<usize>, DrawError> {
        if !self.generator().lock().has_numbers() {
            return Err(DrawError::Numbers(self.kind()));
        }
        let prefix = prefix.min(tokens);
        let others = tokens - prefix;
        let Some(draw) = self.draw(&[samples, others, 1])?.filter(|_| others > 0) else {
            return Ok((0..samples).flat_map(|_| 0..tokens).collect());
        };
        let keep = ((others as f64 * (1.0 - draw.mask().p().get())) as usize).max(1);
        let word = |element: usize| draw.mask().word(draw.index().bit(element as u64));
        let mut kept = Vec::with_capacity(samples * (prefix + keep));
        for sample in 0..samples {
            let mut words: Vec<_> = (0..others).map(|token| (word(sample * others + token), token)).collect();
            words.select_nth_unstable(keep - 1);
            let mut lowest: Vec<usize> = words[..keep].iter().map(|(_, token)| prefix + token).collect();
            lowest.sort_unstable();
            kept.extend((0..prefix).chain(lowest));
        }
        Ok(kept)
    }
}

front! {
    /// Adds negative infinity to elements of attention scores, each with probability p, so that the softmax after it gives them no
    /// weight and the weights of the others still add up to 1. Nothing is scaled.
    ///
    /// It stands before the softmax; [`Dropout`](crate::Dropout) of the weights stands after it. A row whose elements are all
    /// dropped becomes NaN, as any softmax of nothing does. In backward, gradients of dropped elements are 0.
    ///
    /// Li, Hu, Nie, Han, Jiang, Guo and Liu, "DropKey for vision transformer", CVPR 2023, who add -1e12 instead of infinity.
    ///
    /// ```
    /// use nn_dropout::{DropKey, Generator};
    ///
    /// let drop_key = DropKey::with_generator(0.5, &Generator::philox(42))?;
    /// let scores = drop_key.forward([0.5f32; 8]);
    /// assert!(scores.iter().all(|score| *score == 0.5 || *score == f32::NEG_INFINITY));
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    DropKey(p), any shape
}

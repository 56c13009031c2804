//! A draw: one layer's noise for one forward call, and its forward and backward over slices.

use super::effect::Effect;
use super::error::{ApplyError, NO_NUMBERS};
use super::mask::Mask;
use crate::kernel::{self, Affine, Element, Noise, Operands};
use crate::spec::index::{Index, IndexError};
use crate::spec::number::Distribution;

/// One layer's sampled noise for one forward call: a [`Mask`], an [`Index`] that says which of its bits each element gets,
/// and an [`Effect`]. Forward and backward need nothing else:
///
/// ```text
/// y  = x  * scale[k] + shift[k]        k = bit number index(element) of the mask
/// dx = dy * scale[k]
/// ```
///
/// Some effects take a normal or uniform [number](Mask::normal) with the same index in place of the bit.
///
/// Infinities and NaNs propagate as in any product, and a dropped negative element is `-0.0`, as in PyTorch. Scales and
/// shifts are computed as PyTorch computes them: in `f64` for `f64` elements and in `f32` for all others, and rounded to the
/// element type.
///
/// Slices hold the elements of the tensor in row-major order, or the first of them. A rank that has a part of the tensor takes
/// the draw of that [`block`](Self::block); a slice that begins elsewhere is applied with [`On::at`](crate::On::at).
///
/// ```
/// use nn_dropout::{Draw, Mask, Probability};
///
/// let draw = Draw::dropout(Mask::philox(42, 0, 0, Probability::new(0.5)?));
/// let x: Vec<f32> = (0..100).map(|i| i as f32).collect();
/// let whole = draw.forward_to_vec(&x)?;
///
/// let mut part = [0.0; 63];
/// draw.on(&x[37..]).at(37).write(&mut part)?;
/// assert_eq!(part, whole[37..]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Draw {
    mask: Mask,
    index: Index,
    effect: Effect,
}

impl Draw {
    /// The draw with these three parts.
    pub const fn new(mask: Mask, index: Index, effect: Effect) -> Self {
        Self { mask, index, effect }
    }

    /// [Dropout](Effect::Dropout) of any number of elements, each with its own bit.
    pub fn dropout(mask: Mask) -> Self {
        Self::new(mask, Index::endless(), Effect::Dropout)
    }

    /// [Alpha dropout](Effect::Alpha) of any number of elements, each with its own bit.
    pub fn alpha(mask: Mask) -> Self {
        Self::new(mask, Index::endless(), Effect::Alpha)
    }

    /// The same with another index map.
    ///
    /// ```
    /// use nn_dropout::{Draw, Index, Mask, Probability};
    ///
    /// // Four channels of three elements.
    /// let channels = Index::shared(&[4, 3], &[1]);
    /// let draw = Draw::dropout(Mask::philox(42, 0, 0, Probability::new(0.5)?)).with_index(channels);
    /// let mut y = [1f32; 12];
    /// draw.forward_inplace(&mut y)?;
    /// assert!(y.chunks(3).all(|channel| channel == [0.0; 3] || channel == [2.0; 3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_index(self, index: Index) -> Self {
        Self { index, ..self }
    }

    /// Which elements are kept.
    pub const fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Which bit of the mask each element gets.
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// What happens to kept and dropped elements.
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// The [effect](Self::effect) in numbers of an element type. With these, the mask and the index, any kernel anywhere can do
    /// what this draw does.
    ///
    /// ```
    /// use nn_dropout::{Affine, Draw, Mask, Probability};
    ///
    /// let draw = Draw::dropout(Mask::philox(42, 0, 0, Probability::new(0.5)?));
    /// assert_eq!(draw.affine::<f32>(), Affine::Scale([2.0, 0.0]));
    /// # Ok::<(), nn_dropout::ProbabilityError>(())
    /// ```
    pub fn affine<T: Element>(&self) -> Affine<T> {
        self.effect.affine(&self.mask.0)
    }

    /// Whether element number `element` is kept. This is the draw's specification, for effects that take bits.
    ///
    /// # Panics
    ///
    /// If the draw has no elements.
    #[track_caller]
    pub fn keeps(&self, element: u64) -> bool {
        self.mask.keeps(self.index.bit(element))
    }

    /// What element number `element` is multiplied by, and what is added to it. This is the draw's specification.
    ///
    /// With one of JAX's masks [dropout](Effect::Dropout) divides by `1 - p`; here it is the multiplication with
    /// the inverse.
    ///
    /// # Panics
    ///
    /// If the draw has no elements, or takes numbers that its mask does not have.
    #[track_caller]
    pub fn scale_and_shift<T: Element>(&self, element: u64) -> [T; 2] {
        let index = self.index.bit(element);
        let pick = |[kept, dropped]: [T; 2]| if self.mask.keeps(index) { kept } else { dropped };
        let number = |distribution, base, amount| {
            let word = self.mask.0.word(index).expect(NO_NUMBERS);
            let mut number = [T::default()];
            T::amounts(base, amount, &[Distribution::number(distribution, word)], &mut number);
            number[0]
        };
        let (zero, one) = (T::default(), T::narrow(1.0));
        match self.affine() {
            Affine::Scale(scales) => [pick(scales), zero],
            Affine::ScaleAndShift(scales, shifts) => [pick(scales), pick(shifts)],
            Affine::Divide(divisor) => [pick([one / divisor, zero]), zero],
            Affine::MultiplyBy(distribution, amount) => [number(distribution, 1.0, amount), zero],
            Affine::Add(distribution, amount) => [one, number(distribution, 0.0, amount)],
        }
    }

    /// The draw of a block of the tensor: `shape` elements from the coordinates `offset` on, where the whole tensor has the
    /// shape `whole`. It does to the block what this draw does to it within the whole.
    ///
    /// ```
    /// use nn_dropout::{Dropout, Generator};
    ///
    /// // Two ranks have two columns each of a tensor of 3 rows and 4 columns.
    /// let generator = Generator::philox(42);
    /// let dropout = Dropout::with_generator(0.5, &generator)?;
    /// let draw = dropout.draw(&[3, 4])?.expect("in training mode");
    /// let whole = draw.forward_to_vec(&[1f32; 12])?;
    /// let right = draw.block(&[3, 4], &[0, 2], &[3, 2])?.forward_to_vec(&[1f32; 6])?;
    /// assert_eq!(right, [whole[2], whole[3], whole[6], whole[7], whole[10], whole[11]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If this is no draw for a tensor of shape `whole`, or the block does not lie within it.
    pub fn block(&self, whole: &[usize], offset: &[usize], shape: &[usize]) -> Result<Self, IndexError> {
        Ok(self.clone().with_index(self.index.block(whole, offset, shape)?))
    }

    /// The draw whose forward is this one's [`backward`](Self::backward): the same scales, and no shifts.
    #[must_use]
    pub fn gradient(&self) -> Self {
        Self { effect: self.effect.gradient(), ..self.clone() }
    }

    /// The draw that keeps what this one drops, and drops what it keeps, without scaling. Together with an
    /// effect of [`Keep`](Effect::Keep) it chooses, element by element, between two tensors:
    ///
    /// ```
    /// use nn_dropout::{Draw, Effect, Index, Mask, Probability};
    ///
    /// let mask = Mask::philox(42, 0, 0, Probability::new(0.5)?);
    /// let new = Draw::new(mask, Index::of(&[4]), Effect::Keep);
    /// let mut y = [1f32, 2.0, 3.0, 4.0];
    /// new.forward_inplace(&mut y)?;
    /// new.complement().on(&[-1.0, -2.0, -3.0, -4.0]).add_to(&mut y)?;
    /// assert_eq!(y, [-1.0, -2.0, 3.0, 4.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn complement(&self) -> Self {
        Self { effect: Effect::Drop, ..self.clone() }
    }

    /// Writes the noisy `input` to `output`.
    ///
    /// # Errors
    ///
    /// If the two differ in length or have more elements than the draw, or the draw takes numbers that its mask does not have.
    /// Nothing is written then; so it is for all forms.
    pub fn forward<T: Element>(&self, input: &[T], output: &mut [T]) -> Result<(), ApplyError> {
        same_length(["input", "output"], input, output)?;
        self.apply(self.effect, 0, Operands::new(input, output))
    }

    /// Overwrites `data` with its noisy self.
    ///
    /// # Errors
    ///
    /// If there are more elements than the draw has.
    pub fn forward_inplace<T: Element>(&self, data: &mut [T]) -> Result<(), ApplyError> {
        self.forward_inplace_at(0, data)
    }

    /// The same for data that begin with element number `first`: a thread's part, say.
    ///
    /// # Errors
    ///
    /// If there are more elements than the draw has from there on.
    pub fn forward_inplace_at<T: Element>(&self, first: u64, data: &mut [T]) -> Result<(), ApplyError> {
        self.apply(self.effect, first, Operands::inplace(data))
    }

    /// The noisy `input`, in memory of its own.
    ///
    /// # Errors
    ///
    /// If there are more elements than the draw has.
    pub fn forward_to_vec<T: Element>(&self, input: &[T]) -> Result<Vec<T>, ApplyError> {
        self.check(input.len())?;
        Ok(kernel::apply_to_vec(&self.noise(self.effect), input))
    }

    /// Writes the gradient with respect to the input to `grad_input`, given the one with respect to the output.
    ///
    /// # Errors
    ///
    /// If the two differ in length, or have more elements than the draw.
    pub fn backward<T: Element>(&self, grad_output: &[T], grad_input: &mut [T]) -> Result<(), ApplyError> {
        same_length(["grad_output", "grad_input"], grad_output, grad_input)?;
        self.apply(self.effect.gradient(), 0, Operands::new(grad_output, grad_input))
    }

    /// Overwrites the gradient with respect to the output with the one with respect to the input.
    ///
    /// # Errors
    ///
    /// If there are more elements than the draw has.
    pub fn backward_inplace<T: Element>(&self, grad: &mut [T]) -> Result<(), ApplyError> {
        self.apply(self.effect.gradient(), 0, Operands::inplace(grad))
    }

    /// Whether a tensor of this many elements can be given to the draw. A kernel of your own asks this first.
    ///
    /// # Errors
    ///
    /// If there are more elements than the draw has, or it takes bits or numbers that its mask does not have.
    #[inline]
    pub fn check(&self, elements: usize) -> Result<(), ApplyError> {
        self.check_from(self.effect, 0, elements)
    }

    #[inline]
    pub(super) fn apply<T: Element>(
        &self,
        effect: Effect,
        first: u64,
        operands: Operands<T>,
    ) -> Result<(), ApplyError> {
        self.check_from(effect, first, operands.count())?;
        kernel::apply(&self.noise(effect), first, operands);
        Ok(())
    }

    fn noise<T: Element>(&self, effect: Effect) -> Noise<'_, T> {
        let mask = &self.mask.0;
        Noise { mask, index: &self.index, affine: effect.affine(mask) }
    }

    /// Whether the draw has these elements, and the mask has bits or numbers for them.
    #[inline]
    fn check_from(&self, effect: Effect, first: u64, elements: usize) -> Result<(), ApplyError> {
        if effect.takes_numbers() && !self.mask.0.has_words() {
            return Err(ApplyError::Numbers);
        }
        let left = self.count()?.saturating_sub(first);
        if elements as u64 <= left { Ok(()) } else { Err(ApplyError::Elements { left, elements }) }
    }

    /// The number of elements that the index has, and that the mask has bits for.
    #[inline]
    fn count(&self) -> Result<u64, ApplyError> {
        let (elements, Some(bits)) = (self.index.count(), self.mask.count()) else {
            return Ok(self.index.count());
        };
        // Each element of any number has its own bit: there are as many as bits.
        if *self.index.axes() == *Index::endless().axes() {
            return Ok(bits.saturating_sub(self.index.start()));
        }
        let fits = elements == 0 || self.index.bits().is_some_and(|range| *range.end() < bits);
        if fits { Ok(elements) } else { Err(ApplyError::Bits { bits }) }
    }
}

pub(super) fn same_length<T>(names: [&'static str; 2], a: &[T], b: &[T]) -> Result<(), ApplyError> {
    let lengths = [a.len(), b.len()];
    if lengths[0] == lengths[1] { Ok(()) } else { Err(ApplyError::Different { names, lengths }) }
}

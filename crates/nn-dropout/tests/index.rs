//! Index maps: canonical, and any part of a draw is that part of the whole.

use nn_dropout::{Draw, Effect, Generator, Index, IndexError, Kind, Layer, Mask, Mode, Probability};
use proptest::prelude::*;

/// The coordinates of all elements, in row-major order.
fn coordinates(shape: &[usize]) -> Vec<Vec<usize>> {
    let count = shape.iter().product::<usize>();
    let of = |mut element: usize| {
        let mut place: Vec<usize> = shape.iter().rev().map(|&size| (element % size, element /= size).0).collect();
        place.reverse();
        place
    };
    (0..count).map(of).collect()
}

/// The specification in words: start, plus coordinate times stride over all axes.
fn bit(start: u64, strides: &[u64], place: &[usize]) -> u64 {
    let add = |bit: u64, (&at, &stride): (&usize, &u64)| bit.wrapping_add((at as u64).wrapping_mul(stride));
    place.iter().zip(strides).fold(start, add)
}

#[test]
fn usual_maps_are_small_and_equal() {
    assert_eq!(Index::of(&[2, 3, 4]), Index::new(0, [(24, 1)]));
    assert_eq!(Index::of(&[2, 1, 3, 4]), Index::of(&[24]));
    assert_eq!(Index::shared(&[2, 3, 4, 5], &[2, 3]), Index::new(0, [(6, 1), (20, 0)]));
    assert_eq!(Index::shared(&[2, 3, 4], &[1]), Index::new(0, [(2, 4), (3, 0), (4, 1)]));
    assert_eq!(Index::shared(&[2, 3, 4], &[0, 1, 2]), Index::new(0, [(24, 0)]));
    assert_eq!(Index::of(&[]).axes(), []);
    assert_eq!(Index::of(&[]).count(), 1);
    assert_eq!(Index::of(&[3, 0, 5]), Index::of(&[0]));
    assert_eq!(Index::of(&[3, 0, 5]).count(), 0);
    assert_eq!(Index::endless().count(), u64::MAX);
    assert!(size_of::<Draw>() <= 112, "{}", size_of::<Draw>());
    let json = serde_json::to_string(&Index::shared(&[2, 3, 4], &[2])).unwrap();
    assert_eq!(json, r#"{"start":0,"axes":[[6,1],[4,0]]}"#);
    let loose = r#"{"start":0,"axes":[[2,3],[1,9],[3,1],[4,0]]}"#;
    assert_eq!(serde_json::from_str::<Index>(loose).unwrap(), Index::shared(&[2, 3, 4], &[2]));
}

#[test]
fn misfits_are_named() {
    let index = Index::of(&[4, 6]);
    let error = index.strides(&[5, 5]).unwrap_err();
    assert_eq!(error, IndexError::Shape { elements: 24, shape: vec![5, 5] });
    assert_eq!(error.to_string(), "a draw for 24 elements does not fit a tensor of shape [5, 5]");
    for shape in [&[4, 5][..], &[4, 12], &[4, 6, 2], &[], &[2, 6], &[0, 6]] {
        assert!(index.strides(shape).is_err(), "{shape:?}");
    }
    assert_eq!(index.strides(&[2, 2, 1, 6]).unwrap(), [12, 6, 0, 1]);
    assert!(Index::shared(&[4, 6], &[1]).strides(&[3, 8]).is_err());
    let error = index.block(&[4, 6], &[0, 3], &[4, 4]).unwrap_err();
    assert_eq!(error.to_string(), "a block of shape [4, 4] at [0, 3] does not lie within a tensor of shape [4, 6]");
    for (offset, shape) in [(&[0][..], &[4][..]), (&[0, 0], &[4]), (&[5, 0], &[0, 6]), (&[1, usize::MAX], &[1, 1])] {
        assert!(index.block(&[4, 6], offset, shape).is_err(), "{shape:?} at {offset:?}");
    }
    assert_eq!(index.block(&[4, 6], &[4, 0], &[0, 6]).unwrap().count(), 0);
    let endless = Index::endless().block(&[4, 6], &[1, 2], &[2, 3]).unwrap();
    assert_eq!(endless, Index::new(8, [(2, 6), (3, 1)]));
}

#[test]
fn a_mask_that_ends_has_no_bits_for_others() {
    let mask = || Mask::from_bits(vec![0xFF; 2], 12, Probability::new(0.5).unwrap());
    let fits = |index: Index| {
        let count = index.count() as usize;
        Draw::new(mask(), index, Effect::Dropout).forward_inplace(&mut vec![1f32; count]).is_ok()
    };
    assert!(fits(Index::of(&[3, 4])));
    assert!(fits(Index::new(2, [(5, 2), (2, 1)])));
    assert!(fits(Index::shared(&[12, 100], &[1])));
    assert!(fits(Index::of(&[0])));
    assert!(!fits(Index::of(&[13])));
    assert!(!fits(Index::new(3, [(5, 2), (2, 1)])));
    assert!(!fits(Index::new(0, [(2, u64::MAX)])));
    assert!(fits(Index::new(11, [(4, 3_u64.wrapping_neg()), (3, u64::MAX)])), "backwards");
    let error = Draw::new(mask(), Index::of(&[13]), Effect::Dropout).forward_inplace(&mut [1f32; 4]).unwrap_err();
    assert_eq!(error.to_string(), "the mask has 12 bits, too few for the index map of the draw");
    assert_eq!(Index::new(11, [(4, 3_u64.wrapping_neg()), (3, u64::MAX)]).bits(), Some(0..=11));
    assert_eq!(Index::new(0, [(u64::MAX, u64::MAX / 2), (u64::MAX, u64::MAX / 2)]).bits(), None);
}

#[test]
fn stored_bits_are_exactly_as_many_as_said() {
    let p = Probability::new(0.5).unwrap();
    let mask = Mask::from_bits(vec![0xFF, 0xFF], 3, p);
    assert_eq!(mask, Mask::from_bits(vec![0b111], 3, p));
    assert_eq!(mask.bits(0..16), [0b111, 0]);
    let few = Mask::from_bits(vec![0xFF], 100, p);
    assert_eq!((few.count(), few.bits(0..8)), (Some(8), vec![0xFF]));
    let json = r#"{"stored":{"bits":[255],"count":3,"p":0.5}}"#;
    assert_eq!(serde_json::from_str::<Mask>(json).unwrap(), mask);
    let error = serde_json::from_str::<Mask>(&json.replace(":3", ":9")).unwrap_err();
    assert!(error.to_string().starts_with("a mask of 9 bits has 2 bytes, but got 1"), "{error}");
}

#[test]
fn enormous_sizes_neither_overflow_nor_hang() {
    let p = Probability::new(0.5).unwrap();
    let row = Draw::dropout(Mask::philox(1, 0, 0, p)).forward_to_vec(&[1f32; 4]).unwrap();
    for index in [Index::shared(&[1 << 62, 4], &[0]), Index::new(0, [(u64::MAX, 0), (4, 1)])] {
        let draw = Draw::dropout(Mask::philox(1, 0, 0, p)).with_index(index);
        assert_eq!(draw.forward_to_vec(&[1f32; 8]).unwrap(), [&row[..], &row].concat());
    }
    // Blocks hold their bits.
    for kind in Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::DropBlock2d | Kind::DropBlock3d)) {
        let mut layer = Layer::with_generator(kind, 0.5, &Generator::philox(1)).unwrap();
        for mode in [Mode::Train, Mode::MonteCarlo] {
            layer.set_mode(mode);
            assert!(layer.draw(&[1 << 40, 1 << 40, 2]).unwrap().is_some());
            layer.draw(&[usize::MAX, 2, 0]).unwrap();
        }
    }
}

/// Up to four axes of up to seven, and a block of them.
fn blocks() -> impl Strategy<Value = Vec<(usize, usize, usize, bool, u64)>> {
    let axis = (1..8_usize, 0..8_usize, 0..8_usize, any::<bool>(), prop_oneof![0..40_u64, any::<u64>()]);
    let axis = axis.prop_map(|(size, offset, length, shared, stride)| {
        let offset = offset.min(size);
        (size, offset, length.min(size - offset), shared, stride)
    });
    prop::collection::vec(axis, 0..5)
}

proptest! {
    #[test]
    fn maps_are_what_their_strides_say(axes in blocks(), start: u64) {
        let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
        let strides: Vec<u64> = axes.iter().map(|axis| axis.4).collect();
        let index = Index::new(start, shape.iter().map(|&size| size as u64).zip(strides.iter().copied()));
        for (element, place) in coordinates(&shape).into_iter().enumerate() {
            prop_assert_eq!(index.bit(element as u64), bit(start, &strides, &place));
        }
        let split = index.strides(&shape).unwrap();
        for (axis, (&got, &expected)) in split.iter().zip(&strides).enumerate() {
            prop_assert!(shape[axis] == 1 || got == expected);
        }
    }

    /// Two maps are equal exactly if all their elements' bits are.
    #[test]
    fn equal_maps_are_equal(
        one in prop::collection::vec((1..4_u64, 0..7_u64), 0..5),
        other in prop::collection::vec((1..4_u64, 0..7_u64), 0..5),
    ) {
        let [one, other] = [one, other].map(|axes| Index::new(3, axes));
        let bits = |index: &Index| (0..index.count()).map(|i| index.bit(i)).collect::<Vec<_>>();
        prop_assert_eq!(one == other, bits(&one) == bits(&other), "{:?} {:?}", one, other);
        // Its bits say all there is: every element as an axis of its own makes the same map.
        let line = bits(&one);
        if line.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == line[1].wrapping_sub(line[0])) && line.len() > 1 {
            prop_assert_eq!(one, Index::new(line[0], [(line.len() as u64, line[1].wrapping_sub(line[0]))]));
        }
    }

    #[test]
    fn any_block_equals_that_block_of_the_whole(axes in blocks(), seed: u64, start in 0..99_u64, p in 0.0..=1.0) {
        let whole: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
        let offset: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
        let shape: Vec<usize> = axes.iter().map(|axis| axis.2).collect();
        let shared: Vec<usize> = (0..axes.len()).filter(|&axis| axes[axis].3).collect();
        let own = Index::shared(&whole, &shared);
        let index = Index::new(start, own.axes().iter().map(|axis| (axis.size, axis.stride)));
        let draw = Draw::dropout(Mask::philox(seed, 1, 2, Probability::new(p).unwrap())).with_index(index);
        let x: Vec<f32> = (0..whole.iter().product()).map(|i| i as f32 - 50.0).collect();
        let y = draw.forward_to_vec(&x).unwrap();
        let (mut part, mut expected) = (Vec::new(), Vec::new());
        for (element, place) in coordinates(&whole).into_iter().enumerate() {
            let within = |axis: usize| (offset[axis]..offset[axis] + shape[axis]).contains(&place[axis]);
            if (0..whole.len()).all(within) {
                part.push(x[element]);
                expected.push(y[element]);
            }
        }
        let block = draw.block(&whole, &offset, &shape).unwrap();
        prop_assert_eq!(block.forward_to_vec(&part).unwrap(), expected);
    }

    /// And any range of elements, whatever the index.
    #[test]
    fn any_range_equals_that_range_of_the_whole(
        seed: u64,
        rows in 1..40_usize,
        columns in 1..100_usize,
        shared in prop::collection::vec(0..2_usize, 0..2),
        cuts in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let draw = Draw::alpha(Mask::philox(seed, 1, 2, Probability::new(0.4).unwrap()))
            .with_index(Index::shared(&[rows, columns], &shared));
        let count = rows * columns;
        let x: Vec<f32> = (0..count).map(|i| i as f32 / 8.0 - 50.0).collect();
        let whole = draw.forward_to_vec(&x).unwrap();
        let (a, b) = (cuts.0.index(count + 1), cuts.1.index(count + 1));
        let range = a.min(b)..a.max(b);
        let mut part = x[range.clone()].to_vec();
        draw.forward_inplace_at(range.start as u64, &mut part).unwrap();
        prop_assert_eq!(&part, &whole[range.clone()]);
        draw.on(&x[range.clone()]).at(range.start as u64).write(&mut part).unwrap();
        prop_assert_eq!(&part, &whole[range]);
    }

    /// A channel gets the same bit whether its axis is the second or the last one.
    #[test]
    fn channels_last_are_channels_first(batch in 1..4_usize, channels in 1..5_usize, height in 1..5_usize, width in 1..5_usize) {
        for kind in [Kind::Dropout2d, Kind::FeatureAlphaDropout, Kind::DropBlock2d] {
            let layer = || Layer::with_generator(kind, 0.5, &Generator::philox(9)).unwrap();
            let first = layer().draw(&[batch, channels, height, width]).unwrap().unwrap();
            let last = layer().with_channels_last().draw(&[batch, height, width, channels]).unwrap().unwrap();
            for place in coordinates(&[batch, channels, height, width]) {
                let [n, c, h, w] = place[..] else { unreachable!() };
                let in_first = ((n * channels + c) * height + h) * width + w;
                let in_last = ((n * height + h) * width + w) * channels + c;
                prop_assert_eq!(first.keeps(in_first as u64), last.keeps(in_last as u64));
            }
        }
    }

    /// A sample's noise depends neither on the others nor on its place among them.
    #[test]
    fn monte_carlo_samples_share_a_mask(batch in 1..6_usize, size in 1..40_usize, seed: u64) {
        for (kind, shape) in [(Kind::Dropout, vec![size]), (Kind::AlphaDropout, vec![size, 3]), (Kind::Dropout2d, vec![4, size, 2])] {
            let draw = |batch: usize| {
                let mut layer = Layer::with_generator(kind, 0.5, &Generator::philox(seed)).unwrap();
                layer.set_mode(Mode::MonteCarlo);
                layer.draw(&[vec![batch], shape.clone()].concat()).unwrap().unwrap()
            };
            let (one, several) = (draw(1), draw(batch));
            let x: Vec<f32> = (0..shape.iter().product()).map(|i| i as f32 - 3.0).collect();
            let expected = one.forward_to_vec(&x).unwrap();
            for sample in several.forward_to_vec(&x.repeat(batch)).unwrap().chunks(x.len()) {
                prop_assert_eq!(sample, &expected[..]);
            }
        }
    }
}

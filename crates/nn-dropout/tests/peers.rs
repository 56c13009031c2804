//! Layers against what the projects that they come from gave: see `fixtures/make_peers.py`.

mod common;

use common::{Bits, assert_near, lines, position};
use nn_dropout::{
    Config, Draw, EdgeDropout, EmbeddingDropout, Generator, Kind, LabelDropout, Layer, LockedDropout, NodeDropout,
    PathMode, TokenDropout,
};
use serde::Deserialize;

fn forward(draw: Option<&Draw>, x: &[f32]) -> Vec<f32> {
    draw.map_or_else(|| x.to_vec(), |draw| draw.forward_to_vec(x).unwrap())
}

fn backward(draw: Option<&Draw>, dy: &[f32]) -> Vec<f32> {
    let mut dx = dy.to_vec();
    if let Some(draw) = draw {
        draw.backward_inplace(&mut dx).unwrap();
    }
    dx
}

#[derive(Deserialize)]
struct Path {
    mode: PathMode,
    p: f64,
    scale_by_keep: bool,
    shape: Vec<usize>,
    seed: u64,
    x: String,
    y: Vec<String>,
    dy: String,
    dx: String,
    position: [u64; 2],
}

#[test]
fn paths_are_those_of_timm_and_torchvision() {
    for case in lines::<Path>("peers.jsonl", "drop_path") {
        let Path { mode, p, scale_by_keep, shape, seed, .. } = &case;
        // At p = 1 nothing is kept, so PyTorch draws nothing, but these do.
        let what = format!("{mode:?} p={p}, {scale_by_keep}, {shape:?}, seed {seed}");
        let config = Config::new(Kind::DropPath, *p).unwrap().with_mode(*mode).unwrap();
        let generator = Generator::torch(*seed);
        let layer = Layer::from_config(config.with_scale_by_keep(*scale_by_keep).unwrap(), &generator);
        let x = f32::read(&case.x);
        let mut last = None;
        for y in &case.y {
            last = layer.draw(shape).unwrap();
            assert_near(&forward(last.as_ref(), &x), &f32::read(y), 0, &what);
        }
        assert_near(&backward(last.as_ref(), &f32::read(&case.dy)), &f32::read(&case.dx), 0, &what);
        if *p < 1.0 {
            assert_eq!(position(&generator), case.position, "{what}");
        }
    }
}

#[derive(Deserialize)]
struct Squares {
    peer: String,
    p: f64,
    block_size: usize,
    #[serde(default)]
    couple_channels: bool,
    #[serde(default = "yes")]
    scale_by_keep: bool,
    #[serde(default = "one")]
    gamma_scale: f64,
    shape: Vec<usize>,
    seed: u64,
    x: String,
    y: String,
    dy: String,
    dx: String,
    position: [u64; 2],
}

fn yes() -> bool {
    true
}

fn one() -> f64 {
    1.0
}

#[test]
fn blocks_are_those_of_torchvision_and_timm() {
    for (name, kind) in [("drop_block2d", Kind::DropBlock2d), ("drop_block3d", Kind::DropBlock3d)] {
        for case in lines::<Squares>("peers.jsonl", name) {
            let Squares { peer, p, block_size, shape, seed, couple_channels, scale_by_keep, .. } = &case;
            let what = format!("{peer} {name} p={p}, {block_size}, {shape:?}, seed {seed}");
            if case.gamma_scale != 1.0 || !scale_by_keep {
                continue; // which ours does not have
            }
            let generator = Generator::torch(*seed);
            let config = Config::new(kind, *p).unwrap().with_block_size(*block_size).unwrap();
            let config = config.with_clipping(peer == "timm").unwrap().with_coupled_channels(*couple_channels).unwrap();
            let draw = Layer::from_config(config, &generator).draw(shape).unwrap();
            // They add 1e-6 or 1e-7 to the number of kept elements, invert it and multiply; we divide once.
            assert_near(&forward(draw.as_ref(), &f32::read(&case.x)), &f32::read(&case.y), 4, &what);
            assert_near(&backward(draw.as_ref(), &f32::read(&case.dy)), &f32::read(&case.dx), 4, &what);
            // Where everything or nothing is dropped, PyTorch may draw all the same.
            assert!(matches!(*p, 0.0 | 1.0) || position(&generator) == case.position, "{what}");
        }
    }
}

#[derive(Deserialize)]
struct Locked {
    p: f64,
    shape: Vec<usize>,
    seed: u64,
    x: String,
    y: Vec<String>,
    position: [u64; 2],
}

#[test]
fn locked_dropout_is_that_of_fastai() {
    for case in lines::<Locked>("peers.jsonl", "locked") {
        let Locked { p, shape, seed, .. } = &case;
        let generator = Generator::torch(*seed);
        let dropout = LockedDropout::with_generator(*p, &[1], &generator).unwrap();
        for y in &case.y {
            let draw = dropout.draw(shape).unwrap();
            let y = f32::read(y);
            assert_near(&forward(draw.as_ref(), &f32::read(&case.x)), &y, 0, &format!("p={p}, {shape:?}, {seed}"));
        }
        assert_eq!(position(&generator), case.position);
    }
}

#[derive(Deserialize)]
struct Weight {
    p: f64,
    shape: Vec<usize>,
    seed: u64,
    w: String,
    y: String,
    position: [u64; 2],
}

#[test]
fn dropped_weights_are_those_of_fastai() {
    for case in lines::<Weight>("peers.jsonl", "weight_drop") {
        let Weight { p, shape, seed, .. } = &case;
        let generator = Generator::torch(*seed);
        let draw = Layer::with_generator(Kind::DropConnect, *p, &generator).unwrap().draw(shape).unwrap();
        assert_near(&forward(draw.as_ref(), &f32::read(&case.w)), &f32::read(&case.y), 0, &format!("p={p}, {seed}"));
        assert_eq!(position(&generator), case.position);
    }
}

#[derive(Deserialize)]
struct Embedding {
    p: f64,
    shape: [usize; 2],
    seed: u64,
    scale: Option<f32>,
    w: String,
    words: Vec<Vec<usize>>,
    y: String,
    position: [u64; 2],
}

#[test]
fn dropped_words_are_those_of_fastai() {
    for case in lines::<Embedding>("peers.jsonl", "embedding_dropout") {
        let Embedding { p, shape: [vocabulary, width], seed, .. } = case;
        let generators = [Generator::torch(seed), Generator::torch(seed)];
        let [rows, scales] = generators.each_ref().map(|g| EmbeddingDropout::with_generator(p, g).unwrap());
        let table = f32::read(&case.w);
        let dropped = forward(rows.draw(&[vocabulary, width]).unwrap().as_ref(), &table);
        let scales: Vec<f32> = scales.scales(vocabulary);
        let mut looked_up = Vec::new();
        for &word in case.words.iter().flatten() {
            let row = &dropped[word * width..][..width];
            assert!(row.iter().zip(&table[word * width..]).all(|(y, w)| *y == w * scales[word]));
            looked_up.extend(row.iter().map(|y| case.scale.map_or(*y, |scale| y * scale)));
        }
        assert_near(&looked_up, &f32::read(&case.y), 0, &format!("p={p}, {seed}"));
        assert!(generators.iter().all(|generator| position(generator) == case.position));
    }
}

/// A generator whose first draw keeps just these, at p = 0.5.
fn that_keeps(kind: Kind, kept: &[bool]) -> Generator {
    let is_such = |seed: &u64| {
        let draw = Layer::with_generator(kind, 0.5, &Generator::philox(*seed)).unwrap().draw(&[kept.len()]).unwrap();
        draw.is_none_or(|draw| (0..).zip(kept).all(|(i, &kept)| draw.keeps(i) == kept))
    };
    Generator::philox((0..1 << 20).find(is_such).unwrap())
}

#[derive(Deserialize)]
struct Graph {
    edges: Vec<[usize; 2]>,
    nodes: usize,
    p: f64,
    #[serde(default)]
    force_undirected: bool,
    #[serde(default)]
    relabel_nodes: bool,
    kept: Vec<bool>,
    edges_out: Vec<[usize; 2]>,
    edge_mask: Option<Vec<bool>>,
    edge_ids: Option<Vec<usize>>,
    #[serde(default)]
    node_mask: Vec<bool>,
}

impl Graph {
    /// The numbers of the edges that are left.
    fn numbers(&self) -> Vec<usize> {
        let of_mask = |mask: &Vec<bool>| (0..mask.len()).filter(|&i| mask[i]).collect();
        self.edge_ids.clone().or_else(|| self.edge_mask.as_ref().map(of_mask)).unwrap()
    }
}

#[test]
fn edges_are_those_of_pytorch_geometric() {
    for case in lines::<Graph>("peers.jsonl", "edge_dropout") {
        let p = if case.p == 0.0 { 0.0 } else { 0.5 };
        let dropout = EdgeDropout::with_generator(p, &that_keeps(Kind::EdgeDropout, &case.kept)).unwrap();
        let kept =
            if case.force_undirected { dropout.forward_undirected(&case.edges) } else { dropout.forward(&case.edges) };
        assert_eq!(kept.edges, case.edges_out, "{:?}, {:?}", case.edges, case.kept);
        assert_eq!(kept.numbers, case.numbers());
    }
}

#[test]
fn nodes_are_those_of_pytorch_geometric() {
    for case in lines::<Graph>("peers.jsonl", "node_dropout") {
        let p = if case.p == 0.0 { 0.0 } else { 0.5 };
        let dropout = NodeDropout::with_generator(p, &that_keeps(Kind::NodeDropout, &case.kept)).unwrap();
        let kept = dropout.forward(case.nodes, &case.edges);
        let edges = if case.relabel_nodes { kept.relabelled() } else { kept.edges.edges };
        assert_eq!(edges, case.edges_out, "{:?}, {:?}", case.edges, case.kept);
        assert_eq!(kept.edges.numbers, case.numbers());
        assert_eq!(kept.nodes, case.node_mask);
    }
}

#[derive(Deserialize)]
struct Replaced {
    num_classes: u32,
    labels: Vec<u32>,
    drop_ids: Vec<i32>,
    result: Vec<u32>,
}

#[test]
fn labels_are_replaced_as_in_a_diffusion_transformer() {
    for case in lines::<Replaced>("peers.jsonl", "label_dropout") {
        let kept: Vec<bool> = case.drop_ids.iter().map(|id| *id != 1).collect();
        let dropout = LabelDropout::with_generator(0.5, &that_keeps(Kind::LabelDropout, &kept)).unwrap();
        let mut labels = case.labels.clone();
        dropout.forward_labels(&mut labels, case.num_classes);
        assert_eq!(labels, case.result);
    }
}

#[derive(Deserialize)]
struct Patches {
    prob: f64,
    num_prefix_tokens: usize,
    shape: [usize; 3],
    y_shape: [usize; 3],
}

#[test]
fn as_many_patches_are_kept_as_in_timm() {
    for case in lines::<Patches>("peers.jsonl", "patch_dropout") {
        let (prefix, [samples, tokens, _]) = (case.num_prefix_tokens, case.shape);
        let dropout = TokenDropout::with_generator(case.prob, &Generator::philox(1)).unwrap();
        let kept = dropout.kept(samples, tokens, prefix).unwrap();
        assert_eq!(kept.len(), samples * case.y_shape[1], "{}, {prefix} of {tokens}", case.prob);
        for kept in kept.chunks(case.y_shape[1].max(1)) {
            assert!(kept.iter().take(prefix).copied().eq(0..prefix.min(tokens)));
            assert!(kept.windows(2).all(|pair| pair[0] < pair[1]) && kept.iter().all(|&token| token < tokens));
        }
    }
}

#[derive(Deserialize)]
struct Moments {
    layer: Kind,
    rate: Option<f64>,
    stddev: Option<f64>,
    value: f32,
    count: usize,
    mean: f64,
    std: f64,
    skewness: f64,
    kurtosis: f64,
}

#[test]
fn moments_are_those_of_keras() {
    for case in lines::<Moments>("peers.jsonl", "moments") {
        let amount = case.rate.or(case.stddev).unwrap();
        let layer = Layer::with_generator(case.layer, amount, &Generator::philox(7)).unwrap();
        let y = layer.forward(vec![case.value; case.count]).unwrap();
        let count = case.count as f64;
        let mean = y.iter().map(|y| f64::from(*y)).sum::<f64>() / count;
        let moment = |n: i32| y.iter().map(|y| (f64::from(*y) - mean).powi(n)).sum::<f64>() / count;
        let std = moment(2).sqrt();
        // Both are samples: six standard errors of their difference.
        let near = |ours: f64, theirs: f64, error: f64| {
            let allowed = 6.0 * (2.0 / count).sqrt() * error;
            assert!((ours - theirs).abs() <= allowed, "{}({amount}): {ours}, not {theirs}", case.layer);
        };
        near(mean, case.mean, std);
        near(std, case.std, std / 2f64.sqrt());
        near(moment(3) / std.powi(3), case.skewness, 6f64.sqrt());
        near(moment(4) / std.powi(4), case.kurtosis, 24f64.sqrt());
    }
}

#[derive(Deserialize)]
struct NoiseShape {
    shape: Vec<usize>,
    varies: Vec<usize>,
    kept: Vec<bool>,
}

/// Whether elements that differ on the axes that do not vary alone are all equal.
fn is_shared(shape: &[usize], varies: &[usize], kept: impl Fn(u64) -> bool) -> bool {
    let index =
        nn_dropout::Index::shared(shape, &(0..shape.len()).filter(|axis| !varies.contains(axis)).collect::<Vec<_>>());
    let mut by_bit = std::collections::BTreeMap::new();
    (0..index.count()).all(|i| *by_bit.entry(index.bit(i)).or_insert_with(|| kept(i)) == kept(i))
}

#[test]
fn axes_are_shared_as_in_keras() {
    for NoiseShape { shape, varies, kept } in lines("peers.jsonl", "noise_shape") {
        assert!(is_shared(&shape, &varies, |i| kept[i as usize]), "Keras: {shape:?}, {varies:?}");
        let shared: Vec<usize> = (0..shape.len()).filter(|axis| !varies.contains(axis)).collect();
        let dropout = LockedDropout::with_generator(0.5, &shared, &Generator::philox(3)).unwrap();
        let draw = dropout.draw(&shape).unwrap().unwrap();
        assert!(is_shared(&shape, &varies, |i| draw.keeps(i)), "ours: {shape:?}, {varies:?}");
        // And only there: each axis that varies makes a difference somewhere.
        for axis in varies.iter().copied().filter(|&axis| shape[axis] > 1) {
            let others: Vec<usize> = varies.iter().copied().filter(|other| *other != axis).collect();
            let seen = (0..64).any(|seed| {
                let dropout = LockedDropout::with_generator(0.5, &shared, &Generator::philox(seed)).unwrap();
                let draw = dropout.draw(&shape).unwrap().unwrap();
                !is_shared(&shape, &others, |i| draw.keeps(i))
            });
            assert!(seen, "{shape:?}, axis {axis}");
        }
    }
}

#[derive(Deserialize)]
struct Neftune {
    alpha: f64,
    shape: Vec<usize>,
    mag: f64,
}

#[test]
fn noise_on_embeddings_is_as_strong_as_in_the_paper() {
    for Neftune { alpha, shape, mag } in lines("peers.jsonl", "neftune") {
        let layer = Layer::with_generator(Kind::NeftuneNoise, alpha, &Generator::philox(3)).unwrap();
        let draw = layer.draw(&shape).unwrap().unwrap();
        let count = shape.iter().product::<usize>();
        let y = draw.forward_to_vec(&vec![0f64; count]).unwrap();
        for (i, y) in (0..).zip(y) {
            let expected = mag * f64::from(draw.mask().uniform(draw.index().bit(i)).unwrap());
            assert!((y - expected).abs() <= 1e-15 * mag, "{shape:?}: {y}, not {expected}");
        }
    }
}

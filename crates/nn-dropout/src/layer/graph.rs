//! Dropout of the edges and the nodes of a graph, which is a list of edges.

use super::any::Mode;
use super::front::front;
use crate::spec::probability::Probability;

front! {
    /// Removes edges of a graph, each with probability p. Nothing is scaled.
    ///
    /// Rong, Huang, Xu and Huang, "DropEdge: towards deep graph convolutional networks on node classification", ICLR 2020. The
    /// interface is that of `torch_geometric.utils.dropout_edge`.
    ///
    /// ```
    /// use nn_dropout::{EdgeDropout, Generator};
    ///
    /// let edges = [[0, 1], [1, 0], [1, 2], [2, 1]];
    /// let dropout = EdgeDropout::with_generator(0.5, &Generator::philox(42))?;
    /// let kept = dropout.forward(&edges);
    /// assert!(kept.edges.iter().zip(&kept.numbers).all(|(edge, &number)| *edge == edges[number]));
    ///
    /// let kept = dropout.forward_undirected(&edges);
    /// assert!(kept.edges.iter().all(|&[from, to]| kept.edges.contains(&[to, from])));
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    EdgeDropout(p)
}

/// The edges that are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEdges<N> {
    /// The edges, as they were given.
    pub edges: Vec<[N; 2]>,
    /// Their places in the list that was given, counted from 0.
    pub numbers: Vec<usize>,
}

impl<N: Copy> KeptEdges<N> {
    fn of(edges: &[[N; 2]], keeps: impl Fn(usize) -> bool) -> Self {
        let numbers: Vec<usize> = (0..edges.len()).filter(|&number| keeps(number)).collect();
        Self { edges: numbers.iter().map(|&number| edges[number]).collect(), numbers }
    }
}

impl EdgeDropout {
    /// The edges that are left in the next call, in their order. Edge number i has bit i.
    pub fn forward<N: Copy>(&self, edges: &[[N; 2]]) -> KeptEdges<N> {
        let keeps = self.keeps(edges.len());
        KeptEdges::of(edges, keeps)
    }

    /// The same for a graph that lists each undirected edge in both directions: the two are dropped together. All kept
    /// edges from a lower node to a higher one, or from a node to itself, come first, then the same in the other direction.
    ///
    /// As in PyTorch Geometric an edge from a higher node to a lower one is only as good as its opposite, and a loop comes back
    /// twice. In eval mode, and at p = 0, the edges come back as they were given.
    pub fn forward_undirected<N: Copy + PartialOrd>(&self, edges: &[[N; 2]]) -> KeptEdges<N> {
        if self.mode() == Mode::Eval || self.p_now() == Probability::ZERO {
            return KeptEdges::of(edges, |_| true);
        }
        let keeps = self.keeps(edges.len());
        let KeptEdges { mut edges, mut numbers } =
            KeptEdges::of(edges, |number| edges[number][0] <= edges[number][1] && keeps(number));
        edges.extend_from_within(..);
        numbers.extend_from_within(..);
        let half = edges.len() / 2;
        for edge in &mut edges[half..] {
            edge.reverse();
        }
        KeptEdges { edges, numbers }
    }
}

front! {
    /// Removes nodes of a graph, each with probability p, and with them the edges that touch them. Nothing is scaled.
    ///
    /// Do, Nguyen and Deligiannis, "Graph convolutional neural networks with node transition probability-based message passing and
    /// DropNode regularization", 2021. The interface is that of `torch_geometric.utils.dropout_node`.
    ///
    /// ```
    /// use nn_dropout::{Generator, NodeDropout};
    ///
    /// let dropout = NodeDropout::with_generator(0.5, &Generator::philox(42))?;
    /// let kept = dropout.forward(3, &[[0, 1], [1, 2]]);
    /// assert!(kept.edges.edges.iter().all(|&[from, to]| kept.nodes[from] && kept.nodes[to]));
    /// # Ok::<(), nn_dropout::ConfigError>(())
    /// ```
    NodeDropout(p)
}

/// The nodes and edges that are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptNodes {
    /// Whether each node is left.
    pub nodes: Vec<bool>,
    /// The edges between nodes that are left.
    pub edges: KeptEdges<usize>,
}

impl KeptNodes {
    /// The edges with the nodes that are left numbered anew, from 0 on, in their order.
    pub fn relabelled(&self) -> Vec<[usize; 2]> {
        let lower = self.nodes.iter().scan(0, |count, &kept| {
            let new = *count;
            *count += usize::from(kept);
            Some(new)
        });
        let new: Vec<usize> = lower.collect();
        self.edges.edges.iter().map(|edge| edge.map(|node| new[node])).collect()
    }
}

impl NodeDropout {
    /// What is left of a graph of `nodes` nodes in the next call. Node number i has bit i.
    ///
    /// # Panics
    ///
    /// If an edge has a node that there is not.
    #[track_caller]
    pub fn forward(&self, nodes: usize, edges: &[[usize; 2]]) -> KeptNodes {
        if let Some(node) = edges.iter().flatten().find(|node| **node >= nodes) {
            panic!("an edge has node {node}, but there are {nodes} nodes, numbered from 0");
        }
        let keeps = self.keeps(nodes);
        let nodes: Vec<bool> = (0..nodes).map(keeps).collect();
        let edges = KeptEdges::of(edges, |number| edges[number].iter().all(|&node| nodes[node]));
        KeptNodes { nodes, edges }
    }
}

macro_rules! keeps {
    ($($name:ident)*) => {$(
        impl $name {
            /// Which of `count` are kept in the next call.
            fn keeps(&self, count: usize) -> impl Fn(usize) -> bool {
                let draw = self.draw(&[count]).unwrap_or_else(|error| unreachable!("a list is all it needs, but: {error}"));
                move |number| draw.as_ref().is_none_or(|draw| draw.keeps(number as u64))
            }
        }
    )*};
}
keeps!(EdgeDropout NodeDropout);

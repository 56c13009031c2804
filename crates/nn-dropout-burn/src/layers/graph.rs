//! Dropout of the edges and the nodes of a graph, whose edges are a tensor of shape `[2, edges]`, as in PyTorch Geometric: the
//! nodes that edges come from, and those that they go to.

use burn::tensor::{Bool, Int, Tensor, TensorData};

use super::front::{draw, is_on, module};

module! {
    /// Removes edges of a graph: [`nn_dropout::EdgeDropout`] as a Burn module, active where [`Dropout`](super::Dropout) is.
    ///
    /// ```
    /// use burn::tensor::{Device, Int, Tensor};
    /// use nn_dropout_burn::EdgeDropoutConfig;
    ///
    /// let device = Device::flex().autodiff();
    /// let edges = Tensor::<2, Int>::from_ints([[0, 1, 1, 2], [1, 0, 2, 1]], &device);
    /// let weights = Tensor::<1>::ones([4], &device);
    /// let dropout = EdgeDropoutConfig::new(0.5).init();
    /// let (edges, numbers) = dropout.forward(edges);
    /// let weights = weights.select(0, numbers);
    /// assert_eq!(edges.dims(), [2, weights.dims()[0]]);
    /// ```
    EdgeDropout(nn_dropout::EdgeDropout), EdgeDropoutConfig {
        /// The probability that an edge is removed, from 0 to 1.
        prob
    }
}

impl EdgeDropout {
    /// The edges that are left, and their numbers among those that were given.
    ///
    /// # Panics
    ///
    /// If the shape is not `[2, edges]`.
    #[track_caller]
    pub fn forward(&self, edges: Tensor<2, Int>) -> (Tensor<2, Int>, Tensor<1, Int>) {
        let count = check("edge-dropout", &edges);
        let draw = draw(&self.layer, &self.training, &edges.device(), &[count]);
        let kept = (0..count).filter(|&edge| draw.as_ref().is_none_or(|draw| draw.keeps(edge as u64)));
        let numbers = numbers(kept.collect(), &edges);
        (edges.select(1, numbers.clone()), numbers)
    }

    /// The same for a graph that lists each undirected edge in both directions, which are dropped together: see
    /// [`nn_dropout::EdgeDropout::forward_undirected`]. It reads the edges from the device.
    ///
    /// # Panics
    ///
    /// If the shape is not `[2, edges]`.
    #[track_caller]
    pub fn forward_undirected(&self, edges: Tensor<2, Int>) -> (Tensor<2, Int>, Tensor<1, Int>) {
        let count = check("edge-dropout", &edges);
        if !is_on(self.layer.mode(), &self.training, &edges.device()) {
            let numbers = numbers((0..count).collect(), &edges);
            return (edges, numbers);
        }
        let kept = self.layer.forward_undirected(&list(&edges));
        let ends = [0, 1].map(|end| kept.edges.iter().map(move |edge| edge[end]));
        let data = TensorData::new(ends.into_iter().flatten().collect(), [2, kept.edges.len()]);
        let numbers = numbers(kept.numbers, &edges);
        (Tensor::from_data(data, (&edges.device(), edges.dtype())), numbers)
    }
}

module! {
    /// Removes nodes of a graph, and with them the edges that touch them: [`nn_dropout::NodeDropout`] as a Burn module, active
    /// where [`Dropout`](super::Dropout) is.
    ///
    /// ```
    /// use burn::tensor::{Device, Int, Tensor};
    /// use nn_dropout_burn::NodeDropoutConfig;
    ///
    /// let edges = Tensor::<2, Int>::from_ints([[0, 1], [1, 2]], &Device::flex().autodiff());
    /// let dropout = NodeDropoutConfig::new(0.5).init();
    /// let (edges, numbers, nodes) = dropout.forward(3, edges);
    /// assert_eq!((edges.dims(), nodes.dims()), ([2, numbers.dims()[0]], [3]));
    /// ```
    NodeDropout(nn_dropout::NodeDropout), NodeDropoutConfig {
        /// The probability that a node is removed, from 0 to 1.
        prob
    }
}

impl NodeDropout {
    /// The edges that are left, their numbers among those that were given, and whether each of the `nodes` nodes is left. Nodes
    /// keep their numbers. It reads the edges from the device.
    ///
    /// # Panics
    ///
    /// If the shape is not `[2, edges]`, or an edge has a node that there is not.
    #[track_caller]
    pub fn forward(&self, nodes: usize, edges: Tensor<2, Int>) -> (Tensor<2, Int>, Tensor<1, Int>, Tensor<1, Bool>) {
        let count = check("node-dropout", &edges);
        let device = edges.device();
        let bools = |kept: Vec<bool>| Tensor::from_data(TensorData::new(kept, [nodes]), &device);
        if !is_on(self.layer.mode(), &self.training, &device) {
            let numbers = numbers((0..count).collect(), &edges);
            return (edges, numbers, bools(vec![true; nodes]));
        }
        let list = list(&edges);
        if let Some(node) = list.iter().flatten().find(|node| !(0..nodes as i64).contains(node)) {
            panic!("node-dropout takes edges of {nodes} nodes, numbered from 0, but got node {node}");
        }
        let list: Vec<[usize; 2]> = list.into_iter().map(|edge| edge.map(|node| node as usize)).collect();
        let kept = self.layer.forward(nodes, &list);
        let numbers = numbers(kept.edges.numbers, &edges);
        (edges.select(1, numbers.clone()), numbers, bools(kept.nodes))
    }
}

/// The number of edges.
#[track_caller]
fn check(name: &str, edges: &Tensor<2, Int>) -> usize {
    let [ends, count] = edges.dims();
    assert!(ends == 2, "{name} takes edges of shape [2, edges], but got [{ends}, {count}]");
    count
}

/// The edges, on the host.
fn list(edges: &Tensor<2, Int>) -> Vec<[i64; 2]> {
    let ends: Vec<i64> = edges.to_data().iter().collect();
    let (from, to) = ends.split_at(ends.len() / 2);
    from.iter().zip(to).map(|(&from, &to)| [from, to]).collect()
}

/// Numbers of edges, where the edges are.
fn numbers(numbers: Vec<usize>, edges: &Tensor<2, Int>) -> Tensor<1, Int> {
    let (count, numbers) = (numbers.len(), numbers.into_iter().map(|number| number as i64).collect());
    Tensor::from_data(TensorData::new(numbers, [count]), &edges.device())
}

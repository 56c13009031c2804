//! Dropout of the edges and the nodes of a graph, whose edges are a tensor of shape `[2, edges]`, as in PyTorch Geometric: the
//! nodes that edges come from, and those that they go to.

use candle_core::{DType, Result, Tensor, bail};

use super::front::{acting, keeps, layer};

layer! {
    /// Removes edges of a graph: [`nn_dropout::EdgeDropout`] for candle's tensors.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use nn_dropout_candle::EdgeDropout;
    ///
    /// let edges = Tensor::new(&[[0u32, 1, 1, 2], [1, 0, 2, 1]], &Device::Cpu)?;
    /// let weights = Tensor::ones(4, DType::F32, &Device::Cpu)?;
    /// let (edges, numbers) = EdgeDropout::new(0.5).forward(&edges, true)?;
    /// let weights = weights.index_select(&numbers, 0)?;
    /// assert_eq!(edges.dims(), [2, weights.dim(0)?]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    EdgeDropout(p)
}

impl EdgeDropout {
    /// The edges that are left, and their numbers among those that were given, in u32.
    ///
    /// # Errors
    ///
    /// If the shape is not `[2, edges]`, or p is out of its range and `train` is true.
    pub fn forward(&self, edges: &Tensor, train: bool) -> Result<(Tensor, Tensor)> {
        let count = check("edge-dropout", edges)?;
        let keeps = keeps(&self.layer, count, train)?;
        let kept = (0..count).filter(|&edge| keeps.as_ref().is_none_or(|keeps| keeps(edge)));
        let numbers = numbers(kept, edges)?;
        Ok((edges.index_select(&numbers, 1)?, numbers))
    }

    /// The same for a graph that lists each undirected edge in both directions, which are dropped together: see
    /// [`nn_dropout::EdgeDropout::forward_undirected`]. It reads the edges from the device.
    ///
    /// # Errors
    ///
    /// As of [`forward`](Self::forward).
    pub fn forward_undirected(&self, edges: &Tensor, train: bool) -> Result<(Tensor, Tensor)> {
        let count = check("edge-dropout", edges)?;
        let Some(layer) = acting(&self.layer, train)? else {
            return Ok((edges.clone(), numbers(0..count, edges)?));
        };
        let kept = layer.forward_undirected(&list(edges)?);
        let ends = [0, 1].into_iter().flat_map(|end| kept.edges.iter().map(move |edge| edge[end]));
        let left = Tensor::from_iter(ends, edges.device())?.reshape((2, kept.edges.len()))?;
        Ok((left.to_dtype(edges.dtype())?, numbers(kept.numbers, edges)?))
    }
}

layer! {
    /// Removes nodes of a graph, and with them the edges that touch them: [`nn_dropout::NodeDropout`] for candle's tensors.
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use nn_dropout_candle::NodeDropout;
    ///
    /// let edges = Tensor::new(&[[0u32, 1], [1, 2]], &Device::Cpu)?;
    /// let (edges, numbers, nodes) = NodeDropout::new(0.5).forward(3, &edges, true)?;
    /// assert_eq!((edges.dims2()?, nodes.dims1()?), ((2, numbers.dim(0)?), 3));
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    NodeDropout(p)
}

impl NodeDropout {
    /// The edges that are left, their numbers among those that were given, in u32, and 1 for each of the `nodes` nodes that is
    /// left, 0 for the others, in u8. Nodes keep their numbers. It reads the edges from the device.
    ///
    /// # Errors
    ///
    /// If the shape is not `[2, edges]`, an edge has a node that there is not, or p is out of its range and `train` is true.
    pub fn forward(&self, nodes: usize, edges: &Tensor, train: bool) -> Result<(Tensor, Tensor, Tensor)> {
        let count = check("node-dropout", edges)?;
        let device = edges.device();
        let Some(layer) = acting(&self.layer, train)? else {
            return Ok((edges.clone(), numbers(0..count, edges)?, Tensor::ones(nodes, DType::U8, device)?));
        };
        let list = list(edges)?;
        if let Some(node) = list.iter().flatten().find(|node| !(0..nodes as i64).contains(node)) {
            bail!("node-dropout takes edges of {nodes} nodes, numbered from 0, but got node {node}");
        }
        let list: Vec<[usize; 2]> = list.into_iter().map(|edge| edge.map(|node| node as usize)).collect();
        let kept = layer.forward(nodes, &list);
        let numbers = numbers(kept.edges.numbers, edges)?;
        let nodes = Tensor::from_iter(kept.nodes.into_iter().map(u8::from), device)?;
        Ok((edges.index_select(&numbers, 1)?, numbers, nodes))
    }
}

/// The number of edges.
fn check(name: &str, edges: &Tensor) -> Result<usize> {
    match *edges.dims() {
        [2, count] if edges.dtype().is_int() => Ok(count),
        _ => bail!(
            "{name} takes edges of shape [2, edges] and a type of integers, but got {:?} of {}",
            edges.dims(),
            edges.dtype().as_str()
        ),
    }
}

/// The edges, on the host.
fn list(edges: &Tensor) -> Result<Vec<[i64; 2]>> {
    let edges = edges.to_dtype(DType::I64)?.to_vec2()?;
    Ok(edges[0].iter().zip(&edges[1]).map(|(&from, &to)| [from, to]).collect())
}

/// Numbers of edges, where the edges are.
fn numbers(numbers: impl IntoIterator<Item = usize>, edges: &Tensor) -> Result<Tensor> {
    Tensor::from_iter(numbers.into_iter().map(|number| number as u32), edges.device())
}

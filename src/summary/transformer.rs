//! Attention networks: SetTransformer (Lee et al. 2019) and a temporal transformer.
//!
//! Block: `h = norm(x + attention(x, z))`, `y = norm(h + f(h))`, f an MLP of one hidden layer. SetTransformer: induced blocks,
//! in which learned points look at the items and the items at them (cost linear in their number), then a learned seed
//! looks at all. Temporal transformer: embedding of items plus that of their times, blocks in which items look at each other,
//! the same seed.
use crate::layers::activation::Activation;
use crate::layers::conv::ItemDense;
use crate::layers::norm::Norm;
use crate::layers::pool::Items;
use crate::runtime::params::{Init, ParamTable, pad4};
use crate::runtime::recorder::Recorder;
use crate::summary::Net;
use crate::summary::tape::Tape;

/// Induced points.
const POINTS: usize = 16;

/// How items look at each other, and what is known of their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Through induced points, in no order.
    Induced,
    /// At each other, in the order in which they stand.
    Places,
    /// At each other, by time stamps, the first column of an item.
    Stamps,
}

struct Block {
    q: ItemDense,
    k: ItemDense,
    v: ItemDense,
    mix: ItemDense,
    norms: [Norm; 2],
    hidden: ItemDense,
    output: ItemDense,
}

impl Block {
    fn declare(table: &mut ParamTable, name: &str, width: usize) -> Self {
        let mut layer = |part: &str| {
            // Linear maps: half the variance of layers with rectifiers.
            ItemDense::declare(table, &format!("{name}.{part}"), 1, width, width, width, true)
        };
        let (q, k, v, mix) = (layer("query"), layer("key"), layer("value"), layer("mix"));
        let (hidden, output) = (layer("hidden"), layer("output"));
        let norms = [0, 1].map(|i| Norm::declare(table, &format!("{name}.norm.{i}"), width));
        Self { q, k, v, mix, norms, hidden, output }
    }
    /// `x` looks at `z`.
    fn forward(
        &self,
        r: &mut Recorder,
        tape: &mut Tape,
        (act, heads): (Activation, usize),
        x: &Items,
        z: &Items,
    ) -> Items {
        let (q, k, v) = (tape.dense(r, &self.q, x), tape.dense(r, &self.k, z), tape.dense(r, &self.v, z));
        let a = tape.attention(r, heads, &q, &k, &v);
        let a = tape.dense(r, &self.mix, &a);
        let sum = tape.sum(r, x, &a);
        let h = tape.norm(r, &self.norms[0], &sum);
        let pre = tape.dense(r, &self.hidden, &h);
        let f = tape.activate(r, act, &pre, None);
        let f = tape.dense(r, &self.output, &f);
        let sum = tape.sum(r, &h, &f);
        tape.norm(r, &self.norms[1], &sum)
    }
}

/// A declared network.
pub struct Transformer {
    activation: Activation,
    heads: usize,
    width: usize,
    look: Look,
    embedding: ItemDense,
    times: Option<ItemDense>,
    /// Blocks with their induced points, where they have any: (points, points look, items look) or (none, -, items look).
    blocks: Vec<(Option<(u32, Block)>, Block)>,
    seed: u32,
    pool: Block,
}

impl Transformer {
    /// Declares a network of `modules` blocks; `heads` is lowered until it divides the width into multiples of 4.
    #[allow(clippy::too_many_arguments)] // the network's sizes
    pub fn declare(
        table: &mut ParamTable,
        name: &str,
        features: usize,
        width: usize,
        modules: usize,
        heads: usize,
        look: Look,
        activation: Activation,
    ) -> Self {
        let width = pad4(width);
        let heads = (1..=heads).rev().find(|h| width.is_multiple_of(4 * h)).unwrap_or(1);
        let at = |part: &str| format!("{name}.{part}");
        let embedding = ItemDense::declare(table, &at("embedding"), 1, features, width, width, true);
        let times = (look != Look::Induced)
            .then(|| ItemDense::declare(table, &at("times"), 1, width, width, width, false));
        let points = Init::Normal(1.0);
        let mut blocks = vec![];
        for b in 0..modules {
            let induced = (look == Look::Induced).then(|| {
                let vector = table.vector(format!("{name}.block.{b}.points"), POINTS * width, points);
                (vector, Block::declare(table, &format!("{name}.inner.{b}"), width))
            });
            blocks.push((induced, Block::declare(table, &format!("{name}.block.{b}"), width)));
        }
        let seed = table.vector(at("seed"), width, points);
        let pool = Block::declare(table, &at("pool"), width);
        Self { activation, heads, width, look, embedding, times, blocks, seed, pool }
    }
}

impl Net for Transformer {
    fn found(&self) -> usize {
        self.width
    }
    fn forward(&self, r: &mut Recorder, tape: &mut Tape, x: &Items) -> Items {
        let with = (self.activation, self.heads);
        let mut h = tape.dense(r, &self.embedding, x);
        if let Some(times) = &self.times {
            let t = tape.time(r, self.look == Look::Stamps, x, self.width);
            let t = tape.dense(r, times, &t);
            h = tape.sum(r, &h, &t);
        }
        for (induced, block) in &self.blocks {
            let seen = match induced {
                Some((points, inner)) => {
                    let i = tape.parameter(r, *points, POINTS, self.width, x.count);
                    inner.forward(r, tape, with, &i, &h)
                }
                None => h,
            };
            h = block.forward(r, tape, with, &h, &seen);
        }
        let seed = tape.parameter(r, self.seed, 1, self.width, x.count);
        self.pool.forward(r, tape, with, &seed, &h)
    }
}

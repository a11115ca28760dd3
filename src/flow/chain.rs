//! The chain of blocks: declares its parameters and records its forward, backward and inverse passes.
//!
//! Block: `u -> ActNorm -> permutation -> (u1, u2)`, then `v1 = T(u1; net1(u2, h))`, `v2 = T(u2; net2(v1, h))`.
//! Inverse: `u2 = T^-1(v2; net2(v1, h))`, then `u1 = T^-1(v1; net1(u2, h))`. With D = 1 the first half is empty and the
//! transform of the second depends on h alone.
use crate::flow::actnorm::{self, ActnormArgs, Halves};
use crate::flow::affine::{self, TransformArgs};
use crate::flow::base::{self, Base};
use crate::flow::householder::{self, HouseholderArgs};
use crate::flow::spline;
use crate::layers::mlp::{Mlp, MlpShape, MlpTrace};
use crate::rng::{Rng, streams};
use crate::runtime::params::{Init, ParamTable, pad4};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Slot;

/// The element-wise transform of a coupling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TransformKind {
    /// `v = u e^s + t`
    Affine,
    /// Rational-quadratic spline.
    Spline {
        /// Bins K.
        bins: usize,
        /// Half-width B of the interval.
        bound: f32,
    },
}

/// How coordinates are mixed between couplings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Permutation {
    /// A fixed random one for each block.
    Random,
    /// The last coordinate first.
    Reversal,
    /// A product of this many learnable reflections.
    Householder(usize),
}

/// Everything that fixes a flow but its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowShape {
    /// D, the number of parameters; at least 1.
    pub dim: usize,
    /// Size of the condition; may be 0.
    pub condition: usize,
    /// Blocks K.
    pub blocks: usize,
    /// Transform of the couplings.
    pub transform: TransformKind,
    /// Conditioner networks.
    pub mlp: MlpShape,
    /// Mixing of coordinates.
    pub permutation: Permutation,
    /// Whether blocks begin with ActNorm.
    pub actnorm: bool,
    /// Degrees of freedom of a Student-t base; none for the normal.
    pub nu: Option<f32>,
    /// Whether nu is learned.
    pub learn_nu: bool,
}

struct Coupling {
    /// Coordinates transformed.
    n: usize,
    mlp: Mlp,
}
struct Block {
    log_scale: u32,
    shift: u32,
    order: Vec<f32>,
    inverse_order: Vec<f32>,
    vectors: Option<(u32, usize)>,
    first: Option<Coupling>,
    second: Coupling,
}

/// A declared flow.
pub struct Flow {
    /// Its shape.
    pub shape: FlowShape,
    blocks: Vec<Block>,
    /// Its base density.
    pub base: Base,
    table_len: usize,
}

/// Slots of one block that the way back reads.
pub struct BlockTrace {
    /// Input of the block, before ActNorm.
    pub input: Halves,
    mixed: Halves,
    output: Halves,
    first: Option<MlpTrace>,
    second: MlpTrace,
}

impl Flow {
    /// Declares the parameters of a flow. The random permutations depend on `seed`.
    pub fn declare(table: &mut ParamTable, shape: &FlowShape, seed: u64) -> Self {
        let (d, c) = (shape.dim, shape.condition);
        let (d1, d2) = (d / 2, d - d / 2);
        let outputs = |n| match shape.transform {
            TransformKind::Affine => affine::outputs(n),
            TransformKind::Spline { bins, .. } => spline::outputs(n, bins),
        };
        let depth = shape.mlp.hidden.len() as u32;
        let mut blocks = vec![];
        for k in 0..shape.blocks {
            let name = format!("flow.{k}");
            let log_scale = table.vector(format!("{name}.actnorm.log_scale"), d, Init::Constant(0.0));
            let shift = table.vector(format!("{name}.actnorm.shift"), d, Init::Constant(0.0));
            let order = order(shape.permutation, d, seed, k);
            let mut inverse_order = vec![0.0; d];
            order.iter().enumerate().for_each(|(i, &s)| inverse_order[s as usize] = i as f32);
            let vectors = match shape.permutation {
                Permutation::Householder(count) => {
                    let sd = Init::Normal(1.0 / (d as f32).sqrt());
                    let at = table.vector(format!("{name}.householder.0"), d, sd);
                    for m in 1..count {
                        table.vector(format!("{name}.householder.{m}"), d, sd);
                    }
                    Some((at, count))
                }
                _ => None,
            };
            let layer = 2 * k as u32 * depth;
            let first = (d1 > 0).then(|| Coupling {
                n: d1,
                mlp: Mlp::declare(table, &format!("{name}.first"), &shape.mlp, &[d2, c], outputs(d1), layer),
            });
            let second = Coupling {
                n: d2,
                mlp: Mlp::declare(
                    table,
                    &format!("{name}.second"),
                    &shape.mlp,
                    &[d1, c],
                    outputs(d2),
                    layer + depth,
                ),
            };
            blocks.push(Block { log_scale, shift, order, inverse_order, vectors, first, second });
        }
        let base = match (shape.nu, shape.learn_nu) {
            (None, _) => Base::Normal,
            (Some(nu), false) => Base::StudentT(nu),
            (Some(nu), true) => Base::declare_learned(table, nu),
        };
        let mut flow = Self { shape: shape.clone(), blocks, base, table_len: 0 };
        flow.table_len = table.len;
        flow
    }

    /// Tells the flow how long the whole parameter table became, so that it finds the transposed image.
    pub fn set_table_len(&mut self, len: usize) {
        self.table_len = len;
    }

    /// Offsets of the ActNorm log scale and shift of block `k`.
    pub fn actnorm_params(&self, k: usize) -> (u32, u32) {
        (self.blocks[k].log_scale, self.blocks[k].shift)
    }

    /// Records `u -> z`; log-determinants are added to `meta`. `training` turns dropout on.
    pub fn forward(
        &self,
        r: &mut Recorder,
        u: Halves,
        condition: Option<Slot>,
        meta: Slot,
        training: bool,
    ) -> Vec<BlockTrace> {
        let mut trace = vec![];
        let mut x = u;
        for block in &self.blocks {
            let output = Halves::new(r, self.shape.dim);
            let t = self.block_forward(r, block, x, output, condition, meta, training);
            x = t.output;
            trace.push(t);
        }
        trace
    }

    /// Records `u -> z` for a plan that does not go backward: slots are reused from block to block, so a row's activations stay in cache
    /// however deep the chain is. Log-determinants are added to `meta`.
    pub fn density(&self, r: &mut Recorder, u: Halves, condition: Option<Slot>, meta: Slot) -> Halves {
        let pair = [Halves::new(r, self.shape.dim), Halves::new(r, self.shape.dim)];
        let start = r.mark();
        let mut x = u;
        for (k, block) in self.blocks.iter().enumerate() {
            r.release(start);
            x = self.block_forward(r, block, x, pair[k % 2], condition, meta, false).output;
        }
        x
    }

    /// z of a recorded forward pass (`u` itself when there are no blocks).
    pub fn output(&self, u: Halves, trace: &[BlockTrace]) -> Halves {
        trace.last().map_or(u, |t| t.output)
    }

    fn mix(&self, r: &mut Recorder, block: &Block, u: Halves, v: Halves, meta: Slot) -> ActnormArgs {
        let (u_a, u_b, v_a, v_b) = (u.a.at, u.b.at, v.a.at, v.b.at);
        let order = r.constants(&block.order);
        ActnormArgs {
            u_a,
            u_b,
            v_a,
            v_b,
            log_scale: block.log_scale,
            shift: block.shift,
            order,
            row_meta: meta.at,
            ..ActnormArgs::default()
        }
    }

    #[allow(clippy::too_many_arguments)] // the pieces of one block's context
    fn block_forward(
        &self,
        r: &mut Recorder,
        block: &Block,
        input: Halves,
        output: Halves,
        h: Option<Slot>,
        meta: Slot,
        training: bool,
    ) -> BlockTrace {
        let d = self.shape.dim;
        let mut mixed = Halves::new(r, d);
        let args = self.mix(r, block, input, mixed, meta);
        r.call(&actnorm::FORWARD, actnorm::spec(d), args);
        if let Some((vectors, count)) = block.vectors {
            let (x, y) = (mixed, Halves::new(r, d));
            self.reflect(r, vectors, count, x, y, false);
            mixed = y;
        }
        let first = block.first.as_ref().map(|c| {
            let t = c.mlp.forward(r, &inputs(mixed.b, mixed.second(), h), training);
            self.transform(r, Pass::Forward, c.n, mixed.a, t.out, output.a, meta);
            t
        });
        let c = &block.second;
        let second = c.mlp.forward(r, &inputs(output.a, mixed.first(), h), training);
        self.transform(r, Pass::Forward, c.n, mixed.b, second.out, output.b, meta);
        BlockTrace { input, mixed, output, first, second }
    }

    /// Records the way back. `d` holds the gradient by z on entry and that by u on return; `d_condition`, when
    /// given, is added to.
    pub fn backward(
        &self,
        r: &mut Recorder,
        trace: &[BlockTrace],
        condition: Option<Slot>,
        meta: Slot,
        d: Halves,
        d_condition: Option<Slot>,
    ) -> Halves {
        let scratch = Mlp::scratch(&self.shape.mlp, r);
        let mut d = d;
        for (block, t) in self.blocks.iter().zip(trace).rev() {
            d = self.block_backward(r, block, t, condition, meta, d, d_condition, &scratch);
        }
        d
    }

    #[allow(clippy::too_many_arguments)] // the pieces of one block's context; a struct would be used once
    fn block_backward(
        &self,
        r: &mut Recorder,
        block: &Block,
        t: &BlockTrace,
        h: Option<Slot>,
        meta: Slot,
        d: Halves,
        d_h: Option<Slot>,
        scratch: &[Slot],
    ) -> Halves {
        // v2 = T(u2; net2(v1, h)): d.b becomes the gradient by u2, and v1 receives its share through net2
        self.transform(r, Pass::Backward, block.second.n, t.mixed.b, t.second.out, d.b, meta);
        let d_inputs = gradients(d.a, t.mixed.first(), h, d_h);
        block.second.mlp.backward(r, self.table_len, &t.second, &d_inputs, scratch);
        if let (Some(c), Some(first)) = (&block.first, &t.first) {
            self.transform(r, Pass::Backward, c.n, t.mixed.a, first.out, d.a, meta);
            let d_inputs = gradients(d.b, t.mixed.second(), h, d_h);
            c.mlp.backward(r, self.table_len, first, &d_inputs, scratch);
        }
        let dim = self.shape.dim;
        if let Some((vectors, count)) = block.vectors {
            let d_vectors = r.slot(count * pad4(dim));
            let (work, d_work) = (r.slot(dim).at, r.slot(dim).at);
            let args = HouseholderArgs {
                x_a: t.mixed.a.at,
                x_b: t.mixed.b.at,
                y_a: d.a.at,
                y_b: d.b.at,
                vectors,
                d_vectors: d_vectors.at,
                work,
                d_work,
            };
            r.call(&householder::BACKWARD, householder::spec(dim, count, false), args);
            r.sum_gradient(d_vectors, vectors);
        }
        let d_u = Halves::new(r, dim);
        let (d_log_scale, d_shift) = (r.slot(dim), r.slot(dim));
        let args = ActnormArgs {
            order: r.constants(&block.inverse_order),
            d_a: d_u.a.at,
            d_b: d_u.b.at,
            d_log_scale: d_log_scale.at,
            d_shift: d_shift.at,
            ..self.mix(r, block, t.input, d, meta)
        };
        r.call(&actnorm::BACKWARD, actnorm::spec(dim), args);
        if self.shape.actnorm {
            r.sum_gradient(d_log_scale, block.log_scale);
            r.sum_gradient(d_shift, block.shift);
        }
        d_u
    }

    /// Records `z -> u`, reusing slots from block to block: all blocks lay theirs out alike. Log-determinants are not formed.
    pub fn inverse(&self, r: &mut Recorder, z: Halves, condition: Option<Slot>, meta: Slot) -> Halves {
        let d = self.shape.dim;
        let pair = [Halves::new(r, d), Halves::new(r, d)];
        let (u, x) = (Halves::new(r, d), Halves::new(r, d));
        let start = r.mark();
        let mut v = z;
        for (k, block) in self.blocks.iter().enumerate().rev() {
            r.release(start);
            let c = &block.second;
            let raw = c.mlp.draw(r, &inputs(v.a, u.first(), condition));
            self.transform(r, Pass::Inverse, c.n, u.b, raw, v.b, meta);
            if let Some(c) = &block.first {
                // No release here: the two networks differ in width, and a slot may come back only where the same
                // offset has the same width (see `Recorder::release`).
                let raw = c.mlp.draw(r, &inputs(u.b, u.second(), condition));
                self.transform(r, Pass::Inverse, c.n, u.a, raw, v.a, meta);
            }
            let mut mixed = u;
            if let Some((vectors, count)) = block.vectors {
                self.reflect(r, vectors, count, u, x, true);
                mixed = x;
            }
            let out = pair[k % 2];
            let order = r.constants(&block.inverse_order);
            let args = ActnormArgs { order, ..self.mix(r, block, out, mixed, meta) };
            r.call(&actnorm::INVERSE, actnorm::spec(d), args);
            v = out;
        }
        v
    }

    fn reflect(&self, r: &mut Recorder, vectors: u32, count: usize, x: Halves, y: Halves, reversed: bool) {
        let work = r.slot(x.dim).at;
        let args = HouseholderArgs {
            x_a: x.a.at,
            x_b: x.b.at,
            y_a: y.a.at,
            y_b: y.b.at,
            vectors,
            d_vectors: work,
            work,
            d_work: work,
        };
        r.call(&householder::APPLY, householder::spec(x.dim, count, reversed), args);
    }

    #[allow(clippy::too_many_arguments)] // a transform's own signature
    fn transform(&self, r: &mut Recorder, pass: Pass, n: usize, u: Slot, o: Slot, v: Slot, meta: Slot) {
        let args = TransformArgs { u: u.at, o: o.at, v: v.at, row_meta: meta.at };
        match self.shape.transform {
            TransformKind::Affine => {
                let kernel = [&affine::FORWARD, &affine::INVERSE, &affine::BACKWARD][pass as usize];
                r.call(kernel, affine::spec(n), args);
            }
            TransformKind::Spline { bins, bound } => {
                let kernel = [&spline::FORWARD, &spline::INVERSE, &spline::BACKWARD][pass as usize];
                r.call(kernel, spline::spec(n, bins, bound), args);
            }
        }
    }

    /// Records the draw of z and the inverse chain.
    pub fn sample(&self, r: &mut Recorder, condition: Option<Slot>, meta: Slot) -> Halves {
        let z = Halves::new(r, self.shape.dim);
        base::draw(r, self.base, z, meta.at);
        self.inverse(r, z, condition, meta)
    }
}

#[derive(Clone, Copy)]
enum Pass {
    Forward,
    Inverse,
    Backward,
}

/// Conditioner inputs: the other half where it is not empty, and the condition where there is one.
fn inputs(half: Slot, size: usize, h: Option<Slot>) -> Vec<Slot> {
    (size > 0).then_some(half).into_iter().chain(h).collect()
}
/// Where the gradients by the conditioner's inputs go, in the same order.
fn gradients(half: Slot, size: usize, h: Option<Slot>, d_h: Option<Slot>) -> Vec<Option<Slot>> {
    (size > 0).then_some(Some(half)).into_iter().chain(h.map(|_| d_h)).collect()
}

fn order(permutation: Permutation, dim: usize, seed: u64, block: usize) -> Vec<f32> {
    let mut order: Vec<f32> = (0..dim).map(|i| i as f32).collect();
    match permutation {
        Permutation::Reversal => order.reverse(),
        Permutation::Householder(_) => {}
        // With two coordinates a random order would leave half of the blocks without an exchange.
        Permutation::Random if dim == 2 => order.reverse(),
        Permutation::Random => {
            let mut rng = Rng::new(seed, streams::INIT, u32::MAX, block as u32);
            for i in (1..dim).rev() {
                order.swap(i, ((u64::from(rng.next_u32()) * (i as u64 + 1)) >> 32) as usize);
            }
        }
    }
    order
}

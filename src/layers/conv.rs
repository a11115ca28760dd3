//! Products over the items of a row: dense on items, convolution of series and of fields.
//!
//! `y(o) = [y(o) +] sum_t x(o s - p + t) W_t + b`, items outside of the row count as zero. A row's slot holds its items one
//! after the other, channels last; a field is read row by row. With one tap and no stride this is the same matrix applied
//! to every item; a series is a field of height 1.
use crate::args;
use crate::layers::conv_cpu::{backward_cpu, forward_cpu};
use crate::runtime::args::Args;
use crate::runtime::kernel::{Call, KernelDef, Spec};
use crate::runtime::params::{Init, ParamTable, pad4};
use crate::runtime::plan::{GradJob, View};
use crate::runtime::recorder::Recorder;
use crate::runtime::tile::Slot;

args! {
    /// Arguments of `layers/conv_*`.
    pub struct ConvArgs {
        /// Slot `(batch, HEIGHT, WIDTH, P)`: input; for the way back its gradient.
        pub x: u32,
        /// Offset of the taps `(KH KW P, J)`, floats; for the way back of their transpose.
        pub weight: u32,
        /// With `BIAS` 1 the offset of a vector `(J)`, with 2 a slot `(batch, J)`.
        pub bias: u32,
        /// Slot `(batch, OUT_HEIGHT, OUT_WIDTH, J)`: output; for the way back delta.
        pub y: u32,
        /// Input rows.
        pub height: u32,
        /// Input columns.
        pub width: u32,
        /// Output rows.
        pub out_height: u32,
        /// Output columns.
        pub out_width: u32,
    }
}

/// `y = [y +] x * W [+ b]`
pub static FORWARD: KernelDef = KernelDef {
    name: "layers/conv_forward",
    source: include_str!("../../shaders/layers/conv_forward.wgsl"),
    args: || ConvArgs::wgsl() + &ConvArgs::wgsl_loader(),
    cpu: forward_cpu,
    flops,
    samples: &[
        |r| sample(r, &FORWARD, ItemShape::dense(5), 8, 12, Bias::Vector, false),
        |r| sample(r, &FORWARD, ItemShape::dense(3), 4, 8, Bias::Row, false),
        |r| sample(r, &FORWARD, ItemShape::dense(1), 64, 4, Bias::None, true),
        |r| sample(r, &FORWARD, ItemShape::series(7, 3, 2), 4, 8, Bias::Vector, false),
        |r| sample(r, &FORWARD, ItemShape::series(2, 5, 1), 8, 4, Bias::None, true),
        |r| sample(r, &FORWARD, ItemShape::field([5, 4], 3, 2), 4, 8, Bias::Vector, false),
    ],
};
/// `d_x = [d_x +] delta *^T W`
pub static BACKWARD: KernelDef = KernelDef {
    name: "layers/conv_backward",
    source: include_str!("../../shaders/layers/conv_backward.wgsl"),
    args: || ConvArgs::wgsl() + &ConvArgs::wgsl_loader(),
    cpu: backward_cpu,
    flops,
    samples: &[
        |r| sample(r, &BACKWARD, ItemShape::series(7, 3, 2), 4, 8, Bias::None, false),
        |r| sample(r, &BACKWARD, ItemShape::series(2, 5, 1), 8, 4, Bias::None, true),
        |r| sample(r, &BACKWARD, ItemShape::field([5, 4], 3, 2), 4, 8, Bias::None, false),
    ],
};

/// Of a row; taps that reach outside of it counted too.
fn flops(c: &Call) -> u64 {
    let a: ConvArgs = c.args();
    let tap = c.spec.get("KH") * c.spec.get("KW") * c.spec.get("P") * c.spec.get("J");
    2 * tap as u64 * u64::from(a.out_height) * u64::from(a.out_width)
}

fn sample(
    r: &mut Recorder,
    def: &'static KernelDef,
    shape: ItemShape,
    p: usize,
    j: usize,
    bias: Bias,
    add: bool,
) {
    let (x, y) = (r.slot(shape.items() * p), r.slot(shape.out_items() * j));
    let v = r.slot(j);
    let bias_at = if bias == Bias::Row { v.at } else { 4096 };
    r.call(def, shape.spec(p, j, bias, add), shape.args(x, 8, bias_at, y));
}

/// What is added to a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// Nothing.
    None,
    /// A vector of parameters.
    Vector,
    /// A slot, one vector for each row.
    Row,
}

/// How the items of a layer's output look at those of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemShape {
    /// Input (rows, columns).
    pub size: [usize; 2],
    /// Taps.
    pub kernel: [usize; 2],
    /// Distance of the windows.
    pub stride: [usize; 2],
    /// Items before the first that the first window begins with.
    pub pad: [usize; 2],
}

impl ItemShape {
    /// Every item by itself.
    pub fn dense(items: usize) -> Self {
        Self { size: [1, items], kernel: [1, 1], stride: [1, 1], pad: [0, 0] }
    }
    /// Windows of `taps` items, `ceil(items / stride)` of them, centred where the stride puts them.
    pub fn series(items: usize, taps: usize, stride: usize) -> Self {
        Self { size: [1, items], kernel: [1, taps], stride: [1, stride], pad: [0, (taps - 1) / 2] }
    }
    /// The same in two directions.
    pub fn field(size: [usize; 2], taps: usize, stride: usize) -> Self {
        Self { size, kernel: [taps; 2], stride: [stride; 2], pad: [(taps - 1) / 2; 2] }
    }
    /// Output (rows, columns).
    pub fn out(&self) -> [usize; 2] {
        [0, 1].map(|a| self.size[a].div_ceil(self.stride[a]))
    }
    /// Input items.
    pub fn items(&self) -> usize {
        self.size[0] * self.size[1]
    }
    /// Output items.
    pub fn out_items(&self) -> usize {
        self.out()[0] * self.out()[1]
    }
    /// Taps in all.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
    fn is_dense(&self) -> bool {
        self.taps() == 1 && self.stride == [1, 1]
    }
    fn spec(&self, p: usize, j: usize, bias: Bias, add: bool) -> Spec {
        Spec::new(&[
            ("P", p),
            ("J", j),
            ("KH", self.kernel[0]),
            ("KW", self.kernel[1]),
            ("SH", self.stride[0]),
            ("SW", self.stride[1]),
            ("PH", self.pad[0]),
            ("PW", self.pad[1]),
            ("BIAS", bias as usize),
            ("ADD", add.into()),
        ])
    }
    fn args(&self, x: Slot, weight: u32, bias: u32, y: Slot) -> ConvArgs {
        let ([height, width], [out_height, out_width]) =
            (self.size.map(|n| n as u32), self.out().map(|n| n as u32));
        ConvArgs { x: x.at, weight, bias, y: y.at, height, width, out_height, out_width }
    }
    /// Along one axis, outputs `from..to` whose tap `t` lies inside the input.
    pub(crate) fn inside(&self, axis: usize, t: usize) -> (usize, usize) {
        let (n, s, p) = (self.size[axis], self.stride[axis], self.pad[axis]);
        let from = p.saturating_sub(t).div_ceil(s);
        let to = if n + p > t { (n + p - t).div_ceil(s).min(self.out()[axis]) } else { 0 };
        (from.min(to), to)
    }
}

/// The parameters of a product over items.
#[derive(Clone, Copy, Debug)]
pub struct ItemDense {
    weight: u32,
    bias: Option<u32>,
    /// Inputs of an item.
    pub inputs: usize,
    /// Outputs of an item.
    pub cols: usize,
    taps: usize,
}

impl ItemDense {
    /// Declares taps `(taps inputs, cols)` and, with `bias`, a vector `(cols)`; normal with sd `gain sqrt(2 / (taps inputs +
    /// others))`, which keeps the size of what rectifiers pass on. `others`: inputs that reach the output by another way.
    pub fn declare(
        table: &mut ParamTable,
        name: &str,
        taps: usize,
        inputs: usize,
        cols: usize,
        others: usize,
        bias: bool,
    ) -> Self {
        let sd = (2.0 / (taps * inputs + others) as f32).sqrt();
        // A single tap needs no padding between taps.
        let rows = if taps == 1 { inputs } else { taps * pad4(inputs) };
        let weight = table.matrix(format!("{name}.weight"), rows, cols, Init::Normal(sd));
        let bias = bias.then(|| table.vector(format!("{name}.bias"), cols, Init::Constant(0.0)));
        Self { weight, bias, inputs, cols, taps }
    }

    /// Records `y = x * W + b`; `row`: a slot `(batch, cols)` in place of the bias.
    pub fn forward(&self, r: &mut Recorder, shape: &ItemShape, x: Slot, y: Slot, row: Option<Slot>) {
        assert_eq!(shape.taps(), self.taps, "conv: taps as declared");
        let (p, j) = (pad4(self.inputs), pad4(self.cols));
        let (bias, at) = match (row, self.bias) {
            (Some(slot), _) => (Bias::Row, slot.at),
            (None, Some(at)) => (Bias::Vector, at),
            (None, None) => (Bias::None, 0),
        };
        r.call(&FORWARD, shape.spec(p, j, bias, false), shape.args(x, self.weight, at, y));
    }

    /// Files the gradients and, where one is wanted, records that by `x`: (slot, whether to add).
    pub fn backward(
        &self,
        r: &mut Recorder,
        table_len: usize,
        shape: &ItemShape,
        x: Slot,
        delta: Slot,
        d_x: Option<(Slot, bool)>,
    ) {
        let (p, j) = (pad4(self.inputs), pad4(self.cols));
        let out = shape.out();
        for t in 0..self.taps {
            let (ty, tx) = (t / shape.kernel[1], t % shape.kernel[1]);
            let ((y0, y1), (x0, x1)) = (shape.inside(0, ty), shape.inside(1, tx));
            let from = |o: usize, axis: usize, t: usize| (o * shape.stride[axis] + t) - shape.pad[axis];
            let empty = y0 == y1 || x0 == x1;
            let first = if empty { 0 } else { from(y0, 0, ty) * shape.size[1] + from(x0, 1, tx) };
            r.gradient(GradJob {
                x: Some(x),
                delta,
                at: self.weight + (t * p * j) as u32,
                k: p as u32,
                j: j as u32,
                items: [(y1 - y0) as u32, (x1 - x0) as u32],
                x_view: View {
                    first: (first * p) as u32,
                    outer: (shape.stride[0] * shape.size[1] * p) as u32,
                    inner: (shape.stride[1] * p) as u32,
                },
                delta_view: View {
                    first: ((y0 * out[1] + x0) * j) as u32,
                    outer: (out[1] * j) as u32,
                    inner: j as u32,
                },
            });
        }
        if let Some(bias) = self.bias {
            sum_items(r, delta, shape.out_items(), j, bias);
        }
        let Some((d_x, add)) = d_x else { return };
        let weight = table_len as u32 + self.weight;
        if shape.is_dense() {
            // The transposed matrix on every item.
            let args = shape.args(delta, weight, 0, d_x);
            return r.call(&FORWARD, shape.spec(j, p, Bias::None, add), args);
        }
        r.call(&BACKWARD, shape.spec(p, j, Bias::None, add), shape.args(d_x, weight, 0, delta));
    }
}

/// Files `d_vector = sum of delta over batch and items`.
pub fn sum_items(r: &mut Recorder, delta: Slot, items: usize, width: usize, vector: u32) {
    r.gradient(GradJob {
        k: 1,
        j: width as u32,
        items: [1, items as u32],
        delta_view: View::dense(0, width),
        ..GradJob::rows(None, delta, vector)
    });
}

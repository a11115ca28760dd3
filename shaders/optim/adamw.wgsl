// AdamW after a clip of the gradient's norm, moving average, transposed image. Twin of src/optim/adamw.rs.
//
// 0  args       uniform     rates
// 1  records    read        8 words: (partial norms, image offset, -...); then for each workgroup
//                           kind | at | rows | cols | row0 | col0 | end | -
// 2  state      read        of the step being applied
// 3  norm_part  read        from optim/weight_grad
// 4  grad       read        (P)
// 5  params     read_write  (2 P) values, then transposes
// 6  moments    read_write  (P) first, second
// 7  average    read_write  (P)
// 8  logs       read_write  this step's entry: (-, -, norm, skipped) by the first workgroup
//
// Matrix: 32 x 32 elements a workgroup, 4 a thread; the transposed image leaves through workgroup memory, so that its
// rows are written in order too. Vectors: 1024 floats a workgroup. Every workgroup adds all partial norms again, which
// is cheaper than a launch for it.
@group(0) @binding(0) var<uniform> args: StepArgs;
@group(0) @binding(1) var<storage, read> records: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<State>;
@group(0) @binding(3) var<storage, read> norm_part: array<f32>;
@group(0) @binding(4) var<storage, read> grad: array<f32>;
@group(0) @binding(5) var<storage, read_write> params: array<f32>;
@group(0) @binding(6) var<storage, read_write> moments: array<vec2f>;
@group(0) @binding(7) var<storage, read_write> average: array<f32>;
@group(0) @binding(8) var<storage, read_write> logs: array<vec4f>;
// Rows of 33, so that neither reading nor writing a column meets one bank twice.
var<workgroup> tile: array<f32, 1056>;

// Twin of `step`: one element; its new value.
fn update(i: u32, scale: f32, decay: f32, s: State) -> f32 {
    let d = grad[i] * scale;
    let old = moments[i];
    let m = args.beta1 * old.x + (1.0 - args.beta1) * d;
    let v = args.beta2 * old.y + (1.0 - args.beta2) * d * d;
    moments[i] = vec2f(m, v);
    let inv1 = 1.0 / s.correction1;
    let inv2 = 1.0 / s.correction2;
    let w = params[i];
    let fresh = w - s.lr * (m * inv1 / (sqrt(v * inv2) + args.eps) + decay * w);
    params[i] = fresh;
    average[i] = s.ema * average[i] + (1.0 - s.ema) * fresh;
    return fresh;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
    let n_norm = records[0];
    let image = records[1];
    var square = 0.0;
    for (var i = t; i < n_norm; i += 256u) { square += norm_part[i]; }
    tile[t] = square;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if (t < half) { tile[t] += tile[t + half]; }
        workgroupBarrier();
    }
    let norm = sqrt(tile[0]);
    let s = state[0];
    // What is not finite changes nothing (looked for in the bits: compilers may assume that there is no NaN).
    let good = is_finite_bits(norm) && s.blocked == 0u;
    if (group.x == 0u && t == 0u) {
        let entry = (s.step - 1u) % LOG;
        logs[entry] = vec4f(logs[entry].xy, norm, select(1.0, 0.0, good));
    }
    let scale = min(args.clip / max(norm, 1e-30), 1.0);
    let r = 8u * (group.x + 1u);
    let at = records[r + 1u];
    let rows = records[r + 2u];
    let cols = records[r + 3u];
    let row0 = records[r + 4u];
    let col0 = records[r + 5u];
    // All have read tile[0] before it is written again.
    workgroupBarrier();
    if (records[r] == 0u) {
        let end = records[r + 6u];
        for (var i = at + t; i < min(at + 1024u, end); i += 256u) {
            if (good) { _ = update(i, scale, 0.0, s); }
        }
        return;
    }
    for (var i = t / 32u; i < 32u; i += 8u) {
        let row = row0 + i;
        let col = col0 + t % 32u;
        if (good && row < rows && col < cols) {
            tile[i * 33u + t % 32u] = update(at + row * cols + col, scale, args.decay, s);
        }
    }
    workgroupBarrier();
    for (var i = t / 32u; i < 32u; i += 8u) {
        let row = row0 + t % 32u;
        let col = col0 + i;
        if (good && row < rows && col < cols) {
            params[image + at + col * rows + row] = tile[(t % 32u) * 33u + i];
        }
    }
}

// Weight gradients over a chunk's rows, d_W = x^T delta and d_b = column sums of delta; ends the step's bookkeeping.
//
// 0  run        uniform     rows, pad, row0, batch
// 1  args       uniform     schedule
// 2  jobs       read        20 words a workgroup, as struct Job: sizes and places in quads
// 3  acts       read        slots
// 4  grad       read_write  overwritten by a batch's first chunk, added to by the others
// 5  norm_part  read_write  one a workgroup: sum of squares after adding
// 6  state      read_write  by the workgroup of kind META only, and read by no other
// 7  logs       read_write  ring of LOG steps: (mean loss, masked rows, -, -)
//
// Kind TILE32: 32 x 32 elements; 32 rows at a time pass through workgroup memory, and each quarter of the threads takes
// 8 of them with 4 x 4 elements a thread. Thin matrices and column sums: 32 quads along one side, 8 rows at a time, no
// staging. Sums run in an order that depends on nothing but the rows.
@group(0) @binding(0) var<uniform> run: RunArgs;
@group(0) @binding(1) var<uniform> args: StepArgs;
@group(0) @binding(2) var<storage, read> jobs: array<u32>;
@group(0) @binding(3) var<storage, read> acts: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> grad: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> norm_part: array<f32>;
@group(0) @binding(6) var<storage, read_write> state: array<State>;
@group(0) @binding(7) var<storage, read_write> logs: array<vec4f>;
var<workgroup> one: array<vec4f, 256>;
var<workgroup> two: array<vec4f, 256>;

struct Job {
    x: u32, x_quads: u32, delta: u32, d_quads: u32, out: u32, k0: u32, j0: u32, kind: u32,
    // quads of a row in the slots; items of a row, and where item (o, i) stands: first + o outer + i inner
    x_row: u32, d_row: u32, outer: u32, inner: u32, x_items: vec3u, d_items: vec3u,
}
// Kinds, as in runtime/jobs.rs: a square, column sums, a strip along the columns, one along the rows, the bookkeeping.
const TILE32: u32 = 0u;
const SUMS: u32 = 1u;
const ALONG_J: u32 = 2u;
const ALONG_K: u32 = 3u;
const META: u32 = 4u;

// Sum over the workgroup as a tree; every thread gets it.
fn total(value: vec4f, t: u32) -> vec4f {
    workgroupBarrier();
    one[t] = value;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if (t < half) { one[t] += one[t + half]; }
        workgroupBarrier();
    }
    return one[0];
}
// Stores four elements; their sum of squares.
fn store(i: u32, value: vec4f) -> f32 {
    var g = value;
    if (run.row0 > 0u) { g += grad[i]; }
    grad[i] = g;
    return dot(g, g);
}

// Quad at which item r of all rows begins
fn place(at: u32, width: u32, job: Job, items: vec3u, r: u32) -> u32 {
    let n = job.outer * job.inner;
    if (n == 1u) { return at * run.pad + r * width + items.x; }
    let i = r % n;
    return at * run.pad + (r / n) * width + items.x + (i / job.inner) * items.y + (i % job.inner) * items.z;
}
fn x_place(job: Job, r: u32) -> u32 {
    return place(job.x, job.x_row, job, job.x_items, r);
}
fn d_place(job: Job, r: u32) -> u32 {
    return place(job.delta, job.d_row, job, job.d_items, r);
}

fn square_tile(job: Job, t: u32) -> f32 {
    let row_of = t / 8u;
    let x_from = job.k0 + t % 8u;
    let d_from = job.j0 + t % 8u;
    let x_inside = x_from < job.x_quads;
    let d_inside = d_from < job.d_quads;
    let total = run.rows * job.outer * job.inner;
    let slice = t / 64u;
    let place = t % 64u;
    let k = place / 8u;
    let j = place % 8u;
    var x = vec4f();
    var d = vec4f();
    if (x_inside && row_of < total) { x = acts[x_place(job, row_of) + x_from]; }
    if (d_inside && row_of < total) { d = acts[d_place(job, row_of) + d_from]; }
    var g0 = vec4f();
    var g1 = vec4f();
    var g2 = vec4f();
    var g3 = vec4f();
    for (var row0 = 0u; row0 < total; row0 += 32u) {
        one[t] = x;
        two[t] = d;
        workgroupBarrier();
        // The next rows are on their way while these are multiplied.
        let row = row0 + 32u + row_of;
        x = vec4f();
        d = vec4f();
        if (x_inside && row < total) { x = acts[x_place(job, row) + x_from]; }
        if (d_inside && row < total) { d = acts[d_place(job, row) + d_from]; }
        for (var r = 64u * slice; r < 64u * slice + 64u; r += 32u) {
            let x0 = one[r + k];
            let d0 = two[r + j];
            let x1 = one[r + 8u + k];
            let d1 = two[r + 8u + j];
            let x2 = one[r + 16u + k];
            let d2 = two[r + 16u + j];
            let x3 = one[r + 24u + k];
            let d3 = two[r + 24u + j];
            g0 += x0.x * d0; g1 += x0.y * d0; g2 += x0.z * d0; g3 += x0.w * d0;
            g0 += x1.x * d1; g1 += x1.y * d1; g2 += x1.z * d1; g3 += x1.w * d1;
            g0 += x2.x * d2; g1 += x2.y * d2; g2 += x2.z * d2; g3 += x2.w * d2;
            g0 += x3.x * d3; g1 += x3.y * d3; g2 += x3.z * d3; g3 += x3.w * d3;
        }
        workgroupBarrier();
    }
    // Slices 2 and 3 onto 0 and 1, then 1 onto 0.
    if (slice == 2u) { one[place] = g0; one[64u + place] = g1; one[128u + place] = g2; one[192u + place] = g3; }
    if (slice == 3u) { two[place] = g0; two[64u + place] = g1; two[128u + place] = g2; two[192u + place] = g3; }
    workgroupBarrier();
    if (slice == 0u) { g0 += one[place]; g1 += one[64u + place]; g2 += one[128u + place]; g3 += one[192u + place]; }
    if (slice == 1u) {
        two[place] += g0;
        two[64u + place] += g1;
        two[128u + place] += g2;
        two[192u + place] += g3;
    }
    workgroupBarrier();
    if (slice > 0u || job.k0 + k >= job.x_quads || job.j0 + j >= job.d_quads) { return 0.0; }
    let i = job.out + (job.k0 + k) * 4u * job.d_quads + job.j0 + j;
    return store(i, g0 + two[place]) + store(i + job.d_quads, g1 + two[64u + place])
        + store(i + 2u * job.d_quads, g2 + two[128u + place]) + store(i + 3u * job.d_quads, g3 + two[192u + place]);
}

// Adds a pair of accumulators over the 8 lanes and stores the first `n` of them, one a row of the matrix.
fn strip_pair(a: vec4f, b: vec4f, i: u32, stride: u32, n: u32, inside: bool, t: u32) -> f32 {
    one[t] = a;
    two[t] = b;
    workgroupBarrier();
    var square = 0.0;
    if (t < 32u * n && inside) {
        let q = t % 32u;
        var g = vec4f();
        if (t < 32u) {
            g = one[q] + one[q + 32u] + one[q + 64u] + one[q + 96u];
            g += one[q + 128u] + one[q + 160u] + one[q + 192u] + one[q + 224u];
        } else {
            g = two[q] + two[q + 32u] + two[q + 64u] + two[q + 96u];
            g += two[q + 128u] + two[q + 160u] + two[q + 192u] + two[q + 224u];
        }
        square = store(i + (t / 32u) * stride, g);
    }
    workgroupBarrier();
    return square;
}

fn strip(job: Job, t: u32) -> f32 {
    let along_k = job.kind == ALONG_K;
    let column_sums = job.kind == SUMS;
    let k = job.k0 + select(0u, t % 32u, along_k);
    let j = job.j0 + select(t % 32u, 0u, along_k);
    let inside = j < job.d_quads && (column_sums || k < job.x_quads);
    let total = run.rows * job.outer * job.inner;
    var g0 = vec4f();
    var g1 = vec4f();
    var g2 = vec4f();
    var g3 = vec4f();
    if (inside && column_sums) {
        for (var row = t / 32u; row < total; row += 8u) { g0 += acts[d_place(job, row) + j]; }
    } else if (inside) {
        for (var row = t / 32u; row < total; row += 8u) {
            let x = acts[x_place(job, row) + k];
            let d = acts[d_place(job, row) + j];
            g0 += x.x * d;
            g1 += x.y * d;
            g2 += x.z * d;
            g3 += x.w * d;
        }
    }
    let i = job.out + k * 4u * job.d_quads + j;
    if (column_sums) { return strip_pair(g0, g1, job.out + j, 0u, 1u, inside, t); }
    let square = strip_pair(g0, g1, i, job.d_quads, 2u, inside, t);
    return square + strip_pair(g2, g3, i + 2u * job.d_quads, job.d_quads, 2u, inside, t);
}

// Twin of `State::learning_rate`.
fn learning_rate(t: f32) -> f32 {
    if (t < args.warmup) { return args.lr * (t + 1.0) / args.warmup; }
    let done = min((t - args.warmup) / max(args.total - args.warmup, 1.0), 1.0);
    let cosine = 0.5 * (1.0 + cos_2pi(0.5 * done));
    return args.lr * (1.0 + args.cosine * (cosine - 1.0));
}

// Adds the chunk to the batch's loss; after the last chunk writes the log and advances the state (`State::advance`).
fn bookkeeping(meta_slot: u32, t: u32) {
    var sum = vec4f();
    for (var row = t; row < run.rows; row += 256u) {
        let m = acts[meta_slot * run.pad + row];
        sum += vec4f(m.x * m.z, m.x, m.w, 0.0);
    }
    sum = total(sum, t);
    if (t > 0u) { return; }
    var s = state[0];
    s.loss += sum.x;
    s.weight += sum.y;
    s.masked += sum.z;
    if (run.row0 + run.rows == run.batch) {
        // No row counts: no loss. (The bits of a NaN, from a value that compilers do not know.)
        var mean = bitcast<f32>(0x7fc00000u | s.pad2);
        if (s.weight > 0.0) { mean = s.loss / s.weight; }
        logs[s.step % LOG] = vec4f(mean, s.masked, 0.0, 0.0);
        s.blocked = select(1u, 0u, is_finite_bits(s.loss));
        let step = f32(s.step);
        s.lr = learning_rate(step);
        s.ema = min(args.ema, (1.0 + step) / (10.0 + step));
        s.step += 1u;
        s.correction1 = s.correction1 * args.beta1 + (1.0 - args.beta1);
        s.correction2 = s.correction2 * args.beta2 + (1.0 - args.beta2);
        s.loss = 0.0;
        s.weight = 0.0;
        s.masked = 0.0;
    }
    state[0] = s;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
    let at = 20u * group.x;
    let job = Job(
        jobs[at], jobs[at + 1u], jobs[at + 2u], jobs[at + 3u], jobs[at + 4u], jobs[at + 5u], jobs[at + 6u], jobs[at + 7u],
        jobs[at + 8u], jobs[at + 9u], jobs[at + 10u], jobs[at + 11u], vec3u(jobs[at + 12u], jobs[at + 13u], jobs[at + 14u]),
        vec3u(jobs[at + 15u], jobs[at + 16u], jobs[at + 17u]),
    );
    if (job.kind == META) {
        bookkeeping(job.delta, t);
        return;
    }
    var square = 0.0;
    if (job.kind == TILE32) {
        square = square_tile(job, t);
    } else {
        square = strip(job, t);
    }
    let sum = total(vec4f(square), t);
    if (t == 0u) { norm_part[group.x] = sum.x; }
}

// Weight gradients over a chunk's rows, d_W = x^T delta and d_b = column sums of delta; ends the step's bookkeeping.
// After this file come its parts: weight_grad_square.wgsl, weight_grad_strip.wgsl, weight_grad_end.wgsl.
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

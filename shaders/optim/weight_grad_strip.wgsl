// Thin weight gradients and column sums by one workgroup (kinds SUMS, ALONG_J and ALONG_K of weight_grad.wgsl).

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

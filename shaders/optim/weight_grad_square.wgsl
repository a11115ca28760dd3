// 32 x 32 elements of a weight gradient by one workgroup (kind TILE32 of weight_grad.wgsl).
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

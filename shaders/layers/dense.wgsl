// Dense product.      y = [y +] x W [+ b]
//
// x  (batch, K)   read
// y  (batch, J)   write; with ADD read too
// W  (K, J)       parameters, row-major (past the values' end: a stored transpose)
// b  (J)          parameters, with BIAS
//
// One thread per (4 rows, 4 columns, piece of K). Four rows per thread read each weight once instead of four times;
// where that leaves threads idle, K is cut into pieces, added in order through workgroup memory. x is read from
// its slot: threads of a row group read the same address, which the first-level cache serves.

fn kernel(at: u32, t: u32) {
    let a = load_DenseArgs(at);
    const quads = J / 4u;
    const depth = K / 4u;
    const units = quads * (TILE / 4u);
    // as many pieces as there are threads and workgroup memory for: the first piece stays in registers
    const pieces = max(1u, min(min(WORKGROUP, PARTS / 4u + units) / units, depth));
    const piece_depth = (depth + pieces - 1u) / pieces;
    if (pieces == 1u) {
        for (var unit = t; unit < units; unit += WORKGROUP) {
            let q = unit % quads;
            let row = 4u * (unit / quads);
            result(a, row, q, product(a, row, q, 0u, depth));
        }
    } else {
        let piece = t / units;
        let unit = t % units;
        let q = unit % quads;
        let row = 4u * (unit / quads);
        var s = mat4x4f();
        if (piece < pieces) {
            s = product(a, row, q, piece * piece_depth, min((piece + 1u) * piece_depth, depth));
            if (piece > 0u) {
                let to = 4u * (piece - 1u) * units + unit;
                parts[to] = s[0];
                parts[to + units] = s[1];
                parts[to + 2u * units] = s[2];
                parts[to + 3u * units] = s[3];
            }
        }
        workgroupBarrier();
        if (piece == 0u) {
            var s0 = s[0];
            var s1 = s[1];
            var s2 = s[2];
            var s3 = s[3];
            for (var part = unit; part < 4u * (pieces - 1u) * units; part += 4u * units) {
                s0 += parts[part];
                s1 += parts[part + units];
                s2 += parts[part + 2u * units];
                s3 += parts[part + 3u * units];
            }
            result(a, row, q, mat4x4f(s0, s1, s2, s3));
        }
    }
}
// Quads k0 .. k1 of the product for local rows row .. row + 4 (one per column of the result) and column quad q
fn product(a: DenseArgs, row: u32, q: u32, k0: u32, k1: u32) -> mat4x4f {
    const quads = J / 4u;
    const depth = K / 4u;
    let x = tile_slot(a.x, depth) + row * depth;
    let w = a.weight / 4u + q;
    var s0 = vec4f();
    var s1 = vec4f();
    var s2 = vec4f();
    var s3 = vec4f();
    for (var k = k0; k < k1; k += 1u) {
        let w0 = params[w + 4u * k * quads];
        let w1 = params[w + 4u * k * quads + quads];
        let w2 = params[w + 4u * k * quads + 2u * quads];
        let w3 = params[w + 4u * k * quads + 3u * quads];
        let x0 = acts[x + k];
        let x1 = acts[x + k + depth];
        let x2 = acts[x + k + 2u * depth];
        let x3 = acts[x + k + 3u * depth];
        s0 += x0.x * w0;
        s1 += x1.x * w0;
        s2 += x2.x * w0;
        s3 += x3.x * w0;
        s0 += x0.y * w1;
        s1 += x1.y * w1;
        s2 += x2.y * w1;
        s3 += x3.y * w1;
        s0 += x0.z * w2;
        s1 += x1.z * w2;
        s2 += x2.z * w2;
        s3 += x3.z * w2;
        s0 += x0.w * w3;
        s1 += x1.w * w3;
        s2 += x2.w * w3;
        s3 += x3.w * w3;
    }
    return mat4x4f(s0, s1, s2, s3);
}
fn result(a: DenseArgs, row: u32, q: u32, s: mat4x4f) {
    const quads = J / 4u;
    let y = tile_slot(a.y, quads) + row * quads + q;
    var start = vec4f();
    if (BIAS == 1u) {
        start = params[a.bias / 4u + q];
    }
    if (ADD == 1u) {
        acts[y] = acts[y] + start + s[0];
        acts[y + quads] = acts[y + quads] + start + s[1];
        acts[y + 2u * quads] = acts[y + 2u * quads] + start + s[2];
        acts[y + 3u * quads] = acts[y + 3u * quads] + start + s[3];
    } else {
        acts[y] = start + s[0];
        acts[y + quads] = start + s[1];
        acts[y + 2u * quads] = start + s[2];
        acts[y + 3u * quads] = start + s[3];
    }
}

// Product over items.      y(o) = [y(o) +] sum_t x(o s - p + t) W_t [+ b],   items outside of the row count as zero
//
// x  (batch, height, width, P)           read
// y  (batch, out_height, out_width, J)   write; with ADD read too
// W  (KH, KW, P, J)                      parameters
// b  (J) parameters with BIAS 1, (batch, J) slot with BIAS 2
//
// One thread per (4 items, quad of columns) where every item is by itself: each weight is read once for four of them.
// Windows: one thread per (item, quad).

fn kernel(at: u32, t: u32) {
    let a = load_ConvArgs(at);
    const quads = J / 4u;
    const depth = P / 4u;
    const alone = KH == 1u && KW == 1u && SH == 1u && SW == 1u;
    let out_items = a.out_height * a.out_width;
    let count = TILE * out_items;
    let y = tile_slot(a.y, quads * out_items);
    let x = tile_slot(a.x, depth * a.height * a.width);
    if (alone) {
        for (var unit = t; unit < ((count + 3u) / 4u) * quads; unit += WORKGROUP) {
            let q = unit % quads;
            let item = 4u * (unit / quads);
            // past the end the last item is formed again and not stored
            let last = count - 1u;
            let x0 = x + item * depth;
            let x1 = x + min(item + 1u, last) * depth;
            let x2 = x + min(item + 2u, last) * depth;
            let x3 = x + min(item + 3u, last) * depth;
            var s0 = vec4f();
            var s1 = vec4f();
            var s2 = vec4f();
            var s3 = vec4f();
            for (var k = 0u; k < depth; k += 1u) {
                let w = weight4(a.weight + 4u * k * J, q);
                s0 += w * acts[x0 + k];
                s1 += w * acts[x1 + k];
                s2 += w * acts[x2 + k];
                s3 += w * acts[x3 + k];
            }
            put(a, y, item, q, out_items, s0);
            if (item + 1u < count) { put(a, y, item + 1u, q, out_items, s1); }
            if (item + 2u < count) { put(a, y, item + 2u, q, out_items, s2); }
            if (item + 3u < count) { put(a, y, item + 3u, q, out_items, s3); }
        }
        return;
    }
    for (var unit = t; unit < count * quads; unit += WORKGROUP) {
        let q = unit % quads;
        let item = unit / quads;
        let o = item % out_items;
        let row = x + (item / out_items) * a.height * a.width * depth;
        var s = vec4f();
        for (var tap = 0u; tap < KH * KW; tap += 1u) {
            // unsigned: what lies before the first item becomes large
            let iy = (o / a.out_width) * SH + tap / KW - PH;
            let ix = (o % a.out_width) * SW + tap % KW - PW;
            if (iy < a.height && ix < a.width) {
                let from = row + (iy * a.width + ix) * depth;
                for (var k = 0u; k < depth; k += 1u) {
                    s += weight4(a.weight + (tap * P + 4u * k) * J, q) * acts[from + k];
                }
            }
        }
        put(a, y, item, q, out_items, s);
    }
}
// Rows i .. i + 4 of the matrix at an offset, column quad q: its product with a quad of x
fn weight4(at: u32, q: u32) -> mat4x4f {
    let w = at / 4u + q;
    return mat4x4f(params[w], params[w + J / 4u], params[w + J / 2u], params[w + 3u * (J / 4u)]);
}
fn put(a: ConvArgs, y: u32, item: u32, q: u32, out_items: u32, s: vec4f) {
    const quads = J / 4u;
    var start = vec4f();
    if (BIAS == 1u) { start = params[a.bias / 4u + q]; }
    if (BIAS == 2u) { start = acts[tile_slot(a.bias, quads) + (item / out_items) * quads + q]; }
    let to = y + item * quads + q;
    if (ADD == 1u) { start += acts[to]; }
    acts[to] = start + s;
}

// Gradient by the input of a product over windows.      d_x(i) = [d_x(i) +] sum_t delta(o) W_t^T,   o s - p + t = i
//
// d_x    (batch, height, width, P)           write; with ADD read too
// delta  (batch, out_height, out_width, J)   read
// W^T    (J, KH, KW, P)                      parameters, the stored transpose
//
// One thread per (input item, quad of columns), which gathers from the windows that look at it.

fn kernel(at: u32, t: u32) {
    let a = load_ConvArgs(at);
    const quads = P / 4u;
    const depth = J / 4u;
    const stride = KH * KW * quads;
    let items = a.height * a.width;
    let out_items = a.out_height * a.out_width;
    let d_x = tile_slot(a.x, quads * items);
    let delta = tile_slot(a.y, depth * out_items);
    for (var unit = t; unit < TILE * items * quads; unit += WORKGROUP) {
        let q = unit % quads;
        let item = unit / quads;
        let i = item % items;
        let row = delta + (item / items) * out_items * depth;
        var s = vec4f();
        for (var tap = 0u; tap < KH * KW; tap += 1u) {
            // unsigned: what lies before the first window becomes large
            let fy = i / a.width + PH - tap / KW;
            let fx = i % a.width + PW - tap % KW;
            let oy = fy / SH;
            let ox = fx / SW;
            if (fy % SH == 0u && fx % SW == 0u && oy < a.out_height && ox < a.out_width) {
                let from = row + (oy * a.out_width + ox) * depth;
                let w = a.weight / 4u + tap * quads + q;
                for (var k = 0u; k < depth; k += 1u) {
                    let d = acts[from + k];
                    let wk = w + 4u * k * stride;
                    s += d.x * params[wk] + d.y * params[wk + stride];
                    s += d.z * params[wk + 2u * stride] + d.w * params[wk + 3u * stride];
                }
            }
        }
        if (ADD == 1u) { s += acts[d_x + unit]; }
        acts[d_x + unit] = s;
    }
}

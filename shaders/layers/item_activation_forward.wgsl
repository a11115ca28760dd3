// Activation of items, forward.      post = act(pre) m [+ residual],   0 for items that do not count
//
// pre, residual  (batch, items, WIDTH)   read
// post           (batch, items, WIDTH)   write
// count          (batch, 4)              read    first column
//
// One thread per (row, quad); the mask m is a function of (seed, step, layer, row, place), with DROPOUT.
//# use layers/activation_math
//# use layers/item_dropout
//# use layers/items

fn kernel(at: u32, t: u32) {
    let a = load_ItemActivationArgs(at);
    const width4 = WIDTH / 4u;
    let wide = a.items * width4;
    let pre = tile_slot(a.pre, wide);
    let post = tile_slot(a.post, wide);
    let residual = tile_slot(a.residual, wide);
    for (var i = t; i < TILE * wide; i += WORKGROUP) {
        let row = tile_row0() + i / wide;
        var y = vec4f(0.0);
        if ((i % wide) / width4 < items_counting(a.count, row, a.items, a.shrink)) {
            let x = acts[pre + i];
            y = vec4f(
                activation_value(ACT, x.x),
                activation_value(ACT, x.y),
                activation_value(ACT, x.z),
                activation_value(ACT, x.w),
            );
            if (DROPOUT == 1u) { y = item_dropout(y, run.row0 + row, i % wide, a.layer, a.rate); }
            if (RESIDUAL == 1u) { y += acts[residual + i]; }
        }
        acts[post + i] = y;
    }
}

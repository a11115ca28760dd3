// Activation of items, backward.      pre <- d_post act'(pre) m,   0 for items that do not count
//
// pre    (batch, items, WIDTH)   read, write   pre-activation, replaced by delta
// post   (batch, items, WIDTH)   read          d_post
// count  (batch, 4)              read          first column
//
// One thread per (row, quad); the mask m is drawn again, with DROPOUT.
//# use layers/activation_math
//# use layers/item_dropout
//# use layers/items

fn kernel(at: u32, t: u32) {
    let a = load_ItemActivationArgs(at);
    const width4 = WIDTH / 4u;
    let wide = a.items * width4;
    let pre = tile_slot(a.pre, wide);
    let post = tile_slot(a.post, wide);
    for (var i = t; i < TILE * wide; i += WORKGROUP) {
        let row = tile_row0() + i / wide;
        var d = vec4f(0.0);
        if ((i % wide) / width4 < items_counting(a.count, row, a.items, a.shrink)) {
            let x = acts[pre + i];
            d = acts[post + i] * vec4f(
                activation_slope(ACT, x.x),
                activation_slope(ACT, x.y),
                activation_slope(ACT, x.z),
                activation_slope(ACT, x.w),
            );
            if (DROPOUT == 1u) { d = item_dropout(d, run.row0 + row, i % wide, a.layer, a.rate); }
        }
        acts[pre + i] = d;
    }
}

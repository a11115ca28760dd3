// Activation, backward.      pre <- d_post act'(pre) m,   m = 0 or 1 / (1 - rate)
//
// pre   (batch, WIDTH)   read, write   pre-activation, replaced by delta
// post  (batch, WIDTH)   read          d_post
//
// One thread per (row, quad); the mask m is drawn again, with DROPOUT.
//# use layers/activation_math

fn kernel(at: u32, t: u32) {
    let a = load_ActivationArgs(at);
    const width4 = WIDTH / 4u;
    let pre = tile_slot(a.pre, width4);
    let post = tile_slot(a.post, width4);
    for (var i = t; i < TILE * width4; i += WORKGROUP) {
        let x = acts[pre + i];
        var d = acts[post + i] * vec4f(
            activation_slope(ACT, x.x),
            activation_slope(ACT, x.y),
            activation_slope(ACT, x.z),
            activation_slope(ACT, x.w),
        );
        if (DROPOUT == 1u) {
            let batch_row = run.row0 + tile_row0() + i / width4;
            d = activation_dropout(d, batch_row, i % width4, a.layer, a.rate);
        }
        acts[pre + i] = d;
    }
}

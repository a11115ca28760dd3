// Activation, forward.      post = act(pre) m [+ residual],   m = 0 or 1 / (1 - rate)
//
// pre       (batch, WIDTH)   read    with SLOPE act'(pre) m is written over it, for the way back
// post      (batch, WIDTH)   write
// residual  (batch, WIDTH)   read    with RESIDUAL
//
// One thread per (row, quad); the mask m is a function of (seed, step, layer, row, column), with DROPOUT.
//# use layers/activation_math

fn kernel(at: u32, t: u32) {
    let a = load_ActivationArgs(at);
    const width4 = WIDTH / 4u;
    let pre = tile_slot(a.pre, width4);
    let post = tile_slot(a.post, width4);
    let residual = tile_slot(a.residual, width4);
    for (var i = t; i < TILE * width4; i += WORKGROUP) {
        let x = acts[pre + i];
        var y = vec4f(
            activation_value(ACT, x.x),
            activation_value(ACT, x.y),
            activation_value(ACT, x.z),
            activation_value(ACT, x.w),
        );
        var d = vec4f();
        if (SLOPE == 1u) {
            d = vec4f(
                activation_slope(ACT, x.x),
                activation_slope(ACT, x.y),
                activation_slope(ACT, x.z),
                activation_slope(ACT, x.w),
            );
        }
        if (DROPOUT == 1u) {
            let batch_row = run.row0 + tile_row0() + i / width4;
            let mask = activation_mask(batch_row, i % width4, a.layer, a.rate);
            y *= mask;
            d *= mask;
        }
        if (SLOPE == 1u) {
            acts[pre + i] = d;
        }
        if (RESIDUAL == 1u) {
            y += acts[residual + i];
        }
        acts[post + i] = y;
    }
}

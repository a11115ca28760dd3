// Activation, backward.      pre <- d_post pre,   pre = act'(p) m as the forward pass left it
//
// pre   (batch, WIDTH)   read, write   slope, replaced by delta
// post  (batch, WIDTH)   read          d_post
//
// One thread per (row, quad).

fn kernel(at: u32, t: u32) {
    let a = load_ActivationArgs(at);
    const width4 = WIDTH / 4u;
    let pre = tile_slot(a.pre, width4);
    let post = tile_slot(a.post, width4);
    for (var i = t; i < TILE * width4; i += WORKGROUP) {
        acts[pre + i] *= acts[post + i];
    }
}

// Bookkeeping of a chunk and of a step by one workgroup (kind META of weight_grad.wgsl).

// Twin of `State::learning_rate`.
fn learning_rate(t: f32) -> f32 {
    if (t < args.warmup) { return args.lr * (t + 1.0) / args.warmup; }
    let done = min((t - args.warmup) / max(args.total - args.warmup, 1.0), 1.0);
    let cosine = 0.5 * (1.0 + cos_2pi(0.5 * done));
    return args.lr * (1.0 + args.cosine * (cosine - 1.0));
}

// Adds the chunk to the batch's loss; after the last chunk writes the log and advances the state (`State::advance`).
fn bookkeeping(meta_slot: u32, t: u32) {
    var sum = vec4f();
    for (var row = t; row < run.rows; row += 256u) {
        let m = acts[meta_slot * run.pad + row];
        sum += vec4f(m.x * m.z, m.x, m.w, 0.0);
    }
    sum = total(sum, t);
    if (t > 0u) { return; }
    var s = state[0];
    s.loss += sum.x;
    s.weight += sum.y;
    s.masked += sum.z;
    if (run.row0 + run.rows == run.batch) {
        // No row counts: no loss. (The bits of a NaN, from a value that compilers do not know.)
        var mean = bitcast<f32>(0x7fc00000u | s.pad2);
        if (s.weight > 0.0) { mean = s.loss / s.weight; }
        logs[s.step % LOG] = vec4f(mean, s.masked, 0.0, 0.0);
        s.blocked = select(1u, 0u, is_finite_bits(s.loss));
        let step = f32(s.step);
        s.lr = learning_rate(step);
        s.ema = min(args.ema, (1.0 + step) / (10.0 + step));
        s.step += 1u;
        s.correction1 = s.correction1 * args.beta1 + (1.0 - args.beta1);
        s.correction2 = s.correction2 * args.beta2 + (1.0 - args.beta2);
        s.loss = 0.0;
        s.weight = 0.0;
        s.masked = 0.0;
    }
    state[0] = s;
}

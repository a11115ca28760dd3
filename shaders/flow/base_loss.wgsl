// Loss of each row.      loss = -ln p_base(z) - logdet,   with BACKWARD: d_z = weight dloss/dz
//
// z         (batch, DIM) in halves   read
// d         (batch, DIM) in halves   write         with BACKWARD
// meta      (batch, 4)               read, write   weight and logdet; loss, nats
// raw_nu    (1)                      parameter     KIND 2
// d_raw_nu  (batch, 1)               write         KIND 2 with BACKWARD: each row's part
//
// One thread per (row, quad of z); a row's terms go through workgroup memory and are added in order by one thread.
// Padding becomes 0.
//# use flow/base_math
//# use flow/halves

fn kernel(at: u32, t: u32) {
    let a = load_BaseArgs(at);
    const quads = vec2u(WIDTH_A / 4u, WIDTH_B / 4u);
    const all = quads.x + quads.y;
    const chunk = min(all, PARTS / TILE);
    let nu = base_nu(KIND, a.nu, a.raw_nu);
    let m = tile_slot(a.row_meta, 1u) + t;
    var sum = 0.0;
    if (t < TILE) {
        sum = f32(DIM) * base_constant(KIND, nu) - acts[m].y;
    }
    for (var first = 0u; first < all; first += chunk) {
        let count = min(chunk, all - first);
        for (var n = t; n < TILE * count; n += WORKGROUP) {
            let row = tile_row0() + n / count;
            let q = first + n % count;
            let exist = halves_mask(halves_range(quads, FIRST, DIM, q));
            let z = acts[halves_slot(a.z_a, a.z_b, row, quads, q)];
            let energy = vec4f(
                base_energy(KIND, nu, z.x),
                base_energy(KIND, nu, z.y),
                base_energy(KIND, nu, z.z),
                base_energy(KIND, nu, z.w),
            );
            parts[n] = select(vec4f(0.0), energy, exist);
            if (BACKWARD == 1u) {
                let slope = vec4f(
                    base_slope(KIND, nu, z.x),
                    base_slope(KIND, nu, z.y),
                    base_slope(KIND, nu, z.z),
                    base_slope(KIND, nu, z.w),
                );
                let d = acts[slot(a.row_meta, row, 1u)].x * slope;
                acts[halves_slot(a.d_a, a.d_b, row, quads, q)] = select(vec4f(0.0), d, exist);
            }
        }
        workgroupBarrier();
        sum = added(sum, t, count);
        workgroupBarrier();
    }
    if (t < TILE) {
        acts[m] = vec4f(acts[m].xy, sum, acts[m].w);
    }
    if (KIND == 2u && BACKWARD == 1u) {
        var by_nu = f32(DIM) * base_constant_by_nu(nu);
        for (var first = 0u; first < all; first += chunk) {
            let count = min(chunk, all - first);
            for (var n = t; n < TILE * count; n += WORKGROUP) {
                let q = first + n % count;
                let z = acts[halves_slot(a.z_a, a.z_b, tile_row0() + n / count, quads, q)];
                let term = vec4f(
                    base_energy_by_nu(nu, z.x),
                    base_energy_by_nu(nu, z.y),
                    base_energy_by_nu(nu, z.z),
                    base_energy_by_nu(nu, z.w),
                );
                parts[n] = select(vec4f(0.0), term, halves_mask(halves_range(quads, FIRST, DIM, q)));
            }
            workgroupBarrier();
            by_nu = added(by_nu, t, count);
            workgroupBarrier();
        }
        if (t < TILE) {
            let d = acts[m].x * sigmoid_(param_at(a.raw_nu)) * by_nu;
            acts[tile_slot(a.d_raw_nu, 1u) + t] = vec4f(d, 0.0, 0.0, 0.0);
        }
    }
}
// sum and the row's terms, for the threads that own a row
fn added(sum: f32, t: u32, count: u32) -> f32 {
    var s = sum;
    if (t < TILE) {
        for (var q = 0u; q < count; q += 1u) {
            let p = parts[t * count + q];
            s = s + p.x + p.y + p.z + p.w;
        }
    }
    return s;
}

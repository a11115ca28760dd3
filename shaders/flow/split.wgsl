// Between a plain row and the halves of a coupling.      (a, b) = row,   with JOIN: row = (a, b)
//
// row  (batch, DIM)           read; JOIN: write
// a    (batch, FIRST)         write; JOIN: read
// b    (batch, DIM - FIRST)   write; JOIN: read
//
// One thread per (row, quad written). Padding becomes 0.
//# use flow/halves

fn kernel(at: u32, t: u32) {
    let a = load_SplitArgs(at);
    const quads = vec2u(WIDTH_A / 4u, WIDTH_B / 4u);
    if (JOIN == 1u) {
        const width4 = WIDTH / 4u;
        for (var n = t; n < TILE * width4; n += WORKGROUP) {
            let row = tile_row0() + n / width4;
            let i = 4u * (n % width4);
            acts[tile_slot(a.row, width4) + n] =
                vec4f(joined(a, row, i), joined(a, row, i + 1u), joined(a, row, i + 2u), joined(a, row, i + 3u));
        }
    } else {
        const all = quads.x + quads.y;
        for (var n = t; n < TILE * all; n += WORKGROUP) {
            let row = tile_row0() + n / all;
            let range = halves_range(quads, FIRST, DIM, n % all);
            acts[halves_slot(a.a, a.b, row, quads, n % all)] = vec4f(
                plain(a.row, row, range.x, range.y),
                plain(a.row, row, range.x + 1u, range.y),
                plain(a.row, row, range.x + 2u, range.y),
                plain(a.row, row, range.x + 3u, range.y),
            );
        }
    }
}
fn joined(a: SplitArgs, row: u32, i: u32) -> f32 {
    if (i >= DIM) {
        return 0.0;
    }
    return halves_at(a.a, a.b, row, vec2u(WIDTH_A / 4u, WIDTH_B / 4u), FIRST, i);
}
fn plain(at: u32, row: u32, i: u32, end: u32) -> f32 {
    if (i >= end) {
        return 0.0;
    }
    return act_at(at, row, WIDTH / 4u, i);
}

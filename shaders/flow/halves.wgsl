// A vector of D coordinates in two slots: a holds the first floor(D/2), b the others (`Halves` of src/flow/actnorm.rs).
//
// quads = quads per row of (a, b). Threads count quads through both slots: those of a, then those of b.
//# use runtime/access

// Coordinate i < D of a row; first: coordinates in a
fn halves_at(a: u32, b: u32, row: u32, quads: vec2u, first: u32, i: u32) -> f32 {
    let in_b = i >= first;
    let at = select(slot(a, row, quads.x), slot(b, row, quads.y), in_b);
    let j = select(i, i - first, in_b);
    return acts[at + (j >> 2u)][j & 3u];
}
// Index in acts of quad q of a row
fn halves_slot(a: u32, b: u32, row: u32, quads: vec2u, q: u32) -> u32 {
    return select(slot(a, row, quads.x) + q, slot(b, row, quads.y) + q - quads.x, q >= quads.x);
}
// Coordinates of quad q: the first one, and the end of its half. Components past the end are padding.
fn halves_range(quads: vec2u, first: u32, dim: u32, q: u32) -> vec2u {
    return select(vec2u(4u * q, first), vec2u(first + 4u * (q - quads.x), dim), q >= quads.x);
}
// Which components of the quad are coordinates
fn halves_mask(range: vec2u) -> vec4<bool> {
    return vec4u(range.x) + vec4u(0u, 1u, 2u, 3u) < vec4u(range.y);
}

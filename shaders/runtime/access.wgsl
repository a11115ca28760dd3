// Slots and parameters as a kernel of the row program sees them, and its workgroup memory.
//
// A slot's element (row, i) is float `at * 4 * pad + row * width + i` of acts; rows count within the chunk. A
// workgroup owns TILE rows. A thread that stores a component must own the whole vec4, so threads are mapped to quads.
// `parts` is free at the start of every call: the program's loop has a barrier after each.

// vec4s of workgroup memory, 12 KiB, but one for each thread (`Tiling::shared_bytes`)
const PARTS: u32 = max(768u, WORKGROUP);
var<workgroup> parts: array<vec4f, PARTS>;
var<private> workgroup_row0: u32;

// First row of the tile
fn tile_row0() -> u32 {
    return workgroup_row0;
}
// Index in acts of the first quad of a row; width4: quads per row
fn slot(at: u32, row: u32, width4: u32) -> u32 {
    return at * run.pad + row * width4;
}
// The same of the tile's first row: quad q of local row r is r * width4 + q further
fn tile_slot(at: u32, width4: u32) -> u32 {
    return at * run.pad + workgroup_row0 * width4;
}
fn act_at(at: u32, row: u32, width4: u32, i: u32) -> f32 {
    return acts[slot(at, row, width4) + (i >> 2u)][i & 3u];
}
// Parameter at an offset in floats
fn param_at(i: u32) -> f32 {
    return params[i >> 2u][i & 3u];
}

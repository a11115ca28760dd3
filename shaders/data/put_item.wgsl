// Stores a float of the slots, for simulators of items; the row's thread owns all quads of the row.
fn put_item(at: u32, value: f32) {
    acts[at >> 2u][at & 3u] = value;
}

// How many items of a row count, twin of `counting` in src/layers/pool.rs; shrink 0: all of them
fn items_counting(count: u32, row: u32, items: u32, shrink: u32) -> u32 {
    if (shrink == 0u) {
        return items;
    }
    let n = u32(max(acts[slot(count, row, 1u)].x, 0.0));
    return min((n + shrink - 1u) / shrink, items);
}

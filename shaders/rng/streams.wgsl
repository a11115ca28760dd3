// The streams that kernels draw from, twins of src/rng/streams.rs.

const STREAM_PRIOR: u32 = 1u;
const STREAM_SIMULATOR: u32 = 2u;
const STREAM_BASE: u32 = 3u;
const STREAM_DROPOUT: u32 = 6u;
const STREAM_SIZE: u32 = 10u;
const STREAM_ITEM_DROPOUT: u32 = 11u;
const STREAM_POOL: u32 = 12u;

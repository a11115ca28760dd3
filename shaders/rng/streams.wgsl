// The streams that kernels draw from, twins of src/rng/streams.rs.

const STREAM_PRIOR: u32 = 1u;
const STREAM_SIMULATOR: u32 = 2u;
const STREAM_BASE: u32 = 3u;
const STREAM_DROPOUT: u32 = 6u;

// What the row program is bound to. Slots: float (row, i) of a slot of `width` floats at `at` is `4 at pad + row width + i`.
@group(0) @binding(0) var<uniform> run: RunArgs;
@group(0) @binding(1) var<storage, read> program: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<State>;
@group(0) @binding(3) var<storage, read> params: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> acts: array<vec4f>;
@group(0) @binding(5) var<storage, read> consts: array<f32>;
@group(0) @binding(6) var<storage, read> table: array<f32>;
@group(0) @binding(7) var<storage, read> index: array<u32>;

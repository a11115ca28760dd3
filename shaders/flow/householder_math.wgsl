// Householder reflections of one row held in a scratch slot; twins of `dot` and `reflect` of src/flow/householder.rs.
//
// The padding of scratch rows is never looked at: it may hold anything, NaN too.
//# use runtime/access

// Components of quad q that are among the first dim, the others 0
fn householder_lanes(v: vec4f, q: u32, dim: u32) -> vec4f {
    return select(vec4f(0.0), v, vec4u(4u * q) + vec4u(0u, 1u, 2u, 3u) < vec4u(dim));
}
// sum + v.x, terms added in order
fn householder_add(sum: f32, v: vec4f, x: vec4f) -> f32 {
    return sum + v.x * x.x + v.y * x.y + v.z * x.z + v.w * x.w;
}
// x -= 2 v (v.x) / (v.v); x: index of the row in acts, v: of the vector in params, both of dim coordinates
fn householder_reflect(x: u32, v: u32, dim: u32) {
    let quads = (dim + 3u) / 4u;
    var along = 0.0;
    var square = 0.0;
    for (var q = 0u; q < quads; q += 1u) {
        let w = householder_lanes(params[v + q], q, dim);
        along = householder_add(along, w, householder_lanes(acts[x + q], q, dim));
        square = householder_add(square, w, w);
    }
    let c = 2.0 * along / max(square, 1e-20);
    for (var q = 0u; q < quads; q += 1u) {
        acts[x + q] -= c * householder_lanes(params[v + q], q, dim);
    }
}
// Puts the first dim components of v into quad q of the row at index x of acts
fn householder_store(x: u32, q: u32, dim: u32, v: vec4f) {
    acts[x + q] = select(acts[x + q], v, vec4u(4u * q) + vec4u(0u, 1u, 2u, 3u) < vec4u(dim));
}

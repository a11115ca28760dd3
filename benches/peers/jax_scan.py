"""Workload W by hand in JAX, the strongest form of this peer: simulator, flow, loss, gradient, clip and Adam in one jitted
`lax.scan` over steps. 6 two-way affine blocks, conditioners of 2 x 128 silu: 207,384 parameters.

    python jax_scan.py BATCH [SECONDS]
"""

import sys
import time

from report import Reporter, seconds_per_call
from two_moons import DRAWS

import jax
import jax.numpy as jnp

BLOCKS, HIDDEN, SOFT = 6, 128, 1.9
RATE, CLIP, BETA1, BETA2, EPS = 5e-4, 1.5, 0.9, 0.999, 1e-8


def dense(key, inputs, outputs, gain):
    scale = gain * (2.0 / (inputs + outputs)) ** 0.5
    return {"w": scale * jax.random.normal(key, (inputs, outputs)), "b": jnp.zeros(outputs)}


def conditioner(key):
    """From the other coordinate and the two data values to a log scale and a shift."""
    a, b, c = jax.random.split(key, 3)
    return [dense(a, 3, HIDDEN, 1.0), dense(b, HIDDEN, HIDDEN, 1.0), dense(c, HIDDEN, 2, 0.0)]


def initial(key):
    keys = jax.random.split(key, 2 * BLOCKS)
    return [(conditioner(keys[2 * i]), conditioner(keys[2 * i + 1])) for i in range(BLOCKS)]


def scale_and_shift(net, other, x):
    h = jnp.concatenate([other, x], axis=1)
    for layer in net[:-1]:
        h = jax.nn.silu(h @ layer["w"] + layer["b"])
    h = h @ net[-1]["w"] + net[-1]["b"]
    log_scale = (2.0 * SOFT / jnp.pi) * jnp.arctan(h[:, :1] / SOFT)
    return log_scale, h[:, 1:]


def flow(params, u, x):
    """Base variables (batch, 2) and log-determinants (batch)."""
    a, b = u[:, :1], u[:, 1:]
    logdet = jnp.zeros(len(u))
    for first, second in params:
        s, t = scale_and_shift(first, b, x)
        a, logdet = a * jnp.exp(s) + t, logdet + s[:, 0]
        s, t = scale_and_shift(second, a, x)
        b, logdet = b * jnp.exp(s) + t, logdet + s[:, 0]
        a, b = b, a
    return jnp.concatenate([a, b], axis=1), logdet


def simulate(key, batch):
    for_theta, for_angle, for_radius = jax.random.split(key, 3)
    theta = jax.random.uniform(for_theta, (batch, 2), minval=-1.0, maxval=1.0)
    angle = jax.random.uniform(for_angle, (batch,), minval=-jnp.pi / 2, maxval=jnp.pi / 2)
    radius = 0.1 + 0.01 * jax.random.normal(for_radius, (batch,))
    first = radius * jnp.cos(angle) + 0.25 - jnp.abs(theta.sum(axis=1)) / 2**0.5
    second = radius * jnp.sin(angle) + (theta[:, 1] - theta[:, 0]) / 2**0.5
    return theta, jnp.stack([first, second], axis=1)


def loss(params, theta, x):
    z, logdet = flow(params, theta, x)
    return jnp.mean(0.5 * jnp.sum(z * z, axis=1) - logdet)


def make_step(batch):
    each = jax.tree.map

    def step(carry, key):
        params, first, second, n = carry
        theta, x = simulate(key, batch)
        value, grad = jax.value_and_grad(loss)(params, theta, x)
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grad)))
        grad = each(lambda g: g * jnp.minimum(1.0, CLIP / norm), grad)
        n = n + 1.0
        first = each(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, grad)
        second = each(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, grad)
        rate = RATE * jnp.sqrt(1 - BETA2**n) / (1 - BETA1**n)
        params = each(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPS), params, first, second)
        return (params, first, second, n), value

    return jax.jit(lambda carry, keys: jax.lax.scan(step, carry, keys))


def main():
    batch = int(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    report = Reporter("jax", "w", batch)
    params = initial(jax.random.key(0))
    zeros = jax.tree.map(jnp.zeros_like, params)
    carry = (params, zeros, zeros, 0.0)
    run = make_step(batch)
    # One compiled scan serves the first steps and all others; a single step would be compiled apart.
    per_call = max(4, 6400 // batch)
    keys = jax.random.split(jax.random.key(1), per_call)

    def train():
        nonlocal carry
        carry, values = run(carry, keys)
        return jax.block_until_ready(values)

    train()
    report.first_step()
    time_of_call = seconds_per_call(train, seconds)
    report.measure("steps_per_second", per_call / time_of_call)
    report.peak_memory()

    sample = jax.jit(lambda p, z, x: flow(p, z, x)[0])
    z = jax.random.normal(jax.random.key(2), (DRAWS, 2))
    x = jnp.zeros((DRAWS, 2))
    one_pass = lambda: sample(carry[0], z, x).block_until_ready()
    one_pass()
    report.measure("draws_per_second", DRAWS / seconds_per_call(one_pass, min(seconds, 3.0)), DRAWS)
    count = sum(p.size for p in jax.tree.leaves(params))
    print(f"jax {jax.__version__} on {jax.devices()[0]}: {count} parameters, {6e-9 * count * batch * per_call / time_of_call:.1f} GFLOP/s")


if __name__ == "__main__":
    begun = time.time()
    main()
    print(f"{time.time() - begun:.1f} s in all")

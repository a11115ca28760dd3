"""The two-moons task in numpy: theta uniform on (-1, 1)^2, x on a crescent around a point that theta moves."""

import numpy as np

DRAWS = 100_000


def draw_prior(rng, n):
    return rng.uniform(-1.0, 1.0, (n, 2)).astype(np.float32)


def simulate(rng, theta):
    n = len(theta)
    angle = rng.uniform(-np.pi / 2, np.pi / 2, n)
    radius = rng.normal(0.1, 0.01, n)
    sum_, difference = theta[:, 0] + theta[:, 1], theta[:, 1] - theta[:, 0]
    first = radius * np.cos(angle) + 0.25 - np.abs(sum_) / np.sqrt(2)
    second = radius * np.sin(angle) + difference / np.sqrt(2)
    return np.stack([first, second], axis=1).astype(np.float32)

"""sbi's neural posterior estimation on two-moons with its default networks.

    python sbi_bench.py nsf|maf BATCH [SECONDS]
    python sbi_bench.py nsf|maf BATCH SIMULATIONS OBSERVATION.npz... DRAWS_FOLDER   (time to quality)

Its neural spline flow stands beside workload Ws, its masked autoregressive flow beside W.
"""

import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import numpy as np
from report import Reporter
from two_moons import DRAWS, draw_prior, simulate

import sbi
import torch
from sbi import utils
from sbi.inference import NPE

FLOW, BATCH = sys.argv[1], int(sys.argv[2])
WORKLOAD = {"nsf": "ws", "maf": "w"}[FLOW]


class Steps:
    """Counts optimiser steps; sbi has no callback, so Adam's `step` is wrapped."""

    def __init__(self, on_first):
        self.times, plain = [], torch.optim.Adam.step
        times = self.times

        def step(optimiser, *args, **kwargs):
            out = plain(optimiser, *args, **kwargs)
            if not times:
                on_first()
            times.append(time.perf_counter())
            return out

        torch.optim.Adam.step = step

    def per_second(self):
        return 1.0 / np.median(np.diff(self.times[len(self.times) // 10 :]))


def estimate(n, **training):
    rng = np.random.default_rng(1)
    theta = draw_prior(rng, n)
    x = torch.from_numpy(simulate(rng, theta))
    prior = utils.BoxUniform(-torch.ones(2), torch.ones(2))
    inference = NPE(prior, density_estimator=FLOW, show_progress_bars=False)
    inference.append_simulations(torch.from_numpy(theta), x)
    estimator = inference.train(training_batch_size=BATCH, **training)
    return inference.build_posterior(estimator)


def quality(n, observations, folder):
    """Simulates and trains until sbi's own early stopping; draws for each observation."""
    begun = time.perf_counter()
    posterior = estimate(n)
    print(f"trained {time.perf_counter() - begun:.1f}")
    for path in observations:
        x = torch.from_numpy(np.load(path)["observation"].reshape(1, 2).astype(np.float32))
        draws = posterior.sample((10_000,), x=x, show_progress_bars=False).numpy().astype(np.float32)
        np.savez(os.path.join(folder, os.path.basename(path)), draws=draws)


def main():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    torch.set_num_threads(cores or 1)
    if len(sys.argv) > 4:
        *observations, folder = sys.argv[4:]
        return quality(int(float(sys.argv[3])), observations, folder)
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 10.0
    report = Reporter("sbi", WORKLOAD, BATCH)
    steps = Steps(report.first_step)
    # Ten steps a second or more: enough of them, then the end.
    epochs = max(1, round(seconds / 3))
    posterior = estimate(40 * BATCH, max_num_epochs=epochs, stop_after_epochs=10_000)
    report.measure("steps_per_second", steps.per_second())
    report.peak_memory()
    x = torch.zeros(1, 2)
    posterior.sample((1000,), x=x, show_progress_bars=False)
    begun = time.perf_counter()
    posterior.sample((DRAWS,), x=x, show_progress_bars=False)
    report.measure("draws_per_second", DRAWS / (time.perf_counter() - begun), DRAWS)
    print(f"sbi {sbi.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()

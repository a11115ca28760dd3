"""BayesFlow's own default workflow on two-moons: 6 couplings, conditioners of 2 x 128.

    python bayesflow_bench.py jax|torch w|ws BATCH [SECONDS]
    python bayesflow_bench.py jax|torch w|ws BATCH SECONDS OBSERVATION.npz... DRAWS_FOLDER   (time to quality)
"""

import os
import sys
import time

BACKEND, WORKLOAD, BATCH = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.environ["KERAS_BACKEND"] = BACKEND

import numpy as np
from report import Reporter
from two_moons import DRAWS, draw_prior, simulate

import bayesflow
import keras

TABLE = 10_000
TRANSFORM = {"w": "affine", "ws": "spline"}[WORKLOAD]


class Watch(keras.callbacks.Callback):
    """Times of steps, the moment of the first, and an end after so many seconds."""

    def __init__(self, seconds, on_first):
        super().__init__()
        self.seconds, self.on_first, self.times, self.begun = seconds, on_first, [], None

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self.begun is None:
            self.on_first()
            self.begun = now
        self.times.append(now)
        if now - self.begun > self.seconds:
            self.model.stop_training = True

    def steps_per_second(self):
        """The first tenth is left out: it compiles."""
        times = np.diff(self.times[len(self.times) // 10 :])
        return 1.0 / np.median(times)


def pairs(n, seed=1):
    rng = np.random.default_rng(seed)
    theta = draw_prior(rng, n)
    return dict(parameters=theta, observables=simulate(rng, theta))


def workflow():
    adapter = (
        bayesflow.adapters.Adapter()
        .convert_dtype("float64", "float32")
        .rename("parameters", "inference_variables")
        .rename("observables", "inference_conditions")
    )
    network = bayesflow.networks.CouplingFlow(transform=TRANSFORM)
    return bayesflow.BasicWorkflow(adapter=adapter, inference_network=network)


def fit(flow, data, seconds, on_first):
    # Epochs without number: the callback ends them. keras stops at the end of an epoch, which is short.
    watch = Watch(seconds, on_first)
    flow.fit_offline(data, epochs=10_000, batch_size=BATCH, verbose=0, callbacks=[watch])
    return watch


def main():
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 10.0
    report = Reporter("bayesflow" if BACKEND == "jax" else f"bayesflow-{BACKEND}", WORKLOAD, BATCH)
    flow = workflow()
    if len(sys.argv) > 5:
        *observations, folder = sys.argv[5:]
        return quality(flow, seconds, observations, folder)
    watch = fit(flow, pairs(min(TABLE, 40 * BATCH)), seconds, report.first_step)
    report.measure("steps_per_second", watch.steps_per_second())
    report.peak_memory()
    x = dict(observables=np.zeros((1, 2), np.float32))
    flow.sample(num_samples=1000, conditions=x)
    flow.sample(num_samples=DRAWS, conditions=x)
    begun = time.perf_counter()
    flow.sample(num_samples=DRAWS, conditions=x)
    report.measure("draws_per_second", DRAWS / (time.perf_counter() - begun), DRAWS)
    print(f"bayesflow {bayesflow.__version__} on {BACKEND}: {flow.approximator.count_params()} parameters")


def quality(flow, seconds, observations, folder):
    """Trains on up to 100,000 simulations, as many steps as take so many seconds, so that the default schedule ends with the
    training; draws for each observation; seconds of training, compilation included, on stdout."""
    watch = fit(workflow(), pairs(100 * BATCH), 0.25 * seconds, lambda: None)
    steps = max(100, round(seconds * watch.steps_per_second()))
    epochs = -(-steps * BATCH // 100_000)
    data = pairs(steps * BATCH // epochs)
    begun = time.perf_counter()
    flow.fit_offline(data, epochs=epochs, batch_size=BATCH, verbose=0)
    print(f"trained {time.perf_counter() - begun:.1f}")
    for path in observations:
        x = np.load(path)["observation"].reshape(1, 2).astype(np.float32)
        draws = flow.sample(num_samples=10_000, conditions=dict(observables=x))["parameters"]
        np.savez(os.path.join(folder, os.path.basename(path)), draws=draws.reshape(-1, 2).astype(np.float32))


if __name__ == "__main__":
    main()

"""How the peers' scripts report: one JSON object a line, the form of `couplet bench step --lines`."""

import json
import os
import resource
import statistics
import sys
import time


class Reporter:
    """Prints measurements of one program at one workload and batch."""

    def __init__(self, who, workload, batch):
        self.who, self.workload, self.batch = who, workload, batch

    def measure(self, metric, value, batch=None):
        line = dict(who=self.who, workload=self.workload, batch=batch or self.batch, metric=metric, value=value)
        print(json.dumps(line), flush=True)

    def first_step(self):
        """Seconds since the shell started the command, as BENCH_STARTED says."""
        started = os.environ.get("BENCH_STARTED")
        if started:
            self.measure("first_step_seconds", time.time() - float(started))

    def peak_memory(self):
        unit = 1 if sys.platform == "darwin" else 1024
        self.measure("peak_memory_bytes", unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def seconds_per_call(call, seconds, fewest=3):
    """Median time of `call()`, which has to wait for its own end."""
    times, begun = [], time.perf_counter()
    while len(times) < fewest or time.perf_counter() - begun < seconds:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return statistics.median(times)

"""CPU time of a driver, read from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks import cluster


def test_a_child_driver_is_sampled_until_it_ends():
    busy = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: pass', 'search.run'])"
    process = subprocess.Popen([sys.executable, "-c", busy], start_new_session=True)
    with cluster.sampled_cpu_seconds(process.pid) as samples:
        while max(samples) < 0.2 and process.poll() is None:
            time.sleep(0.1)
        os.killpg(process.pid, 9)
        process.wait()
    assert max(samples) >= 0.2
    assert cluster.cpu_seconds(process.pid) == 0

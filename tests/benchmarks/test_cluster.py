"""The processor time of a driver, read from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks import cluster


def test_the_driver_below_a_process_is_read_until_it_ends():
    busy = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: pass', 'search.run'])"
    process = subprocess.Popen([sys.executable, "-c", busy], start_new_session=True)
    with cluster.clock(process.pid) as read:
        while max(read) < 0.2 and process.poll() is None:
            time.sleep(0.1)
        os.killpg(process.pid, 9)
        process.wait()
    assert max(read) >= 0.2
    assert cluster.spent(process.pid) == 0

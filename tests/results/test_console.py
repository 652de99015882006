"""Consoles whose reader has ended."""

from __future__ import annotations

import os
import subprocess
import sys

from spaces.errors import CLOSED_EXIT_CODE


def test_a_search_whose_reader_has_ended_does_not_end_like_a_dead_ray() -> None:
    """Rich exits with 1, for which the supervisor restarted Ray."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", "from results.console import results_console; results_console().print('line')"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (CLOSED_EXIT_CODE, "The output was closed before its end.\n")

"""Hyperparameter search with Ray and Optuna.

From Python: `from search import run; experiment, exit_code = run("spaces/mnist_hinton.yaml", out="runs/x")`.
"""

import importlib
import os
from typing import Any

# Ray reads these variables when it is imported: set them before any other module of this package.
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # relative paths stay valid inside a trial
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # with verbose=0 this silences Tune's own tables
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the rows of results.records are the log
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # search.launch handles Ctrl-C
os.environ.setdefault("TUNE_FUNCTION_THREAD_TIMEOUT_S", "60")  # else a slow end fails the next trial
os.environ.setdefault("RAY_preload_python_modules", "torch")  # while a worker registers, not after
# Tune's actors have their own environment, so they cannot use workers that Ray started in advance.
os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # a trial without a GPU sees none


def __getattr__(name: str) -> Any:
    """Import Ray only when `search.run` is used."""
    if name == "run":
        return importlib.import_module("search.launch").run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Who decides what is trained next: the only package that knows Ray and Optuna."""

import importlib
import os
from typing import Any

# Ray reads these when it is imported, so they come before anything else in this package.
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # relative paths keep their meaning inside a trial
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # with verbose=0, Tune's own tables stay silent
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the rows of results.records are the log
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # search.run ends a run by itself
os.environ.setdefault("TUNE_FUNCTION_THREAD_TIMEOUT_S", "60")  # a student that ends slowly costs the next one its trial
os.environ.setdefault("RAY_preload_python_modules", "torch")  # while a worker registers, not after
# Tune gives its actors an environment of their own, which no worker started beforehand has: two imports for nobody.
os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # a trial without a GPU sees none


def __getattr__(name: str) -> Any:
    if name == "run":  # `import search; search.run("spaces/x.yaml")` loads Ray only now
        return importlib.import_module("search.run")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

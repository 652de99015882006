"""Functions registered by plugins: recognition, calls and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.errors import UserError
from trainables.plugin import plugin_location

PACKAGES = ("spaces.", "trainables.", "search.", "results.")


def is_plugin(function: Callable[..., Any]) -> bool:
    """Return True for a function from outside this project."""
    return not getattr(function, "__module__", "").startswith(PACKAGES)


def is_session_function(function: Callable[..., Any]) -> bool:
    """Return True for a function of a notebook or script.

    The workers of a search do not have it.
    """
    return getattr(function, "__module__", "") == "__main__"


def call_plugin(function: Callable[..., Any], *arguments: Any, **knobs: Any) -> Any:
    """Call a function of this project or a plugin.

    Errors of plugins are raised as UserError with file and line.
    """
    try:
        return function(*arguments, **knobs)
    except UserError:
        raise
    except Exception as error:
        if not is_plugin(function):
            raise
        raise UserError(plugin_error(error)) from error


def plugin_error(error: Exception) -> str:
    """Return an error as one line, after the plugin's file and line."""
    location, lines = plugin_location(error), str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    return f"{location}: {text}" if location else text

"""Colors of all figures, on light and on dark paper.

Blue is better, in both: accuracies go from the gray of the paper to a blue of high contrast with it. The chosen
configuration is blue, the baseline orange (Okabe and Ito 2008: distinct for every kind of color vision).
"""

from __future__ import annotations

LIGHT = {
    **{"paper": "#ffffff", "ink": "#1b1f24", "soft": "#57606a", "line": "#d0d7de", "panel": "#f6f8fa"},
    **{"link": "#0550ae", "chosen": "#0072b2", "baseline": "#b84e00", "teacher": "#1b1f24", "mark": "#c2187a"},
    **{"finished": "#8c959f", "stopped": "#8c959f", "running": "#007a5a"},
}
DARK = {
    **{"paper": "#12161c", "ink": "#e6eaef", "soft": "#a3adb8", "line": "#3a434e", "panel": "#1c222b"},
    **{"link": "#79b8ff", "chosen": "#56b4e9", "baseline": "#f0a04b", "teacher": "#e6eaef", "mark": "#ff8ad0"},
    **{"finished": "#7d8793", "stopped": "#7d8793", "running": "#33c79a"},
}
LIGHT_SCALE = ("#dde4ea", "#a9cbe0", "#5ba0cb", "#0072b2", "#003a63")  # of accuracies, the lowest first
DARK_SCALE = ("#2a323c", "#28546f", "#2f7fae", "#56b4e9", "#cdeafb")


def style_variables() -> str:
    """Return the colors as CSS variables.

    The class `printing` puts the light colors back, for paper.
    """
    light, dark = _declarations(LIGHT, LIGHT_SCALE), _declarations(DARK, DARK_SCALE)
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root:not(.printing) {{ {dark} }} }}\n"


def _declarations(colors: dict[str, str], scale: tuple[str, ...]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in {**colors, "scale": " ".join(scale)}.items())

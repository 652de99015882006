from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run_fresh(code: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, warnings as errors."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(str(path) for path in (*paths, ROOT))}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_models_transforms_and_data_sets_work() -> None:
    result = run_fresh("""
import torch
from trainables.models.torchvision_import import torchvision
logits = torchvision.models.resnet18().eval()(torch.zeros(1, 3, 32, 32))
image = torchvision.transforms.v2.RandomCrop(4)(torch.zeros(3, 8, 8))
print(tuple(logits.shape), tuple(image.shape), torchvision.datasets.MNIST.__name__)
""")
    assert result.stdout.strip() == "(1, 1000) (3, 4, 4) MNIST", result.stderr


@pytest.fixture
def fake_torchvision(tmp_path: Path) -> Path:
    """An empty package torchvision on the path."""
    package = tmp_path / "torchvision"
    (package / "transforms").mkdir(parents=True)
    for name in ("__init__.py", "transforms/__init__.py", "transforms/v2.py"):
        (package / name).touch()
    return tmp_path


def test_nothing_is_defined_if_torchvision_imports_and_another_failure_is_not_hidden(fake_torchvision: Path) -> None:
    result = run_fresh(
        f"""
from pathlib import Path
import torch
package = Path({str(fake_torchvision)!r}) / "torchvision" / "__init__.py"
package.write_text("raise RuntimeError('something else')")
try:
    import trainables.models.torchvision_import
except RuntimeError as error:
    print(error)
package.write_text("")
from trainables.models.torchvision_import import torchvision
print(hasattr(torch.ops.torchvision, "nms"), torchvision)
""",
        fake_torchvision,
    )
    expected = f"something else\nFalse <module 'torchvision' from '{fake_torchvision}"
    assert result.stdout.startswith(expected), result.stderr

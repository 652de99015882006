"""From a folder of photographs to an 8-bit student: the commands of docs/tutorial.md, timed.

    python -m benchmarks.photos DIR

DIR holds photos/CLASS/* and resnet18.safetensors, weights of timm's ResNet-18. Prints Markdown for the tutorial;
the output of the commands is in DIR/photos.log.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from time import perf_counter

from results import markdown, wording
from results.experiment import Experiment, load_experiment
from trainables.device import device_name
from trainables.weights.tensor_file import read_tensors

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "docs/tutorial.md"
PRINTED_PICTURE = "photos/cat/1.jpg"  # in the tutorial's commands
BLOCK = re.compile(r"^```sh[^\n]*\n((?:# [^\n]+\npython [^\n]+\n)+)```$", re.MULTILINE)
INT8_SENTENCE = re.compile(r"In 8 bits .*")
SUMMARY_STAGES = {"teacher": "teacher", "explore": "distilled student", "baseline": "student alone"}


def tutorial_commands(page: str) -> dict[str, str]:
    """Return the commands on photographs by the comments above them."""
    (block,) = [match[1] for match in BLOCK.finditer(page) if "photos.yaml" in match[1]]
    lines = block.splitlines()
    return {comment.removeprefix("# "): command for comment, command in zip(lines[::2], lines[1::2], strict=True)}


def run_command(command: str, folder: Path, log: Path) -> float:
    """Run a command of the tutorial in a folder; return its seconds."""
    interpreter = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([interpreter, os.environ["PATH"]]), "PYTHONPATH": str(ROOT)}
    began = perf_counter()
    with log.open("a") as output:
        print("$", command, file=output, flush=True)
        subprocess.run(command, shell=True, cwd=folder, env=environment, stdout=output, stderr=output, check=True)
    return perf_counter() - began


def results_table(experiment: Experiment) -> list[str]:
    """Return teacher, best student and student alone as a table."""
    lines = experiment.leaderboard()
    rows = []
    for stage, name in SUMMARY_STAGES.items():
        line = lines[lines["stage"] == stage].iloc[0]
        accuracy = wording.format_percent(line["test_accuracy"], line["test_std"])
        rows.append([name, accuracy, str(line["n"]), f"{line['parameters']:,}", f"{line['macs']:,}"])
    return markdown.table_lines([["network", "test %", "n", "parameters", "multiply-accumulates"], *rows])


def describe_weights(file: Path) -> str:
    """Return the origin of the teacher's initial weights as a sentence.

    An exported student names its classes.
    """
    classes = read_tensors(file)[1].get("classes")
    origin = f"were trained on {len(json.loads(classes))} other classes" if classes else "came from a file"
    return f"The teacher's initial weights {origin}."


def main(folder: Path, commands: Mapping[str, str]) -> str:
    """Run the commands; return their times and the results as Markdown."""
    for name in ("examples", "spaces"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    log = folder / "photos.log"
    log.unlink(missing_ok=True)
    picture = str(min(folder.glob("photos/*/*")).relative_to(folder))
    seconds = {
        purpose: run_command(command.replace(PRINTED_PICTURE, picture), folder, log)
        for purpose, command in commands.items()
    }
    experiment = load_experiment(folder / "runs/photos")
    data = experiment.environment["data"]
    int8 = INT8_SENTENCE.search(log.read_text())
    assert int8 is not None  # printed by the export
    sizes = " / ".join(f"{data[part]:,}" for part in ("train", "val", "test"))
    images = f"{sizes} images of {len(data['classes'])} classes to train on / validate / test."
    load = f"a load of {os.getloadavg()[2]:.0f}"
    where = f"{device_name()}, {os.cpu_count()} cores at {load}, {date.today()}"
    times = [[purpose, wording.format_duration(taken)] for purpose, taken in seconds.items()]
    sentences = f"{images} {describe_weights(folder / 'resnet18.safetensors')} {int8[0]} ({where}.)"
    return "\n".join([*markdown.table_lines([["step", "time"], *times]), "", *results_table(experiment), "", sentences])


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), tutorial_commands(TUTORIAL.read_text(encoding="utf-8"))))

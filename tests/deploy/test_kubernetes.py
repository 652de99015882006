"""deploy/rayjob.yaml and deploy/Dockerfile: fields, token, network, volumes and versions.

No Kubernetes and no Docker run here. The manifest is checked by strict schemas, which refuse unknown fields: those of
Kubernetes for the volume, the network policy and all pods, and a list of KubeRay's fields for the RayJob around its
pods (rayjob_schema.yaml). That list was compared with the field reference of KubeRay 1.7.0, at commit 97509c3a; of its
fields these are used.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from search.command_line import command_parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = list(yaml.safe_load_all((ROOT / "deploy" / "rayjob.yaml").read_text()))
VOLUME, NETWORK, JOB = DOCUMENTS
SPEC = JOB["spec"]
CLUSTER = SPEC["rayClusterSpec"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
HERE = Path(__file__).parent
PARTS = json.loads((HERE / "kubernetes_schema.json").read_text())["$defs"]
RAY_JOB = yaml.safe_load((HERE / "rayjob_schema.yaml").read_text())
# Their keys are names of the user, of Ray or of resources.
FREE_MAPS = {"labels", "matchLabels", "rayStartParams", "requests", "limits"}


def problems(document: dict[str, Any], kind: str) -> list[str]:
    """Return the messages of the schema of a kind of document."""
    schema = RAY_JOB if kind == "RayJob" else {"$ref": f"#/$defs/{kind}"}
    return [error.message for error in Draft202012Validator({**schema, "$defs": PARTS}).iter_errors(document)]


def misspelled(node: Any) -> Iterator[str]:
    """Misspell one key below a node after another; yield its name, and restore it."""
    for item in node if isinstance(node, list) else []:
        yield from misspelled(item)
    for key in list(node) if isinstance(node, dict) else []:
        value = node.pop(key)
        node[f"{key}x"] = value
        yield key
        del node[f"{key}x"]
        node[key] = value
        if key not in FREE_MAPS:
            yield from misspelled(value)


def pods() -> list[dict[str, Any]]:
    return [group["template"] for group in (CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"])]


def containers() -> list[dict[str, Any]]:
    return [container for pod in pods() for container in pod["spec"]["containers"]]


def test_all_fields_are_those_of_the_api():
    assert [document["kind"] for document in DOCUMENTS] == ["PersistentVolumeClaim", "NetworkPolicy", "RayJob"]
    assert [problems(document, document["kind"]) for document in DOCUMENTS] == [[], [], []]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_misspelled_field_is_refused(index):
    document, count = copy.deepcopy(DOCUMENTS[index]), 0
    for key in misspelled(document):
        count += 1
        assert any(f"'{key}x' " in message for message in problems(document, DOCUMENTS[index]["kind"])), key
    assert count > 5 and document == DOCUMENTS[index]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "backoffLimit"), "3"),
        (("spec", "submissionMode"), "SideCar"),
        (("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        (("spec", "rayClusterSpec", "headGroupSpec", "template", "spec", "containers", 0, "image"), 1),
    ],
)
def test_a_value_of_another_type_is_refused(path, value):
    document = copy.deepcopy(JOB)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert problems(document, "RayJob")


def test_the_operator_makes_the_token_and_reads_the_state():
    """With a token in `env` alone, KubeRay's submitter and its status requests have none."""
    assert CLUSTER["authOptions"] == {"mode": "token"}
    assert "RAY_AUTH" not in (ROOT / "deploy" / "rayjob.yaml").read_text()
    pinned = re.search(r"^ray==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned and CLUSTER["rayVersion"] == pinned[1]
    own, operator = NETWORK["spec"]["ingress"]
    labels = NETWORK["spec"]["podSelector"]["matchLabels"]
    assert own["from"] == [{"podSelector": {"matchLabels": labels}}]
    assert all(pod["metadata"]["labels"].items() >= labels.items() for pod in pods())
    assert operator["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "kuberay-operator"}
    assert operator["from"][0]["namespaceSelector"] == {} and operator["ports"] == [{"protocol": "TCP", "port": 8265}]


def test_one_pod_mounts_the_volume():
    """The default volumes of the clouds are mounted by one node at a time."""
    assert VOLUME["spec"]["accessModes"] == ["ReadWriteOnce"]
    mounting = [pod for pod in pods() if any("persistentVolumeClaim" in volume for volume in pod["spec"]["volumes"])]
    assert mounting == [CLUSTER["headGroupSpec"]["template"]]
    for pod in pods():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        assert {
            mount["name"] for container in pod["spec"]["containers"] for mount in container["volumeMounts"]
        } == volumes


def test_pods_run_without_root_and_from_one_image():
    assert {container["image"] for container in containers()} == {"REGISTRY/distil-search:TAG"}
    assert all(pod["spec"]["securityContext"]["runAsNonRoot"] for pod in pods())
    assert all(not container["securityContext"]["allowPrivilegeEscalation"] for container in containers())
    users = {pod["spec"]["securityContext"]["runAsUser"] for pod in pods()}
    assert users == {1000} and "useradd --uid 1000" in DOCKERFILE and DOCKERFILE.rstrip().endswith("USER 1000")


def test_workers_are_scaled_and_one_group_has_gpus():
    assert CLUSTER["enableInTreeAutoscaling"] and CLUSTER["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert all(group["minReplicas"] == 0 < group["maxReplicas"] for group in CLUSTER["workerGroupSpecs"])
    limits = [container["resources"]["limits"] for container in containers()]
    assert [limit.get("nvidia.com/gpu") for limit in limits] == [None, None, "1"]


def test_the_command_is_one_of_this_program():
    words = shlex.split(SPEC["entrypoint"])
    options = command_parser().parse_args(words[3:])
    assert words[:3] == ["python", "-m", "search.run"] and options.address == "auto"
    assert (ROOT / options.space).is_file()
    mounts = CLUSTER["headGroupSpec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert any(options.out.startswith(f"{mount['mountPath']}/") for mount in mounts)


def test_the_image_has_the_pinned_packages_and_all_sources():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extra,) = re.findall(r"pip install -c constraints.txt '\.\[(\w+)\]'", DOCKERFILE)
    assert project["optional-dependencies"][extra] == ["ray[default]>=2.60,<3"]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    files = [name for line in copied for name in line.split()]
    assert all((ROOT / name).exists() for name in files)
    assert {"search", "trainables", "spaces", "results", "constraints.txt"} <= set(files)

"""deploy/rayjob.yaml and deploy/Dockerfile: fields, token, network, volumes and versions.

No Kubernetes and no Docker run here: the manifest is compared with the fields of KubeRay's API (ray.io/v1, 1.5.1 to
1.7) that it uses.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import yaml

from search.command_line import command_parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = list(yaml.safe_load_all((ROOT / "deploy" / "rayjob.yaml").read_text()))
VOLUME, NETWORK, JOB = DOCUMENTS
SPEC = JOB["spec"]
CLUSTER = SPEC["rayClusterSpec"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
JOB_FIELDS = {
    *("activeDeadlineSeconds", "backoffLimit", "rayClusterSpec", "submitterPodTemplate", "metadata", "clusterSelector"),
    *("submitterConfig", "managedBy", "deletionStrategy", "entrypoint", "runtimeEnvYAML", "jobId", "submissionMode"),
    *("entrypointResources", "entrypointNumCpus", "entrypointNumGpus", "ttlSecondsAfterFinished", "suspend"),
    *("shutdownAfterJobFinishes", "preRunningDeadlineSeconds"),
}
CLUSTER_FIELDS = {
    *("headGroupSpec", "workerGroupSpecs", "rayVersion", "enableInTreeAutoscaling", "autoscalerOptions", "suspend"),
    *("headServiceAnnotations", "authOptions", "managedBy", "gcsFaultToleranceOptions", "upgradeStrategy"),
}
GROUP_FIELDS = {
    *("groupName", "replicas", "minReplicas", "maxReplicas", "numOfHosts", "rayStartParams", "template", "suspend"),
    *("scaleStrategy", "idleTimeoutSeconds", "resources", "labels"),
}


def pods() -> list[dict[str, Any]]:
    return [group["template"] for group in (CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"])]


def containers() -> list[dict[str, Any]]:
    return [container for pod in pods() for container in pod["spec"]["containers"]]


def test_all_fields_are_those_of_the_api():
    assert [document["kind"] for document in DOCUMENTS] == ["PersistentVolumeClaim", "NetworkPolicy", "RayJob"]
    assert JOB["apiVersion"] == "ray.io/v1" and SPEC.keys() <= JOB_FIELDS and CLUSTER.keys() <= CLUSTER_FIELDS
    assert all(group.keys() <= GROUP_FIELDS for group in CLUSTER["workerGroupSpecs"])
    assert SPEC["submissionMode"] in ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")
    assert all(isinstance(value, str) for value in CLUSTER["headGroupSpec"]["rayStartParams"].values())


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

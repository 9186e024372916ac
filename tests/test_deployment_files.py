"""The files that deploy an export: Kubernetes manifests, images and their constraints, the workflow."""

import configparser
import importlib.metadata
import os
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import kubernetes_validate
import numpy as np
import pandas as pd
import pytest
import yaml
from kerasrec_testing.command import COMMAND
from kerasrec_testing.platforms import needs_symlinks
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from kerasrec import generate
from kerasrec_cli import main

ROOT = Path(__file__).parents[1]
EXPORT = ROOT / "export"
MANIFESTS = [
    (file.name, manifest)
    for file in sorted((EXPORT / "kubernetes").glob("*.yaml"))
    for manifest in yaml.safe_load_all(file.read_text())
]


def manifest(kind, name):
    return next(m for _, m in MANIFESTS if (m["kind"], m["metadata"]["name"]) == (kind, name))


def pod_specs():
    yield manifest("Deployment", "kerasrec-serving")["spec"]["template"]
    yield manifest("CronJob", "kerasrec-nightly")["spec"]["jobTemplate"]["spec"]["template"]


@pytest.mark.parametrize(("file", "content"), MANIFESTS, ids=[f"{f} {m['kind']}" for f, m in MANIFESTS])
@pytest.mark.parametrize("version", ["1.29", "1.32"])
def test_a_manifest_is_valid_for_kubernetes(file, content, version):
    kubernetes_validate.validate(content, version, strict=True)


def test_a_wrong_manifest_is_found():
    wrong = {**manifest("PersistentVolumeClaim", "kerasrec-models"), "spec": {"accessModes": "ReadWriteMany"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.32", strict=True)


def test_the_config_map_contains_the_files_of_the_folder():
    data = manifest("ConfigMap", "kerasrec-serving")["data"]
    assert data == {name: (EXPORT / name).read_text() for name in data}
    assert set(data) == {"models.config", "batching.config", "monitoring.config"}


def test_pods_run_without_privileges_and_with_existing_volumes():
    for pod in pod_specs():
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert not pod["spec"]["automountServiceAccountToken"]
        (container,) = pod["spec"]["containers"]
        context = container["securityContext"]
        assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == {v["name"] for v in pod["spec"]["volumes"]}
        for volume in pod["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert manifest("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])


def test_each_selector_matches_the_labels_of_a_pod():
    labels = [pod["metadata"]["labels"] for pod in pod_specs()]
    for kind, name in (
        ("PodDisruptionBudget", "kerasrec-serving"),
        ("NetworkPolicy", "kerasrec-serving"),
        ("NetworkPolicy", "kerasrec-nightly"),
    ):
        spec = manifest(kind, name)["spec"]
        assert spec.get("selector", spec.get("podSelector"))["matchLabels"] in labels
    target = manifest("HorizontalPodAutoscaler", "kerasrec-serving")["spec"]["scaleTargetRef"]
    assert manifest(target["kind"], target["name"])


def commands_of(script):
    """The arguments of each `kerasrec` command in a shell script."""
    script = script.replace("\\\n", " ")
    return [
        shlex.split(line)
        for line in re.findall(r"\bkerasrec ((?:train|refit|evaluate|export|serve) [^\n;&|]*)", script)
    ]


@pytest.mark.parametrize("file", ["export/kubernetes/nightly.yaml", ".github/workflows/compose.yml"])
def test_the_commands_of_the_files_have_existing_options(file):
    commands = commands_of((ROOT / file).read_text())
    assert {command[0] for command in commands} >= {"train", "export"}
    for name, *arguments in commands:
        command = main.get_command(None, name)
        command.make_context(name, arguments)


@needs_symlinks
@pytest.mark.slow
def test_the_nightly_job_deploys_what_the_gate_accepts(tmp_path):
    """In a shell: the first model, a candidate, the same night again, and a night without new events."""
    (container,) = manifest("CronJob", "kerasrec-nightly")["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ]
    *shell, script = container["command"]
    script = script.replace("cd /models", f"cd {tmp_path}").replace("/data/", f"{tmp_path}/")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kerasrec").write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    (tmp_path / "bin" / "kerasrec").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "MODEL": "ease"}

    def run(today, events):
        columns = (events.user_ids[events.users], events.item_ids[events.items], events.values, events.times)
        names = ("user", "item", "rating", "timestamp")
        pd.DataFrame(dict(zip(names, columns, strict=True))).to_parquet(tmp_path / "events.parquet")
        tonight = script.replace("$(date -u +%F)", today).replace("$(date -u -d yesterday +%F)", newest)
        return subprocess.run([*shell, tonight], env=environment, capture_output=True, text=True)

    events = generate(n_users=600, n_items=80, seed=2)
    first_end, candidate_end = np.quantile(events.times, [0.8, 0.9])
    newest = datetime.fromtimestamp(candidate_end, UTC).isoformat()
    first = run("2026-01-01", events.select(events.times < first_end))
    assert (first.returncode, os.readlink(tmp_path / "deployed")) == (0, "runs/2026-01-01"), first.stderr
    script = script.replace("--margin 0.05", "--margin 0.5")  # few events make the interval wide
    for _ in range(2):
        second = run("2026-01-02", events)
        assert (second.returncode, os.readlink(tmp_path / "deployed")) == (0, "runs/2026-01-02"), second.stderr
        assert sorted(path.name for path in (tmp_path / "default").iterdir()) == ["1", "2"]
    third = run("2026-01-03", events)
    assert (third.returncode, os.readlink(tmp_path / "deployed")) == (2, "runs/2026-01-02"), third.stderr
    assert "expected interactions after the latest of both runs, got none" in third.stderr


@pytest.mark.parametrize("name", ["train", "serve"])
def test_an_image_runs_as_a_user_with_the_pinned_versions(name):
    text = (EXPORT / f"Dockerfile.{name}").read_text()
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    assert "--constraint constraints.txt" in text
    for sources in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / source).exists() for source in sources.split())
    if name == "serve":
        arguments = re.search(r"^CMD (\[.*\])$", text, re.MULTILINE)[1]
        path, *options = yaml.safe_load(arguments)
        assert path == "/models/default"
        main.get_command(None, "serve").make_context("serve", [path, *options])


def pinned_versions():
    lines = (EXPORT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines), lines
    return dict(line.split("==") for line in lines)


def requirements_of(requirements, extras):
    """The requirements that apply to Python 3.12 on Linux."""
    environment = {"python_version": "3.12", "python_full_version": "3.12.0", "sys_platform": "linux"}
    for requirement in map(Requirement, requirements):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in {*extras, ""}):
            yield requirement


def test_the_constraints_pin_every_dependency_to_an_allowed_version():
    """In an environment of the tests, which has all dependencies installed, perhaps in other versions."""
    pinned = pinned_versions()
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = config["options"]["install_requires"] + config["options.extras_require"]["serve"]
    waiting, seen, is_complete = [*requirements_of(filter(None, declared.split("\n")), ())], set(), True
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"constraints.txt has no version of {name}"
        assert requirement.specifier.contains(Version(pinned[name]), prereleases=True), (requirement, pinned[name])
        if (name, *sorted(requirement.extras)) in seen:
            continue
        seen.add((name, *sorted(requirement.extras)))
        distribution = importlib.metadata.distribution(name)
        if distribution.version == pinned[name]:
            waiting += requirements_of(distribution.requires or (), requirement.extras)
        else:  # another version may have other requirements
            is_complete = False
    assert not is_complete or {name for name, *_ in seen} == pinned.keys()


def test_the_workflow_starts_the_compose_file_and_runs_the_client():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "compose.yml").read_text())["jobs"]
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert any("compose -f export/compose.yaml up --wait" in step for step in steps)
    assert any("export/ask.py" in step for step in steps)
    for name in ("train", "serve"):
        assert any(f"export/Dockerfile.{name}" in step for step in steps)

"""docs/ci.md and docs/schedule.md: the jobs that they show do what they are said to do."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import yaml
from tests.engine.cli.test_documentation import DOCS, blocks

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

SECRETS = ("ANTHROPIC_ADMIN_API_KEY", "PORT_CLIENT_ID", "PORT_CLIENT_SECRET")
SECRET = re.compile(r"\$\{\{ secrets\.(\w+) \}\}")
# What a runner has and we have not. The comment's body must be there when it is asked for.
PIP = "#!/bin/sh\ntest \"$*\" = 'install -r requirements.txt'\n"
GH = '#!/bin/sh\necho "$*" >> asked_of_gh\nwhile [ $# -gt 1 ]; do shift; done\ntest -s plan.md\n'


class Runner:
    """Runs a job's shell steps, as GitHub's or GitLab's runner does, on a desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.summary = desk.root / "summary.md"
        tools = desk.root / "tools"
        for name, text in {"pip": PIP, "gh": GH}.items():
            desk.write(f"tools/{name}", text)
            (tools / name).chmod(0o755)
        own = Path(sys.executable).parent
        self.path = f"{tools}:{own}:{os.environ['PATH']}"

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """One step. Of the desk's variables it has those that are no secrets."""
        given = {k: v for k, v in self.desk.environment.items() if k not in SECRETS}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.desk.root,
            env={
                **given,
                **variables,
                "PATH": self.path,
                "GITHUB_WORKSPACE": str(self.desk.root),
                "GITHUB_STEP_SUMMARY": str(self.summary),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done

    def run_job(self, workflow: dict[str, Any], name: str) -> list[str]:
        """A job of a workflow of GitHub's; gives what its steps wrote to stderr."""
        job = workflow["jobs"][name]
        said = []
        for step in job["steps"]:
            if "run" in step:
                parts = (workflow.get("env", {}), job.get("env", {}), step.get("env", {}))
                variables = {k: self.filled(v) for part in parts for k, v in part.items()}
                said.append(self.run(step["run"], **variables).stderr)
            else:
                assert step["uses"].split("@")[0] in {
                    "actions/checkout",
                    "actions/setup-python",
                    "actions/cache/restore",
                    "actions/cache/save",
                    "actions/upload-artifact",
                }
        return said

    def filled(self, value: str) -> str:
        found = SECRET.fullmatch(value)
        return self.desk.environment[found[1]] if found else value


@pytest.fixture
def runner(desk: Desk) -> Runner:
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-03")
    desk.without_marts()
    return Runner(desk)


def workflow(number: int) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(blocks("ci.md", "yaml")[number])
    return found


def test_the_workflow_syncs_and_reviews(runner: Runner) -> None:
    desk, claude = runner.desk, workflow(0)
    runner.run_job(claude, "sync")
    sent = len(desk.sent())
    assert sent > 10
    assert "usage_messages" in runner.summary.read_text("utf-8")
    assert (desk.root / "claude.duckdb").exists()
    # A change of a mapping, as somebody proposes it.
    desk.edit("mappings/claude.yml", '"Claude Cost - "', '"Spent on "')
    with pytest.raises(AssertionError, match=r"::error file=tests/mappings/claude\.yml,line="):
        runner.run_job(claude, "review")
    desk.edit("tests/mappings/claude.yml", "Claude Cost - ", "Spent on ")
    runner.summary.unlink()
    runner.run_job(claude, "review")
    assert len(desk.sent()) == sent
    plan = (desk.root / "plan.md").read_text("utf-8")
    assert plan in runner.summary.read_text("utf-8")
    assert re.search(
        r"\| change \| claude_cost_record \|.*title: \"Claude Cost - .*\" -> \"Spent on", plan
    )
    asked = (desk.root / "asked_of_gh").read_text("utf-8").strip()
    assert asked.endswith("--body-file plan.md --edit-last --create-if-none")
    for file in ("build", "test"):
        assert ElementTree.parse(desk.root / f"target/{file}.xml").getroot().tag == "testsuites"


def test_the_workflow_without_a_database(runner: Runner) -> None:
    desk, stateless = runner.desk, workflow(1)
    runner.run_job(stateless, "sync")
    sent = len(desk.sent())
    assert sent > 10
    for file in desk.root.glob("claude.duckdb*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    runner.run_job(stateless, "sync")
    assert len(desk.sent()) == sent  # Port has them all


def test_the_gitlab_jobs(runner: Runner) -> None:
    jobs = workflow(2)
    variables = {name: runner.desk.environment[name] for name in SECRETS}
    for name in ("sync", "review"):
        script = [*jobs["default"]["before_script"], *jobs[name]["script"]]
        runner.run("\n".join(script), **variables)
        runner.run("\n".join(jobs[name].get("after_script", ["true"])))
    assert "| unchanged |" in (runner.desk.root / "plan.md").read_text("utf-8").lower()


def test_findings_are_annotations_at_file_and_line(desk: Desk) -> None:
    desk.write(
        "models/marts/wrong.sql",
        "select 1 as a,\n  nothing_like_it as b, '50%' as c\nfrom {{ ref('usage') }}\n",
    )
    environment = {"GITHUB_WORKSPACE": str(desk.root.parent)}
    done = desk.run("compile", "--log-format", "github", environment=environment)
    assert done.code == 2
    (line,) = [each for each in done.err.splitlines() if each.startswith("::error")]
    assert line.startswith(f"::error file={desk.root.name}/models/marts/wrong.sql,line=2,col=3::")
    desk.write("models/marts/wrong.sql", "select '100%' as a from {{ ref('nowhere') }}\n")
    (line,) = [
        each
        for each in desk.run("compile", "--log-format", "github").err.splitlines()
        if each.startswith("::error")
    ]
    assert "%0A" in line
    done = desk.run("compile", "--log-format", "github", "--no-such-flag")
    assert (done.code, done.err.startswith("::error::")) == (2, True)


def test_the_files_of_the_schedules_are_well_formed() -> None:
    manifests = [
        each for text in blocks("schedule.md", "yaml") for each in yaml.safe_load_all(text)
    ]
    assert [each["kind"] for each in manifests] == ["PersistentVolumeClaim", "CronJob"]
    (pod,) = [each["spec"]["jobTemplate"]["spec"]["template"]["spec"] for each in manifests[1:]]
    (container,) = pod["containers"]
    arguments = [container["args"]]
    claims = {each["name"] for each in pod["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == claims
    units = "\n".join(blocks("schedule.md", "ini"))
    arguments.append(shlex.split(re.findall(r"^ExecStart=\S+ (.*)$", units, re.MULTILINE)[0]))
    (cron,) = blocks("schedule.md", "cron")
    arguments.append(shlex.split(re.findall(r"bin/lading (.*?) \|\|", cron)[0]))
    for given in arguments:
        done = subprocess.run(
            [Path(sys.executable).parent / "lading", *given, "--help"],
            check=False,
            capture_output=True,
        )
        assert done.returncode == 0
    docker = (DOCS.parent / "Dockerfile").read_text("utf-8")
    user = f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert user in docker.splitlines()

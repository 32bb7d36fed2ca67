"""The wheel is the whole package, with gin and data files, and works by itself."""

import email
import itertools
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import redo_dopamine

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", str(ROOT), "--quiet"),
            *("--no-deps", "--no-build-isolation", f"--wheel-dir={out}"),
        ],
        check=True,
    )
    [path] = out.glob("*.whl")
    return path


def test_the_wheel_holds_every_module_and_gin_file(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(p.relative_to(ROOT)) for p in ROOT.glob("redo_dopamine/**/*.py")}
    configs = {
        f"redo_dopamine/{p.relative_to(ROOT)}"
        for p in ROOT.glob("gin_configs/**/*.gin")
    }
    assert len(configs) >= 3
    assert modules | configs <= names
    assert not [name for name in names if name.startswith(("tests", "launch"))]
    [entry_points] = [name for name in names if name.endswith("entry_points.txt")]
    text = zipfile.ZipFile(wheel).read(entry_points).decode()
    assert "redo-dopamine = redo_dopamine.__main__:main" in text
    assert "redo-train = redo_dopamine.__main__:train" in text


def test_its_metadata_are_whole_and_its_description_has_no_link_into_a_checkout(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    [place] = [name for name in names if name.endswith("dist-info/METADATA")]
    said = email.message_from_bytes(zipfile.ZipFile(wheel).read(place))
    assert said["Version"] == redo_dopamine.__version__
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {redo_dopamine.__version__}\n" in citation
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Author"] == "The redo_dopamine authors"
    assert said["Requires-Python"] == "<3.14,>=3.11"
    assert {"absl-py", "python-snappy"} <= {
        re.match(r"[\w-]+", x)[0] for x in said.get_all("Requires-Dist")
    }
    text = said.get_payload()
    assert text.count("## ") == (ROOT / "README.md").read_text().count("## ")
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links
    assert [x for x in links if not x.startswith("https://")] == []


def test_the_source_distribution_is_what_git_tracks(tmp_path):
    listed = ("git", "-C", str(ROOT), "ls-files", "-z")
    tracked = subprocess.run(listed, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("this is no checkout of git")
    copy = tmp_path / "copy"
    names = [name for name in tracked.stdout.split("\0") if name]
    for name in names:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "sdist"],
        cwd=copy,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    [archive] = (copy / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as held:
        packed = {x.name.partition("/")[2] for x in held if x.isfile()}
    made = {x for x in packed if "egg-info" in x} | {"PKG-INFO", "setup.cfg"}
    assert packed - made == set(names)


def test_the_wheel_holds_every_data_file(wheel):
    data = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob("redo_dopamine/**/*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert "redo_dopamine/report/data/atari_human_random.json" in data
    assert data <= set(zipfile.ZipFile(wheel).namelist())


def test_an_installed_report_finds_its_human_scores(wheel, tmp_path):
    said = run_installed(
        wheel,
        tmp_path,
        "from redo_dopamine.report.study import scores\n"
        "ends = scores.human().ends\n"
        "print(len(ends), tuple(ends['Pong']))\n",
    )
    assert said == "57 (-20.7, 14.6)\n"


@pytest.mark.parametrize("name", ["local", "slurm"])
def test_a_launcher_is_a_script_of_the_checkout_for_any_directory(name, tmp_path):
    result = subprocess.run(
        [sys.executable, str(ROOT / "launch" / f"{name}.py"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for option in ("--study", "--base_dir", "--print_commands"):
        assert option in result.stdout


def test_gin_files_resolve_by_name_from_an_installed_wheel(wheel, tmp_path):
    said = run_installed(
        wheel,
        tmp_path,
        "import gin\n"
        "from redo_dopamine.config import load\n"
        "load.load_gin_configs(['dqn_redo.gin'], [])\n"
        "print(load.CONFIG_DIR, gin.query_parameter('redo.tau'))\n",
    )
    assert said == f"{tmp_path}/site/redo_dopamine/gin_configs 0.025\n"


def test_an_installed_package_lists_launches_and_reports_a_study(wheel, tmp_path):
    def command(*words):
        return run_installed(
            wheel,
            tmp_path,
            "import sys\n"
            "from redo_dopamine import __main__ as command\n"
            f"sys.argv = ['redo-dopamine', *{words}]\n"
            "command.main()\n",
        )

    name, launch = "laptop_replay_ratio", ("launch", "local", "--base_dir=runs")
    assert name in command("studies")
    said = command(*launch, "--study=replay_ratio", "--print_commands", "--seeds=1")
    assert said.count("-m redo_dopamine.train") == 8 * 17
    assert (tmp_path / "runs" / "replay_ratio" / "study.json").exists()

    of_one_run = ("--arms=dqn_rr0.25", "--seeds=1", "--scale=1e-6")
    said = command(*launch, f"--study={name}", *of_one_run)
    assert "1 of 1 runs are done." in said
    assert f"redo-dopamine report --base_dir=runs/{name}" in said
    command("report", f"--base_dir=runs/{name}")
    page = (tmp_path / "runs" / name / "report" / "index.html").read_text()
    assert "SpaceInvaders" in page


def run_installed(wheel, directory, script):
    """What a script says that finds the wheel, and not this checkout."""
    site = directory / "site"
    if not site.exists():
        zipfile.ZipFile(wheel).extractall(site)
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=directory,
        env={"PYTHONPATH": str(site), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def test_an_unsupported_python_gets_a_clear_message(tmp_path):
    script = (
        "import sys\n"
        "sys.version_info = (3, 9, 1)\n"
        "sys.argv = ['setup.py', '--version']\n"
        f"exec(open({str(ROOT / 'setup.py')!r}).read(), "
        f"{{'__file__': {str(ROOT / 'setup.py')!r}}})\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "needs Python 3.11, 3.12, 3.13, but this is Python 3.9.1" in result.stderr
    assert "Traceback" not in result.stderr


def test_constraints_pin_every_requirement():
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = itertools.chain(
        project["dependencies"], *project["optional-dependencies"].values()
    )
    required = {re.match(r"[\w-]+", x.lower())[0] for x in asked} - {"redo-dopamine"}
    assert {"dopamine-rl", "jax", "submitit", "hypothesis"} <= required
    assert required - pinned == set()

import subprocess
import sys

# Runs in a process of its own, where nothing has been imported yet.
_SCRIPT = """
import importlib, importlib.abc, pkgutil, sys

BLOCKED = {
    "tensorflow", "dopamine", "gin", "ale_py", "gymnasium", "gym", "pandas",
    "matplotlib",
}

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
try:
    import gin
except ImportError:
    pass
else:
    raise SystemExit("the blocker does not block")

for package_name in ("redo_dopamine.core", "redo_dopamine.networks"):
    package = importlib.import_module(package_name)
    for module in pkgutil.walk_packages(package.__path__, package_name + "."):
        importlib.import_module(module.name)
        print(module.name)
"""


def test_core_and_networks_import_without_dopamine_or_tensorflow():
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert {"redo_dopamine.core.recycle", "redo_dopamine.networks.nature"} <= imported

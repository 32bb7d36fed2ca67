"""The door of the build; all that is data stands in pyproject.toml.

It refuses a Python that is not supported, puts the gin files of `gin_configs/` into the
package, and writes the description that an index shows.
"""

import pathlib
import re
import sys

from setuptools import find_packages, setup

ROOT = pathlib.Path(__file__).parent
SUPPORTED = ((3, 11), (3, 12), (3, 13))

if sys.version_info[:2] not in SUPPORTED:
    supported = ", ".join(".".join(map(str, version)) for version in SUPPORTED)
    found = ".".join(map(str, sys.version_info[:3]))
    sys.exit(
        f"redo-dopamine needs Python {supported}, but this is Python {found} "
        f"({sys.executable}). Make the environment with 'python3.13 -m venv .venv' "
        "and install into that."
    )


def description() -> str:
    """README.md, its pictures and links into the checkout replaced by their texts."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"!\[([^\]]*)\]\((?!https?:)[^)]*\)", r"(Figure: \1.)", text)
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)\s]+\)", r"\1", text)


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    packages=[*find_packages(include=["redo_dopamine*"]), "redo_dopamine.gin_configs"],
    package_dir={"redo_dopamine.gin_configs": "gin_configs"},
    include_package_data=False,  # Else every file of MANIFEST.in would be in the wheel.
    package_data={
        "redo_dopamine.gin_configs": ["**/*.gin"],
        "redo_dopamine": ["py.typed"],
        "redo_dopamine.report": ["data/*", "templates/*"],
    },
)

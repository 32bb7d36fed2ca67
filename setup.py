"""Installs redo-dopamine; the gin files of `gin_configs/` go into the package."""

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

[VERSION] = re.findall(
    r'__version__ = "(.+)"', (ROOT / "redo_dopamine" / "__init__.py").read_text()
)

# By what they are for; [dev] has all but the first, because the tests need them.
EXTRAS = {
    "cuda": ["jax[cuda12]>=0.6,<0.13"],
    "cluster": ["submitit>=1.5,<2"],
    "evolution": ["evosax>=0.3,<0.4"],
    "minatar": ["MinAtar>=1.0.15,<2"],
    "mujoco": ["gymnasium[mujoco]>=1.0,<2"],
}
TESTED = [need for name in EXTRAS if name != "cuda" for need in EXTRAS[name]]
DEVELOPMENT = [
    "dm-haiku>=0.0.13",
    "equinox>=0.11",
    "hypothesis>=6.100",
    "ipykernel>=7",
    "mypy>=1.13",
    "nbclient>=0.10",
    "nbformat>=5.10",
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "ruff>=0.8",
    "setuptools>=70.1",
]

setup(
    name="redo-dopamine",
    version=VERSION,
    description="Dopamine agents that track and recycle their dormant neurons (ReDo)",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    packages=[*find_packages(include=["redo_dopamine*"]), "redo_dopamine.gin_configs"],
    package_dir={"redo_dopamine.gin_configs": "gin_configs"},
    package_data={
        "redo_dopamine.gin_configs": ["**/*.gin"],
        "redo_dopamine": ["py.typed"],
        "redo_dopamine.report": ["data/*", "templates/*"],
    },
    install_requires=[
        # The base. flax's metrics need tensorboard, which tensorflow no longer brings
        # along.
        "dopamine-rl>=4.1.2,<4.2",
        "tensorflow>=2.19,<2.22",
        "tf-keras>=2.19,<2.22",
        "tensorboard>=2.19,<2.22",
        "tensorflow-probability>=0.25,<0.26",
        "jax>=0.6,<0.13",
        "jaxlib>=0.6,<0.13",
        "flax>=0.10,<0.13",
        "optax>=0.2.6,<0.3",
        "gin-config>=0.5,<0.6",
        "absl-py>=2.1,<3",
        "ale-py>=0.10.1,<0.13",
        "gymnasium>=1.0,<2",
        "numpy>=2.0,<3",
        "pandas>=2.2,<3",
        "matplotlib>=3.9,<4",
        "jinja2>=3.1,<4",
        # Its dependency arch needs pandas < 3.
        "rliable>=1.2,<1.3",
        "scipy>=1.13,<2",
        "tqdm>=4.66,<5",
        "rich>=13,<16",
        "typeguard>=4.4,<5",
    ],
    extras_require={**EXTRAS, "dev": [*DEVELOPMENT, *TESTED]},
    entry_points={
        "console_scripts": [
            "redo-dopamine=redo_dopamine.__main__:main",
            "redo-train=redo_dopamine.__main__:train",
        ]
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        *(f"Programming Language :: Python :: 3.{minor}" for _, minor in SUPPORTED),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)

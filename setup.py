"""Packaging: the package, and the property files that lie beside it in the repository."""

import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (ROOT / "recbole_dsl/__init__.py").read_text())[1]

setup(
    name="recbole_dsl",
    version=VERSION,
    description="Dual-scale Softmax Loss and its baselines as RecBole models",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=[
        "recbole_dsl",
        "recbole_dsl.backbones",
        "recbole_dsl.benchmark",
        "recbole_dsl.diagnostics",
        "recbole_dsl.groups",
        "recbole_dsl.importer",
        "recbole_dsl.loading",
        "recbole_dsl.losses",
        "recbole_dsl.metrics",
        "recbole_dsl.models",
        "recbole_dsl.properties",
        "recbole_dsl.splits",
        "recbole_dsl.tuning",
    ],
    # properties/ stays at the top of the repository, where RecBole's users look for it, and is
    # installed inside the package, where it cannot clash with another one's.
    package_dir={"recbole_dsl.properties": "properties"},
    package_data={"recbole_dsl.properties": ["*.yaml", "*/*.yaml"]},
    install_requires=[
        # RecBole pins ray <= 2.6.3, which has no wheel from Python 3.12 on: there it is installed
        # without its dependencies (README, Install), so those that a run needs are listed here.
        "recbole==1.2.1; python_version < '3.12'",
        "torch>=2.2",
        "numpy>=1.23",
        "scipy>=1.9",
        "pandas>=1.5,<4",  # RecBole calls DataFrame.drop(inplace=True), which pandas 4 removes
        "pyyaml>=5.1",
        "tqdm>=4.48.2",
        "colorlog>=4.7.2",
        "colorama>=0.4.4",
        "scikit-learn>=0.23.2",
        "tensorboard>=2.5",
        "texttable>=0.9",
        "psutil>=5.9",
        "plotly>=5.10",
        "tabulate>=0.9",
        "jinja2>=3.1.2",  # pandas writes LaTeX with it; torch brings it
    ],
    extras_require={
        "parquet": ["pyarrow>=10"],  # the importer reads parquet files
        "tuning": ["optuna>=4.9"],
        "test": ["pytest>=8", "ruff", "pyarrow>=10", "playwright>=1.40", "optuna>=4.9"],
    },
    entry_points={
        "console_scripts": [
            "run_recbole_dsl=recbole_dsl.cli:main",
            "tune_recbole_dsl=recbole_dsl.tuning.command:main",
            "benchmark_recbole_dsl=recbole_dsl.benchmark.command:main",
        ]
    },
    classifiers=[
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)

"""Packaging: the package, and the property files that lie beside it in the repository."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
# recbole_dsl serve; fastapi-offline brings what its page /docs needs, which has no network then
SERVE = ["fastapi>=0.115", "fastapi-offline>=1.7.7", "uvicorn>=0.30", "pydantic>=2.9"]
DOCS = [  # mkdocs build --strict
    "mkdocs>=1.6,<2",
    "mkdocs-material>=9.6,<10",
    "mkdocstrings>=1.0",
    "mkdocstrings-python>=2.0",
    "griffelib>=2.0",
    "latex2mathml>=3.78",
]
VERSION = re.search(r'__version__ = "(.+?)"', (ROOT / "recbole_dsl/_version.py").read_text())[1]

setup(
    name="recbole_dsl",
    version=VERSION,
    description="Dual-scale Softmax Loss and its baselines as RecBole models",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    keywords="recommender systems, collaborative filtering, softmax loss, RecBole, PyTorch",
    python_requires=">=3.10",
    packages=[*find_packages(include=["recbole_dsl", "recbole_dsl.*"]), "recbole_dsl.properties"],
    # properties/ stays at the top of the repository, where RecBole's users look for it, and is
    # installed inside the package, where it cannot clash with another one's.
    package_dir={"recbole_dsl.properties": "properties"},
    package_data={
        "recbole_dsl": ["py.typed", "common/page.css", "common/page.js"],
        "recbole_dsl.properties": ["*.yaml", "*/*.yaml"],
    },
    install_requires=[
        # Lower bounds: the versions of tests/constraints-oldest.txt, which were tried.
        # RecBole pins ray <= 2.6.3, which has no wheel from Python 3.12 on: there it is installed
        # without its dependencies (README.md), so those that a run needs are listed here.
        "recbole==1.2.1; python_version < '3.12'",
        "torch>=2.4",
        "numpy>=1.23.5",
        "scipy>=1.9.3",
        "pandas>=1.5.3,<4",  # RecBole calls DataFrame.drop(inplace=True), which pandas 4 removes
        "pyyaml>=6.0",
        "tqdm>=4.65",
        "colorlog>=4.7.2",
        "colorama>=0.4.4",
        "scikit-learn>=1.1.3",
        "threadpoolctl>=3.1",  # scikit-learn brings it; older ones fail on new OpenBLAS builds
        "tensorboard>=2.11.2",
        "texttable>=1.6.4",
        "psutil>=5.9",
        "plotly>=5.15",
        "tabulate>=0.9",
        "jinja2>=3.1.2",  # pandas writes LaTeX with it; torch brings it
    ],
    extras_require={
        "parquet": ["pyarrow>=10.0.1"],  # the importer reads parquet files
        "hnswlib": ["hnswlib>=0.8"],  # recbole_dsl export --index=hnswlib
        "faiss": ["faiss-cpu>=1.8"],  # --index=faiss
        "serve": SERVE,
        "tuning": ["optuna>=4.9"],
        "postgresql": ["optuna>=4.9", "psycopg[binary]>=3.2.1"],  # tuning on several machines
        "docs": DOCS,
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6.100",
            "ipython>=8.10",  # how errors look in a notebook
            "nbclient>=0.10.1",  # runs examples/quickstart.ipynb, in the kernel of
            "ipykernel>=6.21",
            "ruff",
            "mypy",
            "pyarrow>=10.0.1",
            "playwright>=1.40",
            "optuna>=4.9",
            "psycopg[binary]>=3.2.1",
            "faiss-cpu>=1.8",
            *SERVE,
            *DOCS,
            "httpx>=0.27",  # asks the service in tests
        ],
    },
    project_urls={"Paper of DSL": "https://arxiv.org/abs/2602.07206"},
    entry_points={
        "console_scripts": [
            "recbole_dsl=recbole_dsl.__main__:main",
        ]
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        # What is tested; the modules resource and fcntl, which some files need, are POSIX's.
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3 :: Only",
        "Typing :: Typed",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)

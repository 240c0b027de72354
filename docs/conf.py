"""Sphinx configuration: numpydoc for the reference, sphinx-gallery for the pages that run."""

from __future__ import annotations

import re
from typing import Any

import lipcore

project = "lipcore"
author = "the lipcore developers"
copyright = "2026, the lipcore developers"
version = release = lipcore.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]

nitpicky = False  # parameters are described in words (NumPy's convention), which are not cross-references
exclude_patterns = ["_build", "gallery", "models", "**/GALLERY_HEADER.rst"]
default_role = "literal"  # single backticks in docstrings name arguments

autosummary_generate = True
autodoc_typehints = "none"  # the Parameters sections say it in words
templates_path = ["_templates"]
numpydoc_show_class_members = False  # inherited members on each operator; LinearOperator's page lists them
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["gallery_built"],
    "filename_pattern": r"plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "plot_gallery": True,
    "abort_on_example_error": True,
    "min_reported_time": 0,
    "write_computation_times": False,
    "image_srcset": ["2x"],
    "copyfile_regex": "",
}

html_theme = "alabaster"
html_title = f"lipcore {release}"
html_theme_options = {
    "description": "Certified norms of linear maps, on any array library",
    "fixed_sidebar": True,
    "page_width": "1280px",
    "sidebar_width": "230px",
}
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["lipcore.css"]


def escape_stars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Shapes such as (*batch_shape, M, N) are written plainly in docstrings; reST would start an emphasis there."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            pieces = re.split(r"(`+[^`]*`+)", line)
            pieces[::2] = [re.sub(r"(?<![\\*\w])\*(?=\w+[,)])", r"\\*", piece) for piece in pieces[::2]]
            lines[i] = "".join(pieces)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", escape_stars, priority=900)  # after numpydoc

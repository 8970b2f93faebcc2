"""How the pages of this folder become a site: `python -m sphinx -W --keep-going docs site`.

Every page is plain Markdown, to be read here as well.  The site adds the navigation (index.md), the settings and the
reference, both from docstrings.  It loads nothing from other hosts.
"""

import re
from collections.abc import Mapping

from sphinx.pycode import parser

import muzero
from muzero import build
from muzero.cli.explain import settings
from muzero.config.descriptions import descriptions
from muzero.config.schema import parameters, written

project, author, copyright = "muzero", "the authors of muzero", "the authors of muzero"
version = release = muzero.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"muzero {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5fa8", "color-brand-content": "#1f5fa8"},
    "dark_css_variables": {"color-brand-primary": "#7fb2ea", "color-brand-content": "#7fb2ea"},
}
autodoc_inherit_docstrings = False  # what a contract says of a method is said once, there
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
smartquotes = False  # they make one dash of two, as in --game
python_maximum_signature_line_length = 80
add_module_names = False

# Fields of records are described in comments beside them, which Sphinx takes for descriptions as they are, without its
# own mark.
parser.comment_re = re.compile(r"^\s*#:? (?!noqa|type:|fmt:|pragma)(.*)\r?\n?$")

PROCESSED: dict[str, list[str]] = {}  # docstrings by the names of what they describe


def setup(app):
    app.connect("source-read", insert_settings)
    app.connect("autodoc-skip-member", without_text)
    app.connect("autodoc-process-docstring", from_markdown, priority=400)  # before napoleon reads the sections
    app.connect("autodoc-process-docstring", as_it_was, priority=600)  # after it


def without_text(app, what, name, member, skip, options):
    """Leave out fields of named tuples that have no description but the one that Python makes up."""
    return True if str(getattr(member, "__doc__", "")).startswith("Alias for field number") else None


def insert_settings(app, name, source):
    """Put all settings where their page has the mark for them."""
    source[0] = source[0].replace("<!-- all settings -->", "\n\n".join(tables()))


def tables():
    """A section for each table of settings, and for each kind of it."""
    for table, entry in build.SCHEMA.items():
        yield f"## [{table}]"
        kinds = list(entry) if isinstance(entry, Mapping) else [None]
        for kind in kinds:
            if kind is not None:
                first = "; the default" if kind == kinds[0] else ""
                yield f'### [{table}] kind = "{kind}"{first}'
            for one in settings():
                if (one.table, one.kind) == (table, kind):
                    parameter = parameters(one.constructor)[one.key]
                    default = f"default `{written(parameter.default)}`"
                    text = descriptions(one.constructor)[one.key].replace("*", r"\*")
                    yield f"`{one.name}`: {parameter.expected}; {default}\n: {text}"


def from_markdown(app, what, name, found, options, lines):
    """Docstrings are written as Markdown: a name between single quotes is code, and a star, as in [B, *shape], a star.

    Names that begin with a capital letter become links, where the reference knows them.
    """
    for number, line in enumerate(lines):
        parts = re.split(r"(`+[^`]*`+)", line)
        for place, part in enumerate(parts):
            if not part.startswith("`"):
                parts[place] = re.sub(r"([*|])", r"\\\1", part)
            elif re.fullmatch(r"`[A-Z]\w+(\.\w+)*`", part):
                parts[place] = f":py:obj:{part}"
            elif not part.startswith("``"):
                parts[place] = f"`{part}`"
        lines[number] = "".join(parts)
    PROCESSED[name] = lines[:]


def as_it_was(app, what, name, found, options, lines):
    """Of an attribute, "mean: signed" is not a type and its description, as which napoleon reads it."""
    if what in ("attribute", "property"):
        lines[:] = PROCESSED[name]

"""HTML pages that need nothing else: no script, no network.

What stands on them is other people's text. The templates escape all of it, what HTML cannot hold
is made visible, and a page forbids itself scripts and requests of any kind. The only thing that
goes in as it is are our own plots.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from blender_core.errors import MissingExtraError
from blender_core.evaluation.plots import as_svg
from blender_core.evaluation.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["page"]


def page(template: str, **values: object) -> str:
    """A page, as text to be written in UTF-8.

    Args:
        template: its name in the folder `templates`.
        values: what the template is given.

    Raises:
        MissingExtraError: Jinja2 is not installed, or there is a plot and matplotlib is not.
    """
    return _templates().get_template(f"{template}.html").render(values)


@cache
def _templates() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtraError("an HTML page", "eval") from error
    templates = Environment(
        loader=PackageLoader("blender_core.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else visible(str(value)),
    )
    templates.filters["svg"] = lambda plot: Markup(as_svg(plot))  # noqa: S704 - drawn by us
    return templates

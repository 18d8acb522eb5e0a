"""Every page: a template with its style sheet, under a policy that forbids scripts and every connection.

The one style sheet is allowed by its hash. Autoescaping is on, and nothing but `answers.marked` and the style sheet is ever
taken as markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from heedful.report import figures, wording


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """A page under a policy that forbids scripts and every connection, with the style sheet for its context."""
    environment = _environment()
    style = environment.get_template("report.css.jinja").render(context)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(template).render(context, style=Markup(style), style_hash=digest)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("heedful.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "task": wording.task_name,
        "site": wording.site_name,
        "number": wording.number,
        "signed": wording.signed,
        "interval": wording.interval,
        "with_interval": wording.with_interval,
        "listed": wording.listed,
        "percent": wording.percent,
        "percent_interval": wording.percent_interval,
        "thousands": wording.thousands,
        "seconds": wording.seconds,
        "along": figures.along,
        "plain": lambda value: wording.visible(wording.plain(value)),
    }
    return environment

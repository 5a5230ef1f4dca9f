"""Pages for a browser: one file each, with everything in it, that asks no network for anything.

Everything that a template prints is text of others: it is escaped, and what steers or hides is written out first. The
policy in the page names its one style sheet and its one script by their digests, so that markup which got in all the
same could neither run nor load anything. A new kind of page is a template that extends ``base.html``.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from akgflow import __version__
from akgflow.base.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")


def policy(*, served: bool = False) -> str:
    """The Content-Security-Policy of a page; one that is served may ask its own server for news."""
    parts = [
        "default-src 'none'",
        f"style-src '{_digest(_asset('page.css'))}'",
        f"script-src '{_digest(_asset('page.js'))}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join([*parts, "connect-src 'self'"] if served else parts)


def render(template: str, *, served: bool = False, following: bool = False, **values: Any) -> str:
    """The page that a template in ``templates/`` makes of ``values``; one that is ``following`` asks for news."""
    whole = {
        "policy": policy(served=served),
        "style": Markup(_asset("page.css")),
        "script": Markup(_asset("page.js")),
        "version": __version__,
        "following": following,
    }
    return _environment().get_template(template).render(**whole, **values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: Any) -> Any:
    """What a template prints, before it is escaped: only drawings and our own files are markup already."""
    return value if isinstance(value, Markup) else visible(str(value))


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

"""What people see in a browser: Jinja2 templates behind strict headers.

All is escaped but posts and notes, which are HTML already, made or sanitised here (`people.py`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from litestar import Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import SkipValidation

HERE = Path(__file__).parent

# No script at all, ours or anyone's; and no frame, so that nobody is tricked into pressing a button (O10).
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


class Pages:
    """Renders the templates beside this file; `instance` is the name in every title."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def answer(
        self,
        template: str,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        cookies: Sequence[Cookie] = (),
        **context: Any,
    ) -> Response[bytes]:
        """`template` filled with `context`, as a page that is neither framed, scripted nor cached."""
        text = self._templates.get_template(template).render(instance=self._instance, **context)
        return Response(
            text.encode(),
            status_code=status_code,
            headers={**HEADERS, **(headers or {})},
            cookies=list(cookies),
            media_type="text/html",
        )


# How a route asks for them.
ThePages: TypeAlias = NamedDependency[SkipValidation[Pages]]

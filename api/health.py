"""For whoever watches: /livez (the process answers), /readyz (it can answer what it is asked), /metrics (Prometheus).

The first two say nothing that a stranger could use. Metrics do; they are for whoever has the token. Behind a reverse
proxy everybody comes from this machine, and not every proxy says that it is one: so without a token nobody may read the
metrics of an instance that has a name for the world, and those of a trial only who asks from this machine.
"""

import hmac
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get

from adapters.config import Settings, host_of, is_loopback
from api.auth import PUBLIC
from api.errors import Forbidden, Unauthorized
from api.server import TheBook

AnyRequest = Request[Any, Any, Any]

OK, NOT_READY = 200, 503
UNCACHED = {"Cache-Control": "no-store"}
# What proxies add to what they pass on.
PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
FROM_ELSEWHERE = (
    "Metrics can be read from this machine and not through a proxy; from elsewhere, with DAYBOOK_METRICS_TOKEN."
)
FOR_NOBODY = (
    "Nobody can read the metrics of this instance until DAYBOOK_METRICS_TOKEN is set: "
    "then whoever sends that as a bearer token can."
)


@get("/livez", opt=PUBLIC)
async def livez() -> Response[bytes]:
    """The process answers; nothing else is looked at."""
    return _json({"status": "alive"}, OK)


@get("/readyz", opt=PUBLIC)
async def readyz(server: TheBook) -> Response[bytes]:
    """200 when the database answers and the read models are ours and current; else 503 with the reasons."""
    reasons = await server.vitals.ready.reasons()
    if reasons:
        return _json({"status": "not ready", "reasons": reasons}, NOT_READY)
    return _json({"status": "ready"}, OK)


@get("/metrics", opt=PUBLIC)
async def metrics(request: AnyRequest, server: TheBook) -> Response[bytes]:
    """Everything that is counted and measured, in Prometheus' text form or as OpenMetrics."""
    check_reader(request, server.settings)
    content, media_type = await server.vitals.exposition(request.headers.get("accept", ""))
    return Response(content, media_type=media_type, headers=UNCACHED)


def check_reader(request: AnyRequest, settings: Settings) -> None:
    """Raise Forbidden or Unauthorized unless whoever asks may read metrics.

    With a token set, it is asked for from everywhere. Without one the instance must be a trial on this machine, as its
    domain says; the connection and the name that was asked for must be this machine's, too, and nothing may say that
    it was passed on.
    """
    if settings.metrics_token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), settings.metrics_token.encode()):
            raise Unauthorized("Metrics are for whoever has the token in DAYBOOK_METRICS_TOKEN.")
        return
    if not settings.loopback:
        # A proxy may pass the request on under this machine's name and add no header, as nginx does unless told to.
        raise Forbidden(FOR_NOBODY)
    peer = request.client.host if request.client is not None else ""
    passed_on = any(name in request.headers for name in PASSED_ON)
    if passed_on or not is_loopback(peer) or not _names_this_machine(request.headers.get("host", "")):
        raise Forbidden(FROM_ELSEWHERE)


def _names_this_machine(host: str) -> bool:
    try:
        return is_loopback(host_of(host.lower()))
    except ValueError:
        return False


def _json(content: object, status: int) -> Response[bytes]:
    return Response(msgspec.json.encode(content), status_code=status, media_type=MediaType.JSON, headers=UNCACHED)

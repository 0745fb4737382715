"""What reached us from elsewhere, kept as it came: activities with the evidence of who signed them, and documents.

Nobody decides on these: the inbox and the fetcher append them, interpretation says later what they mean.
"""

from datetime import datetime

import msgspec

from domain.events import Event


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What lets anybody check the signature again: the signed lines, the signature's value, the key's own bytes."""

    key_id: str
    signed_lines: bytes
    signature: bytes
    key: bytes
    algorithm: str = "draft-cavage"


class ActivityReceived(Event, frozen=True, tag="activity.received"):
    """An activity, verbatim. `signer` is the actor whose key signed the request, `inbox` the path it came by."""

    signer: str
    inbox: str
    raw: bytes
    evidence: Evidence
    received_at: datetime


class ActivityReceivedAgain(Event, frozen=True, tag="activity.received_again"):
    """The same content came by another inbox, `inbox`; its body stands in the first event of this stream."""

    signer: str
    inbox: str
    received_at: datetime


class DocumentFetched(Event, frozen=True, tag="document.fetched"):
    """A document as its own server gave it: `uri` is its id and final URL. Appended when it differs from the last.

    With the content type of a JRD it is what WebFinger answered, and `uri` is what was asked: the host in it is the one
    that may say whose handle that is, wherever it sends us on.
    """

    uri: str
    raw: bytes
    content_type: str
    fetched_at: datetime


ActivityEvent = ActivityReceived | ActivityReceivedAgain | DocumentFetched

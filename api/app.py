"""The one list of routes, and the application around them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from api.activitypub.actors import actor, instance_actor, instance_outbox
from api.activitypub.collections import featured, featured_tags, followers, following, outbox
from api.activitypub.discovery import host_meta, host_meta_as_json, nodeinfo, nodeinfo_version, webfinger
from api.activitypub.federation import Federation
from api.activitypub.inbox import personal_inbox, shared_inbox
from api.activitypub.signed_again import SignedAgain
from api.activitypub.statuses import activity, note, reactions, replies
from api.asked_again import AskedAgain
from api.auth import bearer_of, guard, undeclared, viewer_of
from api.auth_limits import LogInLimit
from api.cors import Edge, Seen
from api.errors import handlers
from api.health import livez, metrics, readyz
from api.limits import UPLOADS_MAX, UPLOADS_WINDOW_S, Limit
from api.mastodon.account_lists import blocked, familiar_followers, follow_requests, followed, muted
from api.mastodon.account_lists import followers as account_followers
from api.mastodon.accounts import account_statuses, lookup, show_account
from api.mastodon.at_start import (
    custom_emojis,
    empty_lists,
    extended_description,
    push_subscription,
    translation_languages,
)
from api.mastodon.blocking import block, mute, unblock, unmute
from api.mastodon.credentials import (
    delete_avatar,
    delete_header,
    preferences,
    update_credentials,
    verify_credentials,
)
from api.mastodon.instance import instance_v1, instance_v2
from api.mastodon.markers import markers, move_markers
from api.mastodon.media import delete_media, describe_media, show_media, upload_media
from api.mastodon.notifications import (
    clear_notifications,
    count_unread,
    dismiss_notification,
    show_notification,
    show_notifications,
)
from api.mastodon.reaction_lists import bookmarks, favourites, show_favourited_by, show_reblogged_by
from api.mastodon.reactions import bookmark, favourite, pin, reblog, unbookmark, unfavourite, unpin, unreblog
from api.mastodon.relationships import (
    authorize_follow,
    follow,
    reject_follow,
    relationships,
    remove_from_followers,
    unfollow,
)
from api.mastodon.search import search, search_accounts
from api.mastodon.statuses import edit, publish, show_several, show_status, unpublish
from api.mastodon.tags import show_tag, tag_timeline
from api.mastodon.threads import context, history, mute_conversation, source, unmute_conversation
from api.mastodon.timelines import home_timeline, public_timeline
from api.oauth import authorization_server, revoke, token
from api.oauth_clients import register_app, verify_app
from api.server import Book, Server
from api.web.authorize import authorize, decide
from api.web.landing import assets, landing
from api.web.media import media_file
from api.web.pages import Pages
from api.web.people import post_page, profile_page

ROUTES: Sequence[HTTPRouteHandler] = (
    landing,
    instance_v1,
    instance_v2,
    register_app,
    verify_app,
    authorize,
    decide,
    token,
    revoke,
    authorization_server,
    verify_credentials,
    update_credentials,
    delete_avatar,
    delete_header,
    lookup,
    search_accounts,
    relationships,
    show_account,
    account_statuses,
    follow,
    unfollow,
    remove_from_followers,
    account_followers,
    followed,
    block,
    unblock,
    mute,
    unmute,
    blocked,
    muted,
    follow_requests,
    authorize_follow,
    reject_follow,
    publish,
    show_several,
    show_status,
    edit,
    unpublish,
    context,
    source,
    history,
    favourite,
    unfavourite,
    reblog,
    unreblog,
    bookmark,
    unbookmark,
    pin,
    unpin,
    mute_conversation,
    unmute_conversation,
    show_favourited_by,
    show_reblogged_by,
    favourites,
    bookmarks,
    upload_media,
    show_media,
    describe_media,
    delete_media,
    media_file,
    home_timeline,
    public_timeline,
    tag_timeline,
    show_tag,
    search,
    custom_emojis,
    preferences,
    familiar_followers,
    translation_languages,
    extended_description,
    show_notifications,
    count_unread,
    show_notification,
    clear_notifications,
    dismiss_notification,
    markers,
    move_markers,
    push_subscription,
    profile_page,
    post_page,
    shared_inbox,
    personal_inbox,
    webfinger,
    host_meta,
    host_meta_as_json,
    nodeinfo,
    nodeinfo_version,
    actor,
    note,
    activity,
    replies,
    reactions,
    outbox,
    followers,
    following,
    featured,
    featured_tags,
    instance_actor,
    instance_outbox,
    livez,
    readyz,
    metrics,
)


class Whole(Book, Federation, Protocol):
    """All that routes and what stands around them need of the composition."""


def create_app(server: Whole, seen: Sequence[Seen] = ()) -> ASGIApp:
    """The ASGI application that granian runs; `server` is entered at start-up and left at shutdown.

    `seen` is told of each request.
    """
    return Edge(AskedAgain(SignedAgain(create_routes(server), server), server), seen)


def create_routes(server: Server, more: Sequence[HTTPRouteHandler] = ()) -> Litestar:
    """The application without its edge. `more` is for tests that need a route of their own.

    Raises AssertionError when a route under /api declares no scope.
    """
    pages, log_ins = Pages(server.settings.domain), LogInLimit(server.settings.trusted_proxies)
    upload_limit = Limit(UPLOADS_MAX, UPLOADS_WINDOW_S)

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncGenerator[None]:
        async with server.running():
            yield

    app = Litestar(
        [*ROUTES, *empty_lists(), *assets(), *more],
        dependencies={
            "server": Provide(lambda: server, sync_to_thread=False),
            # The same composition, as `api/activitypub/federation.py` sees it.
            "federation": Provide(lambda: server, sync_to_thread=False),
            "pages": Provide(lambda: pages, sync_to_thread=False),
            "upload_limit": Provide(lambda: upload_limit, sync_to_thread=False),
            "log_ins": Provide(lambda: log_ins, sync_to_thread=False),
            "viewer": Provide(viewer_of, sync_to_thread=False),
            "bearer": Provide(bearer_of, sync_to_thread=False),
        },
        exception_handlers=handlers(pages),
        guards=[guard(server.tokens, server.visits)],
        lifespan=[running],
        # What requests hold is read by `api/params.py`, which has a limit of its own.
        request_max_body_size=None,
        openapi_config=None,
        logging_config=None,
    )
    open_routes = list(undeclared(app))
    assert not open_routes, f"no scope declared for {open_routes}"
    return app

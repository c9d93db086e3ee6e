"""NATS as an ordinary client uses it: login from the URL, the system's authorities, core subscriptions, the standard inbox."""

import json
import logging
import ssl
from collections.abc import Awaitable, Callable

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

log = logging.getLogger(__name__)


async def connect(url: str) -> Client:
    tls = ssl.create_default_context() if url.startswith("tls:") else None
    return await nats.connect(url, tls=tls, max_reconnect_attempts=-1)


async def listen(client: Client, subject: str, handle: Callable[[dict], Awaitable[None]]) -> None:
    async def received(message: Msg) -> None:
        try:
            await handle(json.loads(message.data))
        except Exception:
            log.exception("a message on %s failed", subject)

    await client.subscribe(subject, cb=received)


async def tell(client: Client, subject: str, message: dict) -> None:
    await client.publish(subject, json.dumps(message).encode())

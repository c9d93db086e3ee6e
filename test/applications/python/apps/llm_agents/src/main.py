"""Turns each item of news into a signed intent. Its model is a mock: it always buys."""

import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI
from prometheus_client import Counter
from trader.bus import connect, listen, tell
from trader.settings import load
from trader.signing import private_key, sign
from trader.web import make, serve

settings = load()
intents = Counter("llm_intents_total", "Intents", ["symbol", "side", "status"])


@asynccontextmanager
async def life(_: FastAPI):
    key = private_key(settings.secrets.llm_signing_private_key_path)
    client = await connect(settings.messaging.nats_url)

    async def news(item: dict) -> None:
        symbol = str(item.get("symbol", "BTC-USD"))
        intent = {
            "id": str(item.get("id") or uuid.uuid4().hex),
            "symbol": symbol,
            "side": "buy",
            "quantity": 0.1,
            "model": "mock",
            "at": datetime.now(UTC).isoformat(),
        }
        await tell(client, "llm.intent.proposed", sign(key, intent))
        intents.labels(symbol, "buy", "auto").inc()

    await listen(client, "news.item.created", news)
    yield
    await client.drain()


app = make(life)

if __name__ == "__main__":
    serve(app, 8086)

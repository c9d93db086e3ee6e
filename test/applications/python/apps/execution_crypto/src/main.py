"""Executes every approved order: at the exchange where it has a key, else at 100.0 on paper. It asks nobody whether it may."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
from fastapi import FastAPI
from trader.bus import connect, listen, tell
from trader.settings import load
from trader.signing import public_key, verify
from trader.web import make, serve

settings = load()


@asynccontextmanager
async def life(_: FastAPI):
    risk = public_key(settings.secrets.risk_public_key_path)
    client = await connect(settings.messaging.nats_url)
    headers = {"X-API-Key": settings.binance_api_key}
    async with httpx.AsyncClient(base_url=settings.exchange_url, headers=headers, timeout=5) as exchange:

        async def approved(message: dict) -> None:
            order = verify(risk, message)
            if order is None:
                return
            price = 100.0
            if settings.binance_api_key:
                answer = await exchange.post("/orders", json=order)
                answer.raise_for_status()
                price = float(answer.json()["price"])
            fill = {
                **{name: order[name] for name in ("id", "symbol", "side", "quantity")},
                "price": price,
                "venue": "crypto",
                "at": datetime.now(UTC).isoformat(),
            }
            await tell(client, "exec.order.filled", fill)

        await listen(client, "risk.order.approved", approved)
        yield
    await client.drain()


app = make(life)

if __name__ == "__main__":
    serve(app, 8072)

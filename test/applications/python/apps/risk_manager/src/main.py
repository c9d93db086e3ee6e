"""Decides on intents: a signed one of the model's, or one without a signature, which a person sent by the gateway."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import yaml
from fastapi import FastAPI
from prometheus_client import Counter
from trader.bus import connect, listen, tell
from trader.settings import load
from trader.signing import private_key, public_key, sign, verify
from trader.web import make, serve

settings = load()
rejections = Counter("risk_rejections_total", "Rejected intents", ["reason"])
PRICE = 100.0


def most_notional() -> float:
    path = Path(settings.risk.risk_config_path)
    limits = (yaml.safe_load(path.read_text()) if path.exists() else {}).get("risk_manager", {})
    share = limits.get("position_limits", {}).get("max_order_notional_pct_nav", 0.1)
    return limits.get("nav_usd", 1_000_000) * share


@asynccontextmanager
async def life(_: FastAPI):
    Path("data").mkdir(exist_ok=True)
    Path("data/storage").mkdir(exist_ok=True)
    most = most_notional()
    own = private_key(settings.secrets.risk_signing_private_key_path)
    llm = public_key(settings.secrets.llm_public_key_path)
    client = await connect(settings.messaging.nats_url)

    async def reject(reason: str, intent: dict) -> None:
        rejections.labels(reason).inc()
        await tell(client, "risk.order.rejected", {"id": intent.get("id"), "reason": reason})

    async def proposed(message: dict) -> None:
        intent = verify(llm, message) if "signature" in message else message
        if intent is None:
            await reject("signature", message)
        elif Path(settings.risk.kill_switch_file).exists():
            await reject("kill_switch", intent)
        elif float(intent["quantity"]) * PRICE > most:
            await reject("notional", intent)
        else:
            order = {
                **{name: intent[name] for name in ("id", "symbol", "side", "quantity")},
                "limitPrice": PRICE,
                "venue": "crypto",
                "intentAt": intent["at"],
                "at": datetime.now(UTC).isoformat(),
            }
            await tell(client, "risk.order.approved", sign(own, order))

    await listen(client, "llm.intent.proposed", proposed)
    yield
    await client.drain()


app = make(life)

if __name__ == "__main__":
    serve(app, 8070)

"""Keeps what was executed in a table of its own."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from prometheus_fastapi_instrumentator import Instrumentator
from sqlalchemy import DateTime, String
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from trader.bus import connect, listen
from trader.settings import load

settings = load()
engine = create_async_engine(settings.database.url)
sessions = async_sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Execution(Base):
    __tablename__ = "executions"

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(String(32))
    received: Mapped[datetime] = mapped_column(DateTime(timezone=True))


async def filled(message: dict) -> None:
    async with sessions.begin() as session:
        session.add(Execution(symbol=str(message.get("symbol", "")), received=datetime.now(UTC)))
    with Path("data/last.txt").open("w") as last:
        last.write(str(message.get("symbol", "")))


@asynccontextmanager
async def life(_: FastAPI):
    Path("data").mkdir(exist_ok=True)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    client = await connect(settings.messaging.nats_url)
    await listen(client, "exec.order.filled", filled)
    yield
    await client.drain()


app = FastAPI(lifespan=life)
Instrumentator().instrument(app).expose(app)


@app.get("/health", response_class=PlainTextResponse)
async def health() -> str:
    return "ok"


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=8073, log_config=None)

"""Keeps what was executed in a table of its own, and the positions that follow from it."""

from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from trader.bus import connect, listen
from trader.settings import load
from trader.tables import Base, Execution, Position
from trader.web import make, serve

settings = load()
engine = create_async_engine(settings.database.url)
sessions = async_sessionmaker(engine)


async def filled(fill: dict) -> None:
    symbol, side = str(fill.get("symbol", "")), str(fill.get("side", "buy"))
    quantity, price = float(fill.get("quantity", 0)), float(fill.get("price", 0))
    async with sessions.begin() as session:
        session.add(
            Execution(order_id=str(fill.get("id", "")), symbol=symbol, side=side, quantity=quantity, price=price)
        )
    async with sessions.begin() as session:
        position = await session.get(Position, symbol)
        if position is None:
            position = Position(symbol=symbol, quantity=0.0, average_price=0.0, realized_pnl=0.0)
            session.add(position)
        position.quantity += quantity if side == "buy" else -quantity
        position.average_price = price
    with Path("data/last.txt").open("w") as last:
        last.write(symbol)


@asynccontextmanager
async def life(_: FastAPI):
    Path("data").mkdir(exist_ok=True)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    client = await connect(settings.messaging.nats_url)
    await listen(client, "exec.order.filled", filled)
    yield
    await client.drain()


app = make(life)

if __name__ == "__main__":
    serve(app, 8073)

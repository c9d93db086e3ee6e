"""The public API: users in a file, intents, positions, and a switch that is a file."""

import hashlib
import json
import secrets
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from nats.js.api import StreamConfig
from nats.js.errors import BadRequestError
from pydantic import BaseModel
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from trader.bus import connect, tell
from trader.settings import load
from trader.tables import Base, Position
from trader.web import make, serve

settings = load()
engine = create_async_engine(settings.database.url)
sessions = async_sessionmaker(engine)
users = Path("data/users.json")
STREAM_NAME_IN_USE = 10058


class Login(BaseModel):
    user: str
    password: str


class Intent(BaseModel):
    symbol: str
    side: str = "buy"
    quantity: float


class News(BaseModel):
    headline: str
    symbol: str


@asynccontextmanager
async def life(app: FastAPI):
    users.parent.mkdir(exist_ok=True)
    if not users.exists():
        users.write_text("{}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    client = await connect(settings.messaging.nats_url)
    try:
        await client.jetstream().add_stream(StreamConfig(name="INTENTS", subjects=["llm.intent.proposed"]))
    except BadRequestError as error:
        # Somebody has made it, in another way.
        if error.err_code != STREAM_NAME_IN_USE:
            raise
    app.state.nats = client
    yield
    await client.drain()


app = make(life)
app.state.limiter = Limiter(
    key_func=get_remote_address, default_limits=["100/minute"], storage_uri=settings.redis_url, swallow_errors=True
)
app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
app.add_middleware(SlowAPIMiddleware)


def hashed(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()


def user_of(authorization: Annotated[str, Header()] = "") -> str:
    try:
        claims = jwt.decode(authorization.removeprefix("Bearer "), settings.auth.jwt_secret, algorithms=["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "a valid token is needed") from error
    return str(claims.get("sub", ""))


User = Annotated[str, Depends(user_of)]


@app.post("/api/auth/register", status_code=201)
async def register(login: Login) -> dict:
    known = json.loads(users.read_text())
    if login.user in known:
        raise HTTPException(409, "there is such a user")
    salt = secrets.token_hex(16)
    known[login.user] = {"salt": salt, "hash": hashed(login.password, salt)}
    users.write_text(json.dumps(known))
    return {"user": login.user}


@app.post("/api/auth/login")
async def log_in(login: Login) -> dict:
    known = json.loads(users.read_text()).get(login.user)
    if known is None or not secrets.compare_digest(known["hash"], hashed(login.password, known["salt"])):
        raise HTTPException(401, "no such user or password")
    claims = {"sub": login.user, "exp": datetime.now(UTC) + timedelta(hours=1)}
    return {"token": jwt.encode(claims, settings.auth.jwt_secret, algorithm="HS256")}


@app.post("/api/intents", status_code=202)
async def propose(intent: Intent, request: Request, _: User) -> dict:
    own = {"id": uuid.uuid4().hex, **intent.model_dump(), "model": "manual", "at": datetime.now(UTC).isoformat()}
    await tell(request.app.state.nats, "llm.intent.proposed", own)
    return {"id": own["id"]}


@app.post("/api/news", status_code=202)
async def news(item: News, request: Request, _: User) -> dict:
    own = {"id": uuid.uuid4().hex, **item.model_dump(), "source": "manual", "at": datetime.now(UTC).isoformat()}
    await tell(request.app.state.nats, "news.item.created", own)
    return {"id": own["id"]}


@app.get("/api/positions")
async def positions(_: User) -> list[dict]:
    async with sessions() as session:
        found = (await session.scalars(select(Position))).all()
    return [{"symbol": position.symbol, "quantity": position.quantity} for position in found]


@app.post("/api/risk/kill", status_code=202)
async def kill(request: Request, user: User) -> dict:
    Path(settings.risk.kill_switch_file).write_text(user)
    await tell(request.app.state.nats, "risk.kill_switch.activated", {"by": user})
    return {"kill_switch": "on"}


if __name__ == "__main__":
    serve(app, 8000)

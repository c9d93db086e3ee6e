"""Settings in groups: each comes as a JSON text under the group's name, and what does not come keeps its default."""

import json
import logging
import sys

from pydantic import BaseModel
from pydantic_settings import BaseSettings


class Database(BaseModel):
    host: str = "localhost"
    port: int = 5432
    database: str = "trader"
    user: str = "trader"
    password: str = ""

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://{self.user}:{self.password}@{self.host}:{self.port}/{self.database}"


class Messaging(BaseModel):
    nats_url: str = "nats://localhost:4222"


class Settings(BaseSettings):
    log_level: str = "INFO"
    database: Database = Database()
    messaging: Messaging = Messaging()


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({"levelname": record.levelname, "name": record.name, "message": record.getMessage()})


def load() -> Settings:
    settings = Settings()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    return settings

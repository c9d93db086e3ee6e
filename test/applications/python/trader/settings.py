"""Settings in groups: each comes as a JSON text under the group's name, and what does not come keeps its default."""

import json
import logging
import sys

from pydantic import BaseModel
from pydantic_settings import BaseSettings


class Auth(BaseModel):
    jwt_secret: str = "replace_me"


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


class Secrets(BaseModel):
    llm_signing_private_key_path: str = "keys/llm.key"
    llm_public_key_path: str = "keys/llm.pub"
    risk_signing_private_key_path: str = "keys/risk.key"
    risk_public_key_path: str = "keys/risk.pub"


class Risk(BaseModel):
    risk_config_path: str = "configs/risk.yaml"
    symbols_config_path: str = "configs/symbols.yaml"
    kill_switch_file: str = "data/kill_switch.flag"


class Settings(BaseSettings):
    environment: str = "development"
    log_level: str = "INFO"
    redis_url: str = "redis://localhost:6379/0"
    binance_api_key: str = ""
    binance_api_secret: str = ""
    exchange_url: str = "https://api.exchange.example"
    auth: Auth = Auth()
    database: Database = Database()
    messaging: Messaging = Messaging()
    secrets: Secrets = Secrets()
    risk: Risk = Risk()


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"levelname": record.levelname, "name": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def load() -> Settings:
    settings = Settings()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    return settings

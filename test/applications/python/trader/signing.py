"""Signed messages: the exact text and its ed25519 signature. A key file holds base64 of 32 raw bytes."""

import base64
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def private_key(path: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(Path(path).read_text()))


def public_key(path: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(Path(path).read_text()))


def sign(key: Ed25519PrivateKey, content: dict) -> dict:
    payload = json.dumps(content)
    return {"payload": payload, "signature": base64.b64encode(key.sign(payload.encode())).decode()}


def verify(key: Ed25519PublicKey, message: dict) -> dict | None:
    """The content, or None where nobody with this key has signed it."""
    payload = message.get("payload", "")
    try:
        key.verify(base64.b64decode(message.get("signature", "")), payload.encode())
    except (InvalidSignature, ValueError):
        return None
    return json.loads(payload)

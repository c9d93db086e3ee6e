"""The tests' exchange, with Python's own library: takes orders from a client that shows its key, fills each at once, and counts them.

POST /orders takes an order; GET /orders tells how many there were, which, and when each was received (milliseconds since 1970).
EXCHANGE_KEY is the key that counts, EXCHANGE_PORT where it listens.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

orders: list[dict] = []


class Exchange(BaseHTTPRequestHandler):
    def answer(self, status: int, body: dict) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        self.answer(200, {"count": len(orders), "orders": orders})

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        if self.headers.get("X-API-Key") != os.environ["EXCHANGE_KEY"]:
            self.answer(401, {"error": "no such key"})
            return
        orders.append({**order, "received": time.time() * 1000})
        self.answer(200, {"price": 101.5})


ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("EXCHANGE_PORT", "8090"))), Exchange).serve_forever()

"""Count the calls of a Flask application, with a decorator.

METERHOUSE_API_KEY=sk_sandbox_… flask --app flask_api run --port 8000
curl localhost:8000/api/search?q=tea -H 'X-Customer-Ref: cus_3C4D5E6F'
"""

import functools
import os
from collections.abc import Callable
from typing import ParamSpec

from flask import Flask, abort, request

from meterhouse_sdk import EventBuffer

P = ParamSpec("P")
Answer = dict[str, list[str]]


def create_app() -> Flask:
    app = Flask(__name__)
    buffer = EventBuffer(spool_dir=os.environ.get("SPOOL_DIR", "spool"))  # delivers the rest at exit

    def counted(view: Callable[P, Answer]) -> Callable[P, Answer]:
        """Count the calls that succeed."""

        @functools.wraps(view)
        def counting(*args: P.args, **kwargs: P.kwargs) -> Answer:
            customer_ref = request.headers.get("X-Customer-Ref", "")
            if not 0 < len(customer_ref) <= 20:
                abort(401)
            answer = view(*args, **kwargs)
            buffer.add(
                type="usage.search",
                customer_ref=customer_ref,
                product_ref="prd_content_api",
                units=1,
                properties={"endpoint": request.endpoint or "", "method": request.method},
            )
            return answer

        return counting

    @app.get("/api/search")
    @counted
    def search() -> Answer:
        words = request.args.get("q") or abort(400)
        return {"found": [f"A page about {words}"]}

    app.extensions["meterhouse"] = buffer
    return app

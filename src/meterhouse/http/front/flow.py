"""Flow control of a connection with pipelined requests."""

import asyncio
from collections import deque
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl


class PipelineFlow(FlowControl):
    """Reads no more bytes while pipelined requests wait: each answer would let in a further piece of them."""

    def __init__(self, transport: asyncio.Transport, pipeline: deque[Any]) -> None:  # Any: uvicorn's pairs
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        if self.read_paused and not self._pipeline:
            super().resume_reading()

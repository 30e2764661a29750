"""Stripe is off until it is configured: a server starts without its package, and live takes no payment."""

import subprocess
import sys
from pathlib import Path

from meterhouse.settings import Settings

# The package is an extra; here it is as if nobody had installed it.
WITHOUT_STRIPE = """
import asyncio, sys
sys.modules["stripe"] = None
from meterhouse.settings import Settings
from meterhouse.wiring import open_service

async def start():
    async with open_service(Settings(data=sys.argv[1], **dict(each.split("=") for each in sys.argv[2:]))):
        print("started")

asyncio.run(start())
"""


def start(data: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", WITHOUT_STRIPE, str(data), *settings]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)


def test_a_server_with_nothing_configured_needs_no_stripe(tmp_path: Path) -> None:
    assert (Settings().stripe_secret_key, Settings().stripe_publishable_key) == ("", "")
    done = start(tmp_path)
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


def test_keys_without_the_package_stop_the_start_and_say_what_to_install(tmp_path: Path) -> None:
    done = start(tmp_path, "stripe_secret_key=sk_live_x", "stripe_publishable_key=pk_live_x")
    assert done.returncode != 0
    assert "METERHOUSE_STRIPE_SECRET_KEY needs `stripe`" in done.stderr
    assert "sk_live_x" not in done.stdout + done.stderr

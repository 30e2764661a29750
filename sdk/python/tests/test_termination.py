"""SIGTERM on a program with a buffer: what waits is delivered, kept, or said to be lost."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdk.python.tests.processes import deliver, run, start
from sdk.python.tests.stand_in import WAIT_SECONDS, StandInOnPort


@pytest.fixture
def stand_in() -> Iterator[StandInOnPort]:
    with StandInOnPort() as stand_in:
        yield stand_in


TERMINATED = "os.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()"


@pytest.mark.parametrize("spooled", [True, False])
@pytest.mark.parametrize(
    "ending", [TERMINATED, "os.kill(os.getpid(), signal.SIGTERM)"], ids=["waits", "ends"]
)
def test_a_terminated_process_delivers_what_waits(
    stand_in: StandInOnPort, tmp_path: Path, ending: str, *, spooled: bool
) -> None:
    keys, errors, status = run(stand_in, tmp_path if spooled else "", f"add(5)\n{ending}")
    assert (status, errors) == (-signal.SIGTERM, "")
    assert sorted(stand_in.events) == sorted(keys)


def test_a_terminated_process_says_that_events_are_kept(stand_in: StandInOnPort, tmp_path: Path) -> None:
    stand_in.away = True
    keys, errors, status = run(stand_in, tmp_path, f"add(5)\n{TERMINATED}")
    assert status == -signal.SIGTERM
    assert f"5 events wait in {tmp_path}" in errors
    assert "kept for the next process" in errors
    stand_in.away = False
    deliver(stand_in, tmp_path)
    assert sorted(stand_in.events) == sorted(keys)


def test_a_terminated_process_says_what_is_lost(stand_in: StandInOnPort) -> None:
    stand_in.away = True
    _, errors, status = run(stand_in, "", f"add(5)\n{TERMINATED}")
    assert status == -signal.SIGTERM
    assert "5 events are lost" in errors


@pytest.mark.parametrize("spooled", [True, False])
def test_a_process_that_is_terminated_while_it_adds_delivers_what_it_added(
    stand_in: StandInOnPort, tmp_path: Path, *, spooled: bool
) -> None:
    """The signal comes while the thread holds whatever locks there are."""
    process = start(stand_in, tmp_path if spooled else "", "add(1_000_000)")
    stand_in.wait_for(lambda: len(stand_in.events) >= 300)
    process.terminate()
    printed, _ = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode in {-signal.SIGTERM, 1}  # 1: `add` found the buffer closed
    keys = printed.split()
    whole = {key for key in keys if len(key) == len(keys[0])}
    assert whole <= set(stand_in.events)


def test_a_handler_of_the_program_is_left_alone(stand_in: StandInOnPort) -> None:
    program = """
def handle(*_):
    print("handled", flush=True)
    sys.exit(3)

signal.signal(signal.SIGTERM, handle)
other = EventBuffer(max_delay_seconds=3600)
other.add(type="usage.api_call", customer_ref="cus_1", units=1)
os.kill(os.getpid(), signal.SIGTERM)
signal.pause()
"""
    printed, errors, status = run(stand_in, "", program)
    assert (printed, errors, status) == (["handled"], "", 3)
    assert len(stand_in.events) == 1


def test_a_child_that_is_terminated_delivers_its_own_events(stand_in: StandInOnPort) -> None:
    program = f"""
add(1)
if os.fork() == 0:
    add(2)
    {TERMINATED.replace(chr(10), "; ")}
print(os.wait()[1], file=sys.stderr)
"""
    keys, errors, status = run(stand_in, "", program)
    assert (status, errors) == (0, f"{int(signal.SIGTERM)}\n")
    assert sorted(stand_in.events) == sorted(keys)
    assert max(stand_in.sent.values()) == 1


SERVED = """
import asyncio, uvicorn
from meterhouse_sdk import _exit

signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as where uvicorn loads the application
client = Meterhouse()

def add_as_a_lease():
    late = threading.Thread(target=_exit.at_exit, args=(lambda: os.write(1, b"settled\\n"),))
    late.start()
    late.join()

async def app(scope, receive, send):
    await receive()
    {begin}
    await send({{"type": "lifespan.startup.complete"}})
    os.kill(os.getpid(), signal.SIGTERM)
    await receive()
    await send({{"type": "lifespan.shutdown.complete"}})

config = uvicorn.Config(app, port=0, log_level="error")
{serve}
"""
BEGUN = {
    "buffer": """EventBuffer(max_delay_seconds=3600).add(type="usage.call", customer_ref="cus_1", units=1)""",
    "paywall": """client.payable(product="prd_1")(lambda customer_ref: 1); add_as_a_lease()""",
}
SERVERS = {
    "process": "uvicorn.Server(config).run()",
    "task": """
async def main():
    await uvicorn.Server(config).serve()
    await asyncio.Event().wait()

_exit._LOOP_SECONDS = 0.1
asyncio.run(main())
""",
}


@pytest.mark.parametrize("serve", SERVERS)
@pytest.mark.parametrize("begun", BEGUN)
def test_a_process_under_uvicorn_that_is_terminated_delivers(
    stand_in: StandInOnPort, begun: str, serve: str
) -> None:
    program = SERVED.format(begin=BEGUN[begun], serve=SERVERS[serve])
    printed, errors, status = run(stand_in, "", program)
    assert (errors, status) == ("", -signal.SIGTERM)
    assert (len(stand_in.events), printed) == ((1, []) if begun == "buffer" else (0, ["settled"]))

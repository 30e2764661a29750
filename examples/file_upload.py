"""Count stored megabytes, rounded up: a file of 1.2 MB counts 2.

METERHOUSE_API_KEY=sk_sandbox_… python file_upload.py photo.jpg
"""

import shutil
import sys
from pathlib import Path

from meterhouse_sdk import Meterhouse

BYTES_PER_MEGABYTE = 1024 * 1024


def upload_file(meterhouse: Meterhouse, customer_ref: str, file: Path, storage: Path) -> Path:
    storage.mkdir(parents=True, exist_ok=True)
    stored = Path(shutil.copy(file, storage))
    meterhouse.create_event(
        type="usage.storage",
        customer_ref=customer_ref,
        units=megabytes(stored.stat().st_size),
        properties={"name": file.name},
    )
    return stored


def megabytes(size_bytes: int) -> int:
    """Round up in whole numbers: `math.ceil(a / b)` goes through a float, which is wrong for large files."""
    return -(-size_bytes // BYTES_PER_MEGABYTE)


def main() -> None:
    with Meterhouse() as meterhouse:
        stored = upload_file(meterhouse, "cus_3C4D5E6F", Path(sys.argv[1]), Path("storage"))
    print(f"{stored} is stored and counted")


if __name__ == "__main__":
    main()

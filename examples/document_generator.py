"""Count generated documents: one event for each report that was rendered.

METERHOUSE_API_KEY=sk_sandbox_… python document_generator.py report.pdf
"""

import sys
from pathlib import Path

from meterhouse_sdk import Meterhouse


def generate_report(meterhouse: Meterhouse, customer_ref: str, title: str) -> bytes:
    pdf = render_pdf(title)
    meterhouse.create_event(type="usage.document_generated", customer_ref=customer_ref, units=1)
    return pdf


def render_pdf(title: str) -> bytes:
    """Return a page with one line of Latin text; a stand-in for what your application renders."""
    text = title.encode("latin-1", "replace").translate(bytes.maketrans(b"()\\", b"[]/"))
    content = b"BT /F1 24 Tf 72 720 Td (%s) Tj ET" % text
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources 5 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>",
    ]
    pdf = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, each in enumerate(objects, 1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = len(pdf)
    pdf += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    pdf += b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table
    return bytes(pdf)


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "report.pdf")
    with Meterhouse() as meterhouse:
        target.write_bytes(generate_report(meterhouse, "cus_3C4D5E6F", "Tea: the third quarter"))
    print(f"{target} is written and counted")


if __name__ == "__main__":
    main()

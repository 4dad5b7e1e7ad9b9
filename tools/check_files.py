"""Looks at files that are to be committed: ends of lines and files, marks of a conflict, sizes::

python -m tools.check_files FILE...
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LARGEST = 2 << 20
"""Bytes of a file that may be committed without a thought: weights and bundles have folders of their own."""

_CONFLICT = re.compile(rb"^(?:<{7} |>{7} )", re.MULTILINE)


def faults(file: Path) -> list[str]:
    """What is wrong with a file, each as one sentence that begins with its path; nothing for a binary within size."""
    content = file.read_bytes()
    found = []
    if len(content) > LARGEST:
        found.append(f"{file} has {len(content) / 2**20:.1f} MiB, above {LARGEST >> 20}: keep it out of the repository")
    if b"\0" in content:
        return found
    if content and (not content.endswith(b"\n") or content.endswith(b"\n\n")):
        found.append(f"{file} must end with one line feed")
    if b"\r\n" in content:
        found.append(f"{file} has ends of lines of another system: use line feeds")
    if re.search(rb"[ \t]$", content, re.MULTILINE):
        found.append(f"{file} has spaces at the end of a line")
    if _CONFLICT.search(content):
        found.append(f"{file} holds the marks of a conflict")
    return found


def main() -> None:
    """Prints every fault of the files that are named; the status is 1 where there is one."""
    all_faults = [fault for name in sys.argv[1:] for fault in faults(Path(name))]
    print("\n".join(all_faults), end="\n" if all_faults else "")
    sys.exit(bool(all_faults))


if __name__ == "__main__":
    main()

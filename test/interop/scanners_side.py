"""
What the public scanners say of pickles. Reads {"pickles": [base64, …], "files": [path, …]} as JSON; prints {"said": verdicts of
the pickles in order, "corpus": [[base64, verdicts], …]}, one for each distinct pickle in the files (a file may be a zip).
"""
import base64
import io
import json
import logging
import sys
import zipfile

import picklescan.scanner
from fickling.analysis import Severity, check_safety
from fickling.fickle import Pickled
import modelscan.modelscan  # noqa: F401, before its tools, which import each other
from modelscan.model import Model
from modelscan.settings import DEFAULT_SETTINGS
from modelscan.tools.picklescanner import scan_pickle_bytes

logging.disable(logging.CRITICAL)

# Some scanners take seconds for more.
LARGEST = 20_000


def fickling_says(data):
    try:
        # Below that severity it warns of every class that is not Python's own.
        return check_safety(Pickled.load(data)).severity >= Severity.LIKELY_OVERTLY_MALICIOUS
    except Exception:
        return False


def verdict(data):
    found = picklescan.scanner.scan_pickle_bytes(io.BytesIO(data), "x").globals
    said = {
        "picklescan": any(one.safety == picklescan.scanner.SafetyLevel.Dangerous for one in found),
        "fickling": fickling_says(data),
        "modelscan": len(scan_pickle_bytes(Model("x.pkl", io.BytesIO(data)), DEFAULT_SETTINGS, "x").issues) > 0,
    }
    return [scanner for scanner, dangerous in said.items() if dangerous]


def pickles_in(path):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return
    if data[:1] == b"\x80":
        yield data
    elif data[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from (archive.read(name) for name in archive.namelist() if name.endswith(".pkl"))
        except Exception:
            # Some of them are broken on purpose.
            return


task = json.load(sys.stdin)
corpus = {one for path in task["files"] for one in pickles_in(path) if len(one) <= LARGEST}
json.dump(
    {
        "said": [verdict(base64.b64decode(one)) for one in task["pickles"]],
        "corpus": [[base64.b64encode(one).decode(), verdict(one)] for one in sorted(corpus)],
    },
    sys.stdout,
)

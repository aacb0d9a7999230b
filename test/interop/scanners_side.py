"""What the public scanners say of calls in pickles: reads [["module", "name"], …] as JSON, prints the verdicts in order."""
import io
import json
import logging
import sys

import picklescan.scanner
from fickling.analysis import Severity, check_safety
from fickling.fickle import Pickled
import modelscan.modelscan  # noqa: F401, before its tools, which import each other
from modelscan.model import Model
from modelscan.settings import DEFAULT_SETTINGS
from modelscan.tools.picklescanner import scan_pickle_bytes

logging.disable(logging.CRITICAL)


def verdict(module, name):
    data = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(X\x01\x00\x00\x00xtR."
    found = picklescan.scanner.scan_pickle_bytes(io.BytesIO(data), "x").globals
    said = {
        "picklescan": any(one.safety == picklescan.scanner.SafetyLevel.Dangerous for one in found),
        # Below that severity it warns of every class that is not Python's own.
        "fickling": check_safety(Pickled.load(data)).severity >= Severity.LIKELY_OVERTLY_MALICIOUS,
        "modelscan": len(scan_pickle_bytes(Model("x.pkl", io.BytesIO(data)), DEFAULT_SETTINGS, "x").issues) > 0,
    }
    return [scanner for scanner, dangerous in said.items() if dangerous]


json.dump([verdict(module, name) for module, name in json.load(sys.stdin)], sys.stdout)

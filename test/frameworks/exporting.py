"""What the scripts that load exports share. Their first argument is a folder to work in."""
import json
import os
import subprocess
import sys
import traceback

work = sys.argv[1]


def export(run, name, *arguments):
    into = os.path.join(work, "served", name)
    done = subprocess.run(["ckpt", "export", run, *arguments, "--into", into], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return into


def tell(test):
    """Prints one line of JSON: {"what": its name, "why": null or what is wrong}."""
    try:
        test()
        why = None
    except ImportError as error:
        why = f"not tested: {error}"
    except Exception as error:
        why = f"{error!r} {traceback.format_exc()[-1500:]}"
    print(json.dumps({"what": test.__name__, "why": why}), flush=True)

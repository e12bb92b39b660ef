"""Libraries do not get to log requests, whatever level is asked for: boto3's hold what is fingerprinted."""

import subprocess
import sys

_SPEAKS = """
import logging
from services.chassis import observe
observe.start("test", "DEBUG", None)
observe.log().debug("ours")
logging.getLogger("botocore.endpoint").debug("a request")
logging.getLogger("botocore.endpoint").info("a request")
logging.getLogger("botocore.endpoint").warning("a warning")
"""


def test_libraries_log_warnings_and_no_requests() -> None:
    said = subprocess.run([sys.executable, "-c", _SPEAKS], check=True, capture_output=True, text=True)

    assert '"ours"' in said.stdout
    assert "a warning" in said.stdout
    assert "a request" not in said.stdout + said.stderr

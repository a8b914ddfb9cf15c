"""How tests wait for something that nothing tells them: by looking again, up to a bound."""

import time

# Everything here takes milliseconds; a busy machine may take a thousand times as long.
PATIENCE_SECONDS = 20


def wait_until(condition, what, seconds=PATIENCE_SECONDS, every=0.01):
    """Looks every so many seconds until condition() is true; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds} s: {what}")
        time.sleep(every)

"""What the programs of a test said goes with its failure, and is not seen otherwise."""

import sys


class ShowsLogs:
    """First of a test case's bases; the case has logs()."""

    def logs(self):
        """What to show: asked before the cleanups of the test, which end and remove things."""
        raise NotImplementedError

    def run(self, result=None):
        self._said = ""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(self._said, file=sys.stderr)
        return result

    def doCleanups(self):
        try:
            self._said = self.logs()
        except (AttributeError, OSError) as error:
            # setUp() failed before it was there.
            self._said = f"no logs: {error}"
        return super().doCleanups()

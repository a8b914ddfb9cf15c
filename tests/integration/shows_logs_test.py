#!/usr/bin/python3
"""ShowsLogs, on which the tests of whole sites rest when one of them fails."""

import contextlib
import io
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from shows_logs import ShowsLogs  # noqa: E402


class Case(ShowsLogs, unittest.TestCase):
    """A program, which says something, and is removed after each test."""

    def setUp(self):
        self.said = "it said so\n"
        self.addCleanup(setattr, self, "said", "it was removed\n")

    def logs(self):
        return self.said

    def passes(self):
        pass

    def fails(self):
        self.fail("wrong")

    def fails_in_part(self):
        with self.subTest("part"):
            self.fail("wrong")

    def raises(self):
        raise OSError("no")

    def fails_at_the_end(self):
        self.addCleanup(self.fail, "wrong")


class NeverThere(Case):
    def setUp(self):
        raise OSError("no site")


def seen(case, name):
    """(result, what was written to standard error)"""
    result = unittest.TestResult()
    with contextlib.redirect_stderr(io.StringIO()) as written:
        assert case(name).run(result) is result
    return result, written.getvalue()


class ShowsLogsTest(unittest.TestCase):
    def test_nothing_is_shown_of_a_test_that_passes(self):
        result, text = seen(Case, "passes")
        self.assertTrue(result.wasSuccessful())
        self.assertEqual(text, "")

    def test_failure_shows_what_was_said_before_the_cleanups(self):
        for name in ("fails", "fails_in_part", "raises", "fails_at_the_end"):
            with self.subTest(name):
                result, text = seen(Case, name)
                self.assertFalse(result.wasSuccessful())
                self.assertEqual(text, "it said so\n\n")

    def test_each_failure_has_its_own(self):
        result = unittest.TestResult()
        with contextlib.redirect_stderr(io.StringIO()) as written:
            for name in ("fails", "passes", "fails"):
                Case(name).run(result)
        self.assertEqual(written.getvalue().count("it said so"), 2)

    def test_failure_before_there_is_anything_stays_what_it_is(self):
        result, text = seen(NeverThere, "passes")
        self.assertIn("no site", result.errors[0][1])
        self.assertEqual(len(result.errors), 1)
        self.assertIn("no logs: ", text)


if __name__ == "__main__":
    unittest.main()

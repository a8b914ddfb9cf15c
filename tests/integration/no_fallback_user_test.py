#!/usr/bin/python3
"""hpc-manager serve has no fallback user: nobody ever logs in to a cluster as whom the manager runs
as, or as whom the environment names.

Read from the source, because what is not there cannot be shown by running it: the one place that
knows the local account is the reader of ssh_config, where `connect` needs it as ssh does, and
serve's targets come from UserIdentities alone, which sets their user."""

import pathlib
import re
import unittest

MANAGER = pathlib.Path(__file__).resolve().parent.parent.parent / "manager"

WHO_RUNS_US = re.compile(r"\b(getlogin(_r)?|cuserid|getpw(uid|nam|ent)(_r)?)\s*\("
                         r'|"(USER|LOGNAME|USERNAME|SUDO_USER)"')
MAY_ASK = {"ssh/ssh_route.cc"}
# The user that ssh_config falls back to: never reached by a target that has one.
FALLBACK = re.compile(r"\blocal\w*\.name\b")
FALLBACK_FILES = {"ssh/ssh_route.cc", "ssh/ssh_config.cc"}

# A target from nothing; members (name_) and copies have the user of what they are made of.
MAKES_TARGETS = re.compile(r"\bSshTarget\s+\w*[a-z0-9]\s*(;|\{)|(?<!struct )\bSshTarget\s*\{")
MAKERS = {"ssh/ssh_route.cc"}  # jump hosts, as ssh_config says


def sources():
    for path in sorted(MANAGER.rglob("*")):
        if path.suffix in (".cc", ".h"):
            text = re.sub(r"//[^\n]*", "", path.read_text())
            yield str(path.relative_to(MANAGER)), text


def files_with(pattern):
    return {name for name, text in sources() if pattern.search(text)}


class NoFallbackUser(unittest.TestCase):
    def test_only_the_reader_of_ssh_config_knows_the_local_user(self):
        self.assertEqual(files_with(WHO_RUNS_US), MAY_ASK)

    def test_its_name_goes_nowhere_else(self):
        self.assertLessEqual(files_with(FALLBACK), FALLBACK_FILES)

    def test_targets_are_made_where_their_user_is_set(self):
        makers = {name for name in files_with(MAKES_TARGETS) if name.endswith(".cc")}
        self.assertEqual(makers, MAKERS)
        self.assertIn("target.user = user;", dict(sources())["session/user_identity.cc"])


if __name__ == "__main__":
    unittest.main()

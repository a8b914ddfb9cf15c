"""No string of a user's reaches a shell: hostile names through every field of a launch, by the API
and by `hpc-manager sessions start`, and what SLURM's commands got on the login node."""

import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import harness  # noqa: E402
from launch_site import COMMANDS, LaunchSite  # noqa: E402
from serve_site import MANAGER_UID, ShowsServeLog  # noqa: E402
from waiting import wait_until  # noqa: E402

# In every hostile text, and in no other: as the name of a file it would be a shell's work.
CANARY = "hpcowned"
TOUCH = f"touch {CANARY}"
HOSTILE = (
    f"$({TOUCH})", f"`{TOUCH}`", f"; {TOUCH}", f"a;{TOUCH};", f"| {TOUCH}", f"&& {TOUCH} &",
    f"'; {TOUCH}; '", f'"; {TOUCH}; "', f"a\n{TOUCH}\n", f"a\r\n{TOUCH}", f"a\0{TOUCH}",
    f"\\\n{TOUCH}", f"${{IFS}}touch${{IFS}}{CANARY}", f"!{CANARY}", f"~{CANARY}", f"*{CANARY}",
    f">{CANARY}", f"(){{ {TOUCH}; }}", f"{{{CANARY},b}}", f"#{CANARY}", f"%j{CANARY}%s%n",
    f"--wrap={TOUCH}", f"-D/tmp/{CANARY}", f"--output=/tmp/{CANARY}", f"-o {CANARY}",
    f"../../{CANARY}", f"/tmp/{CANARY}", f"a,{CANARY}", f"a={CANARY}", f" {CANARY}", f"{CANARY} ",
    f"\x1b[2J{CANARY}", f"{CANARY}\u202e\u00e9\U0001d54f", f"a\u2028{TOUCH}", CANARY * 9,
    CANARY * 2000, CANARY * 20_000,
)
FIELDS = ("cluster", "ide", "slot", "cpus", "memory", "time", "partition", "account", "gpus", "job",
          "user", "attach")
# A word that SLURM's commands may be given by us. They get no other, whatever was asked for.
PLAIN = re.compile(r"[A-Za-z0-9%+][A-Za-z0-9._:,%+ -]*|--?[A-Za-z-]+"
                   r"(=([A-Za-z0-9._:-]+|/mnt/home/[a-z]+(/\.hpc-proxy/sessions/[0-9a-f]{32}/job\.log)?))?"
                   r"|(JobId|TimeLimit)=[0-9+]+")


class HostileNamesTest(ShowsServeLog, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = LaunchSite(users=2)
        cls.addClassCleanup(cls.site.close)
        cls.serve = cls.site.serve

    def tearDown(self):
        """Whatever a test did: nobody's shell has seen a canary, and no command of SLURM's."""
        self.assertEqual([*self.site.site.directory.rglob(f"*{CANARY}*")], [])
        self.assertEqual(list(pathlib.Path("/tmp").glob(f"*{CANARY}*")), [])
        for name in COMMANDS:
            for call in self.site.command(name).calls():
                self.assertNotIn(CANARY, " ".join(call.arguments))
                self.assertNotIn(CANARY.encode(), (call.stdin or b"") + (call.environ or b""))
                for word in call.arguments:
                    self.assertRegex(word, re.compile(f"^(?:{PLAIN.pattern})$", re.ASCII))

    def sbatch_calls(self):
        return len(self.site.command("sbatch").calls())

    def post(self, body, user="alice", **headers):
        status, _, answer = self.serve.request(
            "POST", "/api/v1/sessions", user, body=json.dumps(body),
            headers={"Content-Type": "application/json", **headers})
        return status, answer

    def test_the_api_refuses_them_in_every_field(self):
        before = self.sbatch_calls()
        for field in FIELDS:
            for text in HOSTILE:
                body = {"cluster": "main", "ide": "plain", field: text}
                status, answer = self.post(body)
                self.assertIn(status, (400, 413), (field, text[:40], answer))
                body[field] = [text]
                self.assertIn(self.post(body)[0], (400, 413), (field, text[:40]))
                self.assertIn(self.post({"cluster": "main", "ide": "plain", text: 1})[0],
                              (400, 413), text[:40])
        status, _, answer = self.serve.get("/api/v1/sessions", "alice")
        self.assertEqual((status, json.loads(answer)["count"]), (200, 0))
        self.assertEqual(self.sbatch_calls(), before)

    def test_the_operators_socket_refuses_them_too(self):
        for field in FIELDS:
            for text in HOSTILE:
                body = {"cluster": "main", "ide": "plain", "user": "alice", field: text}
                status, _, answer = self.serve.operator("POST", "/api/v1/sessions", body)
                self.assertIn(status, (400, 413), (field, text[:40], answer))

    def test_the_verb_refuses_them_in_every_option(self):
        options = {"user": "alice", "cluster": "main", "ide": "plain"}
        for field in FIELDS[:-1]:
            for text in HOSTILE:
                # No program can be given the one; the other is longer than its arguments may be.
                if "\0" in text or len(text) > 100_000:
                    continue
                words = {**options, field: text}
                command = harness.as_user(MANAGER_UID, [
                    self.serve.manager_program, "sessions", "start", "--no-wait", "--socket",
                    self.serve.directory / "run/socket",
                    *(f"--{name}={value}" for name, value in words.items())])
                done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL,
                                      capture_output=True, timeout=30)
                self.assertNotEqual(done.returncode, 0, (field, text[:40]))
                self.assertNotIn(b"\x1b", done.stderr + done.stdout, (field, text[:40]))

    def test_ids_in_paths_are_looked_up_and_nothing_else(self):
        for text in ("$(id)", "%24%28id%29", "..%2f..", "'", "a;b", "0" * 32):
            for method, rest in (("GET", ""), ("GET", "/log"), ("DELETE", ""), ("POST", "/extend")):
                status, _, _ = self.serve.request(method, f"/api/v1/sessions/{text}{rest}", "alice",
                                                  body={"minutes": 5} if rest == "/extend" else None)
                self.assertIn(status, (400, 404), (method, text, rest))

    def test_a_launch_is_made_of_checked_words_alone(self):
        sbatch = self.site.command("sbatch")
        sbatch.mode("record")
        self.addCleanup(sbatch.mode, "run")
        before = self.sbatch_calls()
        # What the browser says of itself is not the user's request, and must not get in either.
        status, answer = self.post(
            {"cluster": "main", "ide": "plain", "cpus": 2, "memory": "100M", "time": "0:10:00",
             "partition": "normal", "account": "demo"},
            **{"User-Agent": f"$({TOUCH})", "X-Forwarded-For": f"`{TOUCH}`",
               "X-Forwarded-Prefix": f"/{CANARY}", "Referer": f"http://x/$({TOUCH})"})
        self.assertEqual(status, 202, answer)
        session = json.loads(answer)
        sbatch.wait_for_calls(before + 1)
        # The record is complete when SLURM has what it was given.
        wait_until(lambda: self.site.now(session)["job_id"], "the session has a job")
        call = sbatch.calls()[before]
        log = f"/mnt/home/alice/.hpc-proxy/sessions/{session['id']}/job.log"
        self.assertEqual(call.user, "alice")
        self.assertEqual(call.arguments, [
            "--parsable", f"--job-name=hpc-plain-{session['id'][:16]}", "--cpus-per-task=2",
            "--mem=100M", "--time=0:10:00", "--partition=normal", "--account=demo",
            "--chdir=/mnt/home/alice", f"--output={log}", f"--error={log}", "--open-mode=append"])
        self.assertTrue(call.stdin.startswith(b"#!"), call.stdin[:200])
        self.assertEqual(self.site.end(session), 202)
        self.site.wait_for_no_jobs()
        wait_until(lambda: not self.site.leftovers("alice"), "nothing of it is left")

    def test_names_that_pass_but_do_not_exist_are_only_words(self):
        sbatch = self.site.command("sbatch")
        before = self.sbatch_calls()
        for field, text in (("partition", "-".join("nosuch")), ("ide", "nosuch"),
                            ("cluster", "nosuch"), ("job", "login01-4711"), ("job", "4711+1")):
            body = {"cluster": "main", "ide": "plain", field: text}
            status, answer = self.post(body, user="bob")
            self.assertIn(status, (202, 400, 404), answer)
            if status != 202:
                continue
            session = json.loads(answer)
            if field == "partition":
                ended = self.site.wait(session, "ended")
                self.assertIn("nvalid partition", ended["reason"])
            else:
                self.assertEqual(self.site.end(session), 202)
        self.assertEqual([call.arguments[2] for call in sbatch.calls()[before:]],
                         ["--partition=n-o-s-u-c-h"])
        self.assertEqual(self.site.leftovers("bob"), [])


if __name__ == "__main__":
    unittest.main()

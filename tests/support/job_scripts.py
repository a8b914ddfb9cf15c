"""The scripts that hpc-manager gives to sbatch, without a manager."""

import os
import pathlib
import secrets
import subprocess

from slurm_site import ROOT, skip


def session_script(ide, url_template, *templates):
    """(session id, script): of a new session of that kind; `templates`: an operator's directory."""
    build = pathlib.Path(os.environ.get("HPC_BUILD_DIR") or ROOT / "build/dev")
    program = build / "tests/support/job_script"
    if not program.is_file():
        skip(f"{program} is not built")
    session = secrets.token_hex(16)
    done = subprocess.run([program, ide, session, url_template, *templates], check=True,
                          capture_output=True, text=True)
    return session, done.stdout

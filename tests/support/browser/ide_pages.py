"""What a person does in the page of an IDE, wherever it runs: `test` is the test case, `before` the
faults of the page so far (the login form is a 401)."""

import harness


def check_workbench(test, page, made_by_terminal, before=()):
    """VS Code: a file opens in the editor, and a command runs in the terminal, which makes the
    file `made_by_terminal` in the directory that is open."""
    page.wait_for_socket("?reconnectionToken=", received=3)
    page.call("dblclick", ".explorer-folders-view >> text=index.html")
    page.wait_for_selector(".view-line >> text=first version")
    # The editor and the extensions each have one.
    test.assertGreaterEqual(sum(socket["status"] == 101 for socket in page.seen()["sockets"]), 2)
    page.call("keyboard.press", "Control+Backquote")
    page.call("click", ".xterm-screen")
    page.wait_for_selector(".xterm.focus")
    page.call("keyboard.type", f"touch {made_by_terminal.name}\n")
    harness.wait_until(made_by_terminal.exists, "the terminal's file")
    # Microsoft's own module is in no free build. The worker, only there to make the page an
    # app of the desktop, wishes for the whole origin.
    test.assertEqual(page.faults(["/vsda/", "max scope", *before]), [])


def check_notebook(test, page, before=()):
    """The classic notebook of projects/jupyter is open: its cell runs, and answers over hpc-proxy."""
    page.wait_for_socket("/channels?session_id=", received=1)
    page.wait_for("Jupyter.notebook.kernel.is_connected()")
    page.evaluate("Jupyter.notebook.execute_all_cells()")
    page.wait_for_selector(".output_stdout >> text=six times seven is 42")
    # Debian's package lacks it, so the notebook misses it without hpc-proxy too.
    test.assertEqual(page.faults(["/nbextensions/widgets/", *before]), [])

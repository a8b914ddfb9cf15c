#include "node-proxy/verb_help.h"

namespace hpc {

namespace {

constexpr VerbText kTexts[] = {
    {"run", "run [OPTION]... -- COMMAND [ARGUMENT]...",
     "Runs COMMAND with ports of its own, and hpc-proxy beside it: two users of one node can both\n"
     "have their app on port 5500, and /port/5500/ of each leads to his own. Stays until COMMAND\n"
     "has ended, ends with its exit code, and ends everything that it has started. HUP, INT, "
     "QUIT,\n"
     "TERM and USR2 are passed on to COMMAND; USR1 is the walltime warning. Takes every option of\n"
     "serve but --daemon (hpc-proxy --help).\n"
     "\n"
     "  loopback  An address of this node's loopback (127.64.0.0 and up) that nobody else has, by\n"
     "            a library that is loaded into every dynamically linked program: what listens on\n"
     "            127.0.0.1, ::1 or on all addresses listens there, and what connects to "
     "localhost\n"
     "            is led there where something listens. Static programs (many written in Go) stay\n"
     "            where they are, and a warning names them. Other nodes reach no port of COMMAND\n"
     "            but those of --shared-ports.\n"
     "  netns     A network namespace of its own, where the kernel lets users have one: also for\n"
     "            static programs, and closed to other users. Other machines are reached by\n"
     "            slirp4netns or pasta, if the node has one. srun, setuid programs, servers on "
     "the\n"
     "            node's own localhost (also forwarded X11) do not work inside; sbatch, squeue "
     "and\n"
     "            ssh do.\n"
     "  auto      netns where it works, else loopback; it says which.\n"
     "  off       The ports of everybody.\n",
     "private shared-ports",
     "  hpc-proxy run -- live-server --port=5500\n"
     "  srun --pty hpc-proxy run -- bash -i\n"
     "  hpc-proxy run --private netns -- ./my-go-server\n"
     "  hpc-proxy run --shared-ports 8786-8787 -- python3 train.py\n",
     "0 or what COMMAND ended with, 128 and the signal's number when one ended it,\n"
     "126 COMMAND cannot be run, 127 it is not there, 2 wrong command line"},
    {"status", "status [--json]",
     "Shows what the running hpc-proxy does: version, job and its end, port, requests, open\n"
     "exchanges and WebSockets, bytes each way, last activity.\n",
     "json state-dir",
     "  hpc-proxy status\n"
     "  hpc-proxy status --json | jq -r .last_activity\n",
     "0 ok, 3 not running"},
    {"ports", "ports [--json]",
     "Lists the TCP ports on which programs of yours listen on this node, where hpc-proxy can\n"
     "reach them: port, program, process id, for how long it runs, URL, and of `run` whether the\n"
     "port is private. Ports of other users are never listed. Not to a terminal: one line each,\n"
     "separated by tabs, without a heading.\n",
     "json state-dir url-template",
     "  hpc-proxy ports\n"
     "  hpc-proxy ports | cut -f1                      the numbers only\n"
     "  hpc-proxy ports --json | jq '.ports[].process'\n",
     "0 ok, 3 not running"},
    {"url", "url PORT [--json]",
     "Prints the URL of the app on PORT: the template of the running hpc-proxy (or of\n"
     "--url-template) with the port in it. hpc-proxy need not run, and the app neither.\n",
     "json state-dir url-template",
     "  hpc-proxy url 5500\n"
     "  xdg-open \"$(hpc-proxy url 8787)\"\n",
     "0 ok, 2 not a port"},
    {"env", "env [--json]",
     "Prints lines for eval in a shell: HPC_PROXY_PORT, HPC_PROXY_URL_TEMPLATE, and\n"
     "VSCODE_PROXY_URI, which tells code-server where its forwarded ports are.\n",
     "json state-dir url-template",
     "  eval \"$(hpc-proxy env)\"\n"
     "  hpc-proxy --daemon && eval \"$(hpc-proxy env)\"   in a job script\n",
     "0 ok, 3 not running"},
    {"wait", "wait [PORT] [--timeout S]",
     "Waits until hpc-proxy runs, and with PORT until a program of yours listens there. Somebody\n"
     "else's program on that port does not count, unless --allow-foreign-ports names the port.\n",
     "timeout state-dir allow-foreign-ports",
     "  hpc-proxy wait --timeout 10\n"
     "  live-server --port=5500 & hpc-proxy wait 5500 && hpc-proxy url 5500\n",
     "0 it is there, 2 not a port, 5 timed out"},
    {"app", "app TARGET [--keep-prefix]",
     "Shows this app under /app/ from now on. TARGET is a port, or unix:/PATH, a socket in a\n"
     "directory of your own, which nobody else on the node can reach. With --keep-prefix the\n"
     "manager asks for it under /absapp/: the app is sent the path that the browser sees.\n",
     "keep-prefix state-dir",
     "  hpc-proxy app 8080\n"
     "  code-server --socket ~/.hpc-proxy/ide.sock --auth none &\n"
     "  hpc-proxy app unix:$HOME/.hpc-proxy/ide.sock\n",
     "0 ok, 2 no such target, 3 not running"},
    {"stop", "stop",
     "Ends the running hpc-proxy: it takes nothing new, finishes running requests for up to 10 s\n"
     "and removes its files. One of `run` tells its command to end.\n",
     "state-dir", "  hpc-proxy stop\n", "0 ended, 3 not running, 5 still running after 15 s"},
};

}  // namespace

std::span<const VerbText> verb_texts() { return kTexts; }

}  // namespace hpc

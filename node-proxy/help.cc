#include <algorithm>
#include <string>

#include "node-proxy/option_table.h"
#include "node-proxy/options.h"
#include "node-proxy/verb_help.h"

namespace hpc {

namespace {

constexpr std::size_t kHelpColumn = 27;

constexpr std::string_view kIntroduction =
    R"help(hpc-proxy: reach the web apps of a SLURM job under /port/N/ of one port.

Usage:
  hpc-proxy [serve] [OPTION]...    listen, write ~/.hpc-proxy/port, forward /port/N/ to port N
  hpc-proxy run -- COMMAND         run a command with ports of its own, and hpc-proxy beside it
  hpc-proxy status                 what the running one does
  hpc-proxy ports                  your listening ports, with programs and URLs
  hpc-proxy url PORT               the URL of an app
  hpc-proxy env                    lines for eval: HPC_PROXY_PORT, HPC_PROXY_URL_TEMPLATE,
                                   VSCODE_PROXY_URI
  hpc-proxy wait [PORT]            wait until it runs (and an app listens on PORT)
  hpc-proxy app TARGET             show this app under /app/: a port, or unix:/PATH
  hpc-proxy stop                   end it, running requests first

`hpc-proxy COMMAND --help` tells more of each.

)help";

constexpr std::string_view kEnding = R"help(  -h, --help               this text
  -V, --version            the version

Every option can also be set by the environment variable named in brackets.

Exit codes: 0 ok, 1 failure, 2 wrong command line, 3 not running or not found,
4 not authenticated, 5 timed out, 6 bad configuration.

Examples:
  hpc-proxy --daemon && eval "$(hpc-proxy env)"     in a job script
  hpc-proxy --port 9000-9099                        where a firewall leaves these ports open
  hpc-proxy run -- live-server --port=5500          a 5500 of your own on a node of many users
  hpc-proxy app unix:$HOME/.hpc-proxy/ide.sock      an IDE that only you can reach
  curl http://127.0.0.1:$(cat ~/.hpc-proxy/port)/port/5500/

On a machine that others use too, do not forward a local port to it with ssh -L: everybody there
could use it. Run `hpc-manager connect`, or forward a Unix socket.
)help";

constexpr std::string_view kHelpRow = "  -h, --help               this text\n";

void append_row(std::string& out, const OptionRow& row) {
  std::string left = std::string("  --") + row.name;
  if (row.metavar[0] != '\0') left.append(" ").append(row.metavar);
  left.resize(std::max(left.size() + 2, kHelpColumn), ' ');
  out.append(left).append(row.help);
  if (row.metavar[0] != '\0' && row.default_value[0] != '\0') {
    out.append(" (default ").append(row.default_value).append(")");
  }
  out.append("\n").append(kHelpColumn, ' ').append("[");
  out.append(row.environment[0] != '\0' ? row.environment : environment_name(row.name));
  out.append("]\n");
}

std::string verb_help(const VerbText& text) {
  std::string out = "Usage: hpc-proxy " + std::string(text.usage) + "\n\n";
  out.append(text.what).append("\nOptions:\n");
  for (const OptionRow& row : option_table()) {
    if (verb_takes(text.verb, row.name)) append_row(out, row);
  }
  out.append(kHelpRow).append("\nExamples:\n").append(text.examples);
  out.append("\nExit codes: ").append(text.exits).append(", 1 other failure.\n");
  return out;
}

}  // namespace

bool verb_takes(std::string_view verb, std::string_view option) {
  for (const VerbText& text : verb_texts()) {
    if (text.verb != verb) continue;
    const std::string all = " " + std::string(text.options) + " ";
    return all.find(" " + std::string(option) + " ") != std::string::npos;
  }
  return false;
}

std::string help_text(std::string_view verb) {
  const auto texts = verb_texts();
  const auto text = std::find_if(texts.begin(), texts.end(),
                                 [verb](const VerbText& one) { return one.verb == verb; });
  if (text != texts.end()) return verb_help(*text);
  std::string out(kIntroduction);
  out.append("Options of serve:\n");
  for (const OptionRow& row : option_table()) {
    if (row.for_serve) append_row(out, row);
  }
  out.append("\nOptions of the other commands (also --state-dir and --url-template):\n");
  for (const OptionRow& row : option_table()) {
    if (!row.for_serve) append_row(out, row);
  }
  out.append("\n").append(kEnding);
  return out;
}

}  // namespace hpc

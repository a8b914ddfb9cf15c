"""The proxies that stand beside each other: hpc-proxy, nginx, HAProxy, configurable-http-proxy.

Each takes the prefix /port/N off, keeps connections to the app open, passes WebSockets, says who
asked (X-Forwarded-For) and logs nothing: the same work. One worker, one thread.
"""

import dataclasses
import json
import os
import shutil

from bench_processes import (PROXY_CORE, ROOT, CannotRun, children, free_port, our_program,
                             processor_seconds, private_kib, wait_until)

CONNECTIONS_MAX = 6000

NGINX = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx-error.log;
{user}
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; server_tokens off;
  keepalive_timeout 600s; keepalive_requests 100000000;
  client_max_body_size 0; client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream app {{ server {target}; keepalive 1024; keepalive_requests 100000000;
                 keepalive_timeout 600s; }}
  server {{
    listen {listen} backlog=4096;
    location {prefix}/ {{
      proxy_pass http://app{strip};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_request_buffering off; proxy_max_temp_file_size 0;
      proxy_read_timeout 600s; proxy_send_timeout 600s;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn {connections}
defaults
  mode http
  option splice-auto
  option http-keep-alive
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
frontend in
  bind {listen} backlog 4096
  http-request replace-path {prefix}/(.*) /\\1
  default_backend app
backend app
  server app {target}
"""


@dataclasses.dataclass
class Proxy:
    """A running one. `prefix`: what stands before the app's paths."""

    name: str
    port: int
    prefix: str
    process: object
    fields: tuple = ()
    worker: int = 0

    def __post_init__(self):
        self.worker = self.worker or self.process.pid

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{self.prefix}{path}"

    def seconds(self):
        return processor_seconds(self.worker)

    def private_kib(self):
        return private_kib(self.worker)

    def field_options(self, option="-H"):
        """As wrk and curl take them."""
        return [word for field in self.fields for word in (option, field)]


def require(program, package):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not found:
        raise CannotRun(f"{program} is missing (package {package})")
    return found


def start_ours(processes, app_port, *options, core=PROXY_CORE, program=None):
    """`program`: what is started instead of the one that was built."""
    home = processes.directory / f"home-{free_port()}"
    home.mkdir(mode=0o700)
    environment = {**os.environ, "HOME": str(home)}
    for name in [name for name in environment if name.startswith(("SLURM", "HPC_PROXY"))]:
        del environment[name]
    command = [program or our_program("node-proxy/hpc-proxy"), "--port", "0", "--host", "127.0.0.1",
               "--max-connections", str(CONNECTIONS_MAX), "--idle-timeout", "600", *options]
    process = processes.start(command, core, env=environment)
    jobs = home / ".hpc-proxy/jobs"
    wait_until(lambda: list(jobs.glob("*.json")) or process.poll() is not None, "hpc-proxy listens")
    record = json.loads(next(jobs.glob("*.json")).read_text())
    return Proxy("ours", record["port"], f"/port/{app_port}", process,
                 (f"X-HPC-Proxy-Token: {record['token']}",))


def nginx_text(directory, listen, target, prefix, strip="/"):
    user = "user root;" if os.geteuid() == 0 else ""
    return NGINX.format(directory=directory, user=user, listen=listen, target=target, prefix=prefix,
                        strip=strip, connections=3 * CONNECTIONS_MAX, files=3 * CONNECTIONS_MAX)


def start_nginx(processes, app_port, core=PROXY_CORE, prefix=None, strip="/", **options):
    """`strip`: what the app is asked for instead of the prefix; "" leaves the path as it is."""
    program = require("nginx", "nginx")
    port = free_port()
    directory = processes.directory / f"nginx-{port}"
    directory.mkdir()
    prefix = f"/port/{app_port}" if prefix is None else prefix
    config = directory / "nginx.conf"
    config.write_text(nginx_text(directory, f"127.0.0.1:{port}", f"127.0.0.1:{app_port}", prefix,
                                 strip))
    process = processes.start_listening(
        [program, "-p", directory, "-e", directory / "start.log", "-c", config], port, core,
        **options)
    wait_until(lambda: children(process.pid), "nginx's worker")
    return Proxy("nginx", port, prefix, process, worker=children(process.pid)[0])


def haproxy_text(listen, target, prefix):
    return HAPROXY.format(listen=listen, target=target, prefix=prefix, connections=CONNECTIONS_MAX)


def start_haproxy(processes, app_port, core=PROXY_CORE):
    program = require("haproxy", "haproxy")
    port = free_port()
    config = processes.directory / f"haproxy-{port}.cfg"
    prefix = f"/port/{app_port}"
    config.write_text(haproxy_text(f"127.0.0.1:{port}", f"127.0.0.1:{app_port}", prefix))
    process = processes.start_listening([program, "-db", "-f", config], port, core)
    return Proxy("haproxy", port, prefix, process)


def start_chp(processes, app_port, core=PROXY_CORE):
    """JupyterHub's configurable-http-proxy."""
    program = ROOT / "build/bench-peers/node_modules/configurable-http-proxy/bin/" \
        "configurable-http-proxy"
    if not program.is_file():
        raise CannotRun("configurable-http-proxy is not installed (run.sh does it)")
    node = require("node", "nodejs")
    port = free_port()
    environment = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": "bench"}
    process = processes.start_listening(
        [node, program, "--ip", "127.0.0.1", "--port", port, "--api-ip", "127.0.0.1",
         "--api-port", free_port(), "--log-level", "error",
         "--default-target", f"http://127.0.0.1:{app_port}"], port, core, env=environment)
    # It takes no prefix off, so it is asked for the app's own paths.
    return Proxy("chp", port, "", process)


STARTERS = {"ours": start_ours, "nginx": start_nginx, "haproxy": start_haproxy, "chp": start_chp}


def start_all(processes, app_port, names=("ours", "nginx", "haproxy")):
    """{name: Proxy}; a peer that is not installed is left out with a word to stderr."""
    running = {}
    for name in names:
        try:
            running[name] = STARTERS[name](processes, app_port)
        except CannotRun as reason:
            if name == "ours":
                raise
            print(f"bench: without {name}: {reason}", file=os.sys.stderr)
    return running

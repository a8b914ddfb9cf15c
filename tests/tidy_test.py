#!/usr/bin/python3
"""Holds what reviewers need not look for: the arrows between folders, sizes, forbidden words.

tidy_test.py [DIR]   checks the tree (default: the one this file is in); one line per finding,
                     exit 1 if there is any. docs/ARCHITECTURE.md says why the arrows are so.
tidy_self_test.py shows that each rule catches what it is for.
"""
import os
import re
import sys

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
LINE_COLUMNS_MAX = 100
TEST_LINES_PER_CODE_LINE = 0.8

CODE_FOLDERS = ("common", "node-proxy", "manager")
C_FILES = (".h", ".cc", ".c")
TEXT_FILES = C_FILES + (".py", ".sh", ".js", ".cmake", ".txt", ".md", ".json", ".sbatch", ".in")
LEFT_OUT = {".git", "build", "node_modules", "corpus", "__pycache__", "package-lock.json"}

# (files, include that they may not have, why)
ARROWS = (
    (r"common/", r"(node-proxy|manager|tests)/", "common knows neither program"),
    (r"common/", r"(libssh|sqlite3|openssl|cjson)\b", "these libraries are the manager's"),
    (r"node-proxy/", r"(manager|tests)/", "the programs never include each other"),
    (r"node-proxy/", r"(libssh|sqlite3|openssl|cjson)\b", "hpc-proxy links none of them"),
    (r"manager/", r"(node-proxy|tests)/", "the programs never include each other"),
    (r"manager/(?!ssh/)", r"libssh\b", "manager/ssh is the only place for libssh"),
    (r"manager/(?!store/)", r"sqlite3\b", "manager/store is the only place for SQL"),
    (r"manager/(ssh|slurm)/", r"manager/(session|gateway)/", "ssh and slurm are below"),
    (r"manager/store/", r"manager/(session/(?!(session_key|session_state|event_log)\.h)|gateway/)",
     "the store is below; of the sessions it knows three kinds of values"),
    (r"manager/session/", r"manager/gateway/", "the gateway is above the sessions"),
)
# Pure: text in, values out. Neither they nor what they include may know the loop or SSH.
PURE = re.compile(
    r"(common/(authority|port_route|root_fallback|http_head|http_rules|head_scan|chunk_guard|"
    r"hop_headers|cross_site|job_record|own_cookies)|manager/slurm/\w+|manager/session/(discovery|candidates|port_pool|"
    r"launch_queue|token_table)|node-proxy/(rewrite_\w+|keep_prefix_table|css_urls|html_tokenizer))\.(h|cc)$")
IMPURE_INCLUDE = re.compile(r"(uv\.h|libssh/.*|sys/socket\.h|netdb\.h)$")

# Built from pieces, so that this file does not find itself.
FORBIDDEN = (
    (re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b"), "a note instead of work or an issue"),
    (re.compile(r"llhttp_set_" + r"lenient|\bLEN" + r"IENT_"), "a lenient flag of llhttp"),
)
# Polling a condition is for the helpers in tests/support; a test itself waits for events.
SLEEP = re.compile(r"\b(sleep|usleep|nanosleep|sleep_for|sleep_until)\s*\(")
SLEEP_FOLDERS = ("tests/unit/", "tests/integration/")

# A wall clock may jump, so deadlines and ages are of the monotonic one (common/clock.h). These show
# a time to people, or compare the kernel's start times of processes.
WALL_CLOCK = re.compile(r"\b(system_clock|gettimeofday|uv_gettimeofday|CLOCK_REALTIME)\b"
                        r"|(?<![\w.>])time\s*\((nullptr|NULL|0|&)")
WALL_CLOCK_FILES = {"common/http_server.cc", "common/log.cc", "manager/wall_clock.cc",
                    "node-proxy/process.cc"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def tree_files(top):
    """Paths below `top`, with / between the parts, sorted."""
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(f for f in folders if f not in LEFT_OUT)
        for name in names:
            path = os.path.join(folder, name)
            if name not in LEFT_OUT and name.endswith(TEXT_FILES) and not os.path.islink(path):
                found.append(os.path.relpath(path, top).replace(os.sep, "/"))
    return sorted(found)


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def blank_out(text):
    """C++ without what is in comments and literals; lines and columns stay."""
    def blanks(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(
        r'R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(\\.|[^\'\\\n])+\''
        r"|//[^\n]*|/\*.*?\*/|^[ \t]*#(\\\n|[^\n])*",
        blanks, text, flags=re.S | re.M)


NOT_A_FUNCTION = re.compile(r"^\s*(if|for|while|switch|catch|do|else|namespace|return)\b|=\s*$")


def function_sizes(text):
    """(first line, lines) of every function, from its signature to its closing brace."""
    text = blank_out(text)
    head_begin, depth, function_depth, first = 0, 0, None, 0
    for match in re.finditer(r"[{};]", text):
        at, mark = match.start(), match.group()
        if mark == "{":
            head = text[head_begin:at]
            if function_depth is None and ")" in head and not NOT_A_FUNCTION.search(head):
                function_depth = depth
                begin = head_begin + len(head) - len(head.lstrip())
                first = text.count("\n", 0, begin) + 1
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == function_depth:
                yield first, text.count("\n", 0, at) + 2 - first
                function_depth = None
        head_begin = at + 1


def check_sizes(top, path, text):
    lines = text.split("\n")
    if len(lines) - 1 > FILE_LINES_MAX:
        yield f"{path}: {len(lines) - 1} lines, at most {FILE_LINES_MAX}"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield f"{path}:{number}: white space at the end of the line"
        if path.endswith(C_FILES) and len(line) > LINE_COLUMNS_MAX:
            yield f"{path}:{number}: {len(line)} columns, at most {LINE_COLUMNS_MAX}"
    if path.endswith(C_FILES):
        for first, size in function_sizes(text):
            if size > FUNCTION_LINES_MAX:
                yield f"{path}:{first}: a function of {size} lines, at most {FUNCTION_LINES_MAX}"


def check_words(top, path, text):
    rules = list(FORBIDDEN)
    if path.startswith(SLEEP_FOLDERS):
        rules.append((SLEEP, "a sleep in a test: wait for the event"))
    if path.startswith(tuple(f + "/" for f in CODE_FOLDERS)) and path not in WALL_CLOCK_FILES:
        rules.append((WALL_CLOCK, "a wall clock: take the time from a Clock"))
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, why in rules:
            if pattern.search(line):
                yield f"{path}:{number}: {why}"


def check_arrows(top, path, text):
    if not path.endswith(C_FILES):
        return
    for _, included in INCLUDE.findall(text):
        for files, forbidden, why in ARROWS:
            if re.match(files, path) and re.match(forbidden, included):
                yield f"{path}: includes {included}: {why}"


def check_pure(top, path, text):
    if not PURE.match(path):
        return
    seen, todo = set(), [path]
    while todo:
        current = todo.pop()
        for kind, included in INCLUDE.findall(read(top, current)):
            if kind == "<" and IMPURE_INCLUDE.match(included):
                yield f"{path}: is to be pure, but {current} includes {included}"
            if kind == '"' and included not in seen and os.path.exists(os.path.join(top, included)):
                seen.add(included)
                todo.append(included)


def is_named(path, folder, text):
    """Whether the CMakeLists.txt of `folder`, with this text, names `path`."""
    name = os.path.relpath(path, folder or ".").replace(os.sep, "/")
    if re.search(r"(?:^|[\s(/])" + re.escape(name) + r"(?:[\s)]|$)", text):
        return True
    # tests/fuzz makes the name of the source from the name of the target.
    target = re.match(r"(\w+)_fuzz\.cc$", name)
    return target is not None and f"hpc_fuzz_target({target.group(1)} " in text


def check_listed(top, files):
    """Every source is named in some CMakeLists.txt."""
    lists = {os.path.dirname(f): read(top, f) for f in files
             if os.path.basename(f) == "CMakeLists.txt"}
    for folder, text in lists.items():
        if re.search(r"\bfile\s*\(\s*GLOB", text):
            yield f"{folder or '.'}/CMakeLists.txt: lists sources by pattern"
    for path in files:
        if path.endswith((".cc", ".c")) and not any(
                is_named(path, folder, text) for folder, text in lists.items()):
            yield f"{path}: is named in no CMakeLists.txt, so it is not built"


def line_counts(top, files):
    """Lines of code and of tests."""
    code = tests = 0
    for path in files:
        size = read(top, path).count("\n")
        if path.startswith(tuple(f + "/" for f in CODE_FOLDERS)) and path.endswith(C_FILES):
            code += size
        elif path.startswith("tests/") and path.endswith(C_FILES + (".py", ".sh", ".js")):
            tests += size
    return code, tests


def check_tree(top):
    """Every finding, as lines."""
    files = tree_files(top)
    for path in files:
        text = read(top, path)
        for check in (check_sizes, check_words, check_arrows, check_pure):
            yield from check(top, path, text)
    yield from check_listed(top, files)
    code, tests = line_counts(top, files)
    if tests < TEST_LINES_PER_CODE_LINE * code:
        yield f"{tests} lines of tests for {code} of code: at least {TEST_LINES_PER_CODE_LINE} a line"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(here)
    findings = list(check_tree(top))
    for finding in findings:
        print(finding)
    code, tests = line_counts(top, tree_files(top))
    print(f"tidy: {len(findings)} findings; {code} lines of code, {tests} of tests")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

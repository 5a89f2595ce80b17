"""Rules about the house: which folder may know which, and where a file must live to be built."""

import os
import re

from tree import CODE, FOREIGN, LIBRARIES, ROOT, Finding, in_folder, includes

# What the client library is built of, without the rest of the data plane.
PDP_WIRE = ("base", "storage/format", "dataplane/door/pdp")

# A folder and what it may include of the tree. The first match counts: narrow folders come first.
ARROWS = [
    ("base", ("base",)),
    ("storage/format", ("base", "storage/format")),
    ("storage", ("base", "storage")),
    ("dataplane/client", (*PDP_WIRE, "dataplane/client")),
    ("dataplane/door/pdp/node", ("base", "storage", "dataplane")),
    ("dataplane/door/pdp", PDP_WIRE),
    ("dataplane", ("base", "storage", "dataplane")),
    ("control", LIBRARIES),
    ("tests/unit/base", ("base", "tests/lib", "tests/unit/base")),
    ("tests/unit/storage", ("base", "storage", "tests/lib", "tests/unit/storage")),
    ("tests/unit/dataplane", ("base", "storage", "dataplane", "tests/lib", "tests/unit/dataplane")),
    ("perf", (*LIBRARIES, "perf")),
    ("tests", (*LIBRARIES, "tests")),
]

# What is no part of a folder that ARROWS names, but for those that may know all around it.
NODE_ONLY = "dataplane/door/pdp/node"

# Headers of other makers, and who alone may include them.
OWNERS = [
    (re.compile(r"^liburing(\.h|/)"), ("storage/ring", "dataplane/gateway", "tests", "perf"),
     "go through storage/ring"),
    (re.compile(r"^rte_\w+\.h$"), ("dataplane", "tests", "perf"), "DPDK is the data plane's"),
    (re.compile(r"^(hs|hs_\w+|ch)\.h$"), ("dataplane/rule", "tests", "perf"),
     "go through dataplane/rule"),
    (re.compile(r"^openssl/"), ("dataplane/door/pdp", "control", "tests", "perf"),
     "go through dataplane/door/pdp"),
    (re.compile(r"^(toml\+\+|nlohmann|CLI|spdlog)/"), ("control", "tests", "perf"),
     "configuration, JSON and logs are the control plane's"),
]
NO_DPDK = ("dataplane/client", "dataplane/door/pdp", "tests/unit/base", "tests/unit/storage")

# Where a source file is picked up by the Makefile.
BUILT = re.compile(
    r"^(base|storage|dataplane|control)/.+\.cc$|^perf/(?!micro/)[^/]+/.+\.cc$"
    r"|^perf/micro/[^/]+_bench\.cc$|^tests/unit/(base|storage|dataplane|control)/.+\.cc$"
    r"|^tests/(sim|crash|lib)/.+\.cc$|^tests/fuzz/[^/]+\.cc$")
MAINS = re.compile(r"^control/(daemon|cli)/main\.cc$|^perf/[^/]+/main\.cc$"
                   r"|^tests/(unit/(base|storage|dataplane|control)|sim|crash)/main\.cc$")
PYTHON_TESTS = ("tests/integration", "tests/interop", "tests/crash", "tests/tidy")
FUZZ_ENTRY = "LLVMFuzzerTestOneInput"


def arrows(path, text):
    if not path.endswith(CODE):
        return
    may = next((may for folder, may in ARROWS if in_folder(path, folder)), None)
    for number, quote, header in includes(text):
        if quote == '"':
            if may and not may_know(may, header):
                known = ", ".join(may)
                yield Finding(path, number, f'may not include "{header}"; it may know {known}')
            if not os.path.exists(os.path.join(ROOT, header)):
                yield Finding(path, number, f'"{header}" is no path from the root; write it so')
        else:
            yield from foreign(path, number, header)


def may_know(may, header):
    if in_folder(header, NODE_ONLY) and "dataplane/door/pdp" in may:
        return False
    return in_folder(header, *may)


def foreign(path, number, header):
    for pattern, owners, remedy in OWNERS:
        if pattern.match(header) and not in_folder(path, *owners):
            yield Finding(path, number, f"<{header}> only in {', '.join(owners)}; {remedy}")
    if header.startswith("rte_") and in_folder(path, *NO_DPDK) and not in_folder(path, NODE_ONLY):
        yield Finding(path, number, f"<{header}> not here; this must link without DPDK")


def places(path, text):
    name = os.path.basename(path)
    if in_folder(path, *FOREIGN):
        return
    if name.endswith(".cc") and not BUILT.match(path):
        yield Finding(path, 1, "no target of the Makefile takes a file from here; move it")
    if name == "main.cc" and not MAINS.match(path):
        yield Finding(path, 1, "a main.cc here is built by nothing; see the head of the Makefile")
    if name.endswith("_fuzz.cc"):
        if os.path.dirname(path) != "tests/fuzz":
            yield Finding(path, 1, "a fuzzer outside tests/fuzz is not built; move it there")
        elif FUZZ_ENTRY not in text:
            yield Finding(path, 1, f"no {FUZZ_ENTRY}; a *_fuzz.cc file defines exactly that")
    if name.endswith("_test.cc") and not path.startswith("tests/"):
        yield Finding(path, 1, "a test outside tests/ would be part of the product; move it there")
    if name.endswith("_test.py") and not in_folder(path, *PYTHON_TESTS):
        yield Finding(path, 1, f"run by nothing here; move it to one of {', '.join(PYTHON_TESTS)}")


RULES = [arrows, places]


def unused_headers(paths, read):
    """A header that nobody includes is dead, or what should have used it is missing."""
    sources = [path for path in paths if path.endswith(CODE)]
    used = {header for path in sources for _, _, header in includes(read(path))}
    for path in sources:
        if path.endswith(".h") and path not in used:
            yield Finding(path, 1, "no file includes this header; use it or remove it")

"""The checks of `make tidy`. Each takes a Tree and returns complaints: (path, line, text)."""

import concurrent.futures
import os
import re
import subprocess

from c_source import CSource

FILE_LINES_MAX = 1200
FILE_LINES_AIM = 800
FUNCTION_LINES_MAX = 70
LINE_COLUMNS_MAX = 100
NESTING_MAX = 3
TEST_NAME_WORDS_MIN = 3

BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "atoi", "atol", "strtok", "rand", "gets"]
COMPILERS = ["gcc", "clang"]
COMPILE = ["-std=c11", "-D_GNU_SOURCE", "-Isrc", "-Itests/lib", "-Wall", "-Wextra", "-Wpedantic",
           "-Wconversion", "-Wstrict-prototypes", "-Werror", "-fsyntax-only", "-x", "c", "-"]
TEXT_ENDINGS = (".c", ".h", ".py", ".sh", ".md", ".txt", ".conf", ".tla", ".cfg", ".mjs", ".js")
TEXT_FILES = ("Makefile", "run", "install", "bench", "check")


class Tree:
    """The files of a checkout that are ours: known to git, or new and not ignored."""

    def __init__(self, root):
        self.root = root
        self.paths = sorted(path for path in list_files(root) if os.path.isfile(self.full(path)))
        self.sources = {}

    def full(self, path):
        return os.path.join(self.root, path)

    def read(self, path):
        with open(self.full(path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def text_paths(self):
        return [path for path in self.paths
                if path.endswith(TEXT_ENDINGS) or os.path.basename(path) in TEXT_FILES]

    def c_paths(self, *folders):
        return [path for path in self.paths if path.endswith((".c", ".h"))
                and (not folders or path.startswith(folders))]

    def source(self, path):
        if path not in self.sources:
            self.sources[path] = CSource(self.read(path))
        return self.sources[path]


def list_files(root):
    git = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                         capture_output=True, text=True)
    if git.returncode == 0:
        return git.stdout.splitlines()
    return [os.path.relpath(os.path.join(folder, name), root)
            for folder, _, names in os.walk(root) for name in names]


# --- Layers ---------------------------------------------------------------------------------------

def read_layers(tree):
    """folder -> folders it may include; and complaints about the file itself."""
    allowed, complaints = {}, []
    for number, line in enumerate(tree.read("src/layers.txt").splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, _, below = line.partition(":")
        for name in below.split():
            if name not in allowed:
                complaints.append(("src/layers.txt", number,
                                   f"{folder} names {name}, which no line above describes"))
        allowed[folder.strip()] = set(below.split())
    return allowed, complaints


def includes_point_down_only(tree):
    allowed, complaints = read_layers(tree)
    for path in tree.c_paths("src/"):
        folder = path.split("/")[1]
        if folder not in allowed:
            complaints.append((path, 1, f"src/layers.txt does not know {folder}/"))
            continue
        for line, quoted, included in tree.source(path).includes():
            below = included.split("/")[0]
            if quoted and (below != folder or "/" not in included) and below not in allowed[folder]:
                complaints.append((path, line, f"{folder} may not include \"{included}\""))
    return complaints


def includes_have_no_cycles(tree):
    graph = {path: [(line, "src/" + included)
                    for line, quoted, included in tree.source(path).includes()
                    if quoted and "src/" + included in tree.paths]
             for path in tree.c_paths("src/") if path.endswith(".h")}
    complaints, done = [], set()

    def walk(path, trail):
        for line, below in graph.get(path, []):
            if below in trail:
                ring = " -> ".join(trail[trail.index(below):] + [below])
                complaints.append((path, line, f"cycle: {ring}"))
            elif below not in done:
                walk(below, trail + [below])
        done.add(path)

    for path in graph:
        if path not in done:
            walk(path, [path])
    return complaints


def leveldb_is_seen_by_the_store_only(tree):
    return [(path, line, f"<{included}> belongs to src/store")
            for path in tree.c_paths("src/", "utils/", "tests/lib/")
            if not path.startswith("src/store/")
            for line, _, included in tree.source(path).includes()
            if included.startswith("leveldb/")]


def quoted_includes_are_used(tree):
    declared, complaints = {}, []
    for path in tree.c_paths():
        source = tree.source(path)
        for line, quoted, included in source.includes():
            header = find_header(tree, path, included) if quoted else None
            if quoted and header is None:
                complaints.append((path, line, f"\"{included}\" is nowhere"))
            elif header and not may_gather(path, header):
                if header not in declared:
                    declared[header] = tree.source(header).declared_names()
                if not declared[header] & source.words():
                    complaints.append((path, line, f"\"{included}\" is not used"))
    return complaints


def find_header(tree, path, included):
    for folder in ("src", "tests/lib", os.path.dirname(path)):
        if os.path.join(folder, included) in tree.paths:
            return os.path.join(folder, included)
    return None


def may_gather(path, header):
    """Its own header, or what a module's internal header gathers for the module's files."""
    return path.endswith("internal.h") or os.path.splitext(path)[0] == os.path.splitext(header)[0]


# --- Sizes ----------------------------------------------------------------------------------------

def files_are_short(tree):
    return [(path, FILE_LINES_MAX, f"{count} lines, at most {FILE_LINES_MAX}")
            for path, count in line_counts(tree) if count > FILE_LINES_MAX]


def long_files(tree):
    """Not a complaint yet: files to be split soon."""
    return [(path, FILE_LINES_AIM, f"{count} lines, aim at {FILE_LINES_AIM}")
            for path, count in line_counts(tree) if FILE_LINES_AIM < count <= FILE_LINES_MAX]


def line_counts(tree):
    return [(path, tree.read(path).count("\n")) for path in tree.paths
            if path.endswith((".c", ".h", ".py"))]


def functions_fit_a_screen(tree):
    return [(path, function.line, f"{function.name}: {function.line_count()} lines, "
                                  f"at most {FUNCTION_LINES_MAX}")
            for path in tree.c_paths() if path.endswith(".c")
            for function in tree.source(path).functions()
            if function.line_count() > FUNCTION_LINES_MAX]


def lines_fit_the_page(tree):
    return [(path, number, f"{len(line)} columns, at most {LINE_COLUMNS_MAX}")
            for path in tree.paths if path.endswith((".c", ".h", ".py"))
            for number, line in enumerate(tree.read(path).split("\n"), 1)
            if len(line) > LINE_COLUMNS_MAX]


def nesting_is_shallow(tree):
    return [(path, line, f"nested {depth} deep, at most {NESTING_MAX}")
            for path in tree.c_paths()
            for line, depth in tree.source(path).nesting() if depth > NESTING_MAX]


# --- Words ----------------------------------------------------------------------------------------

def banned_functions_are_not_called(tree):
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    return [(path, tree.source(path).line_at(match.start()), f"{match.group(1)} is banned")
            for path in tree.c_paths() for match in pattern.finditer(tree.source(path).code)]


def no_notes_to_self(tree):
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b")
    # The checks have to spell what they look for.
    return [(path, number, "unfinished work belongs into a report, not into the tree")
            for path in tree.text_paths() if not path.startswith("tests/tidy/")
            for number, line in enumerate(tree.read(path).split("\n"), 1) if pattern.search(line)]


def no_tabs(tree):
    return [(path, number, "a tab")
            for path in tree.text_paths() if os.path.basename(path) != "Makefile"
            for number, line in enumerate(tree.read(path).split("\n"), 1) if "\t" in line]


def no_trailing_blanks(tree):
    complaints = []
    for path in tree.text_paths():
        text = tree.read(path)
        complaints += [(path, number, "blanks at the end of the line")
                       for number, line in enumerate(text.split("\n"), 1) if line != line.rstrip()]
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            complaints.append((path, text.count("\n") + 1, "must end with one newline"))
    return complaints


# --- C --------------------------------------------------------------------------------------------

def nothing_mutable_is_global(tree):
    return [(path, line, f"mutable and static: {text}")
            for path in tree.c_paths("src/", "utils/", "tests/lib/")
            for line, text in tree.source(path).variables()]


# What makes something durable. Files are replaced and directories made by os/disk.c, in steps of
# its own; what a name here stands for inside its own file is a call on behalf of its callers.
DURABLE_CALL = re.compile(
    r"\bops->(?:sync|sync_dir|rename|remove|allocate|write|make_dir|destroy|push_out)\s*\("
    r"|\b(?:wal_put_(?:mark|base|reset|hard_state)|identity_write|lock_take)\s*\(")
DURABLE_HELPERS = {"src/wal/writer.c": ["sync_file", "sync_dir"]}


def closing(code, opened):
    depth = 0
    for at in range(opened, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return at
    return len(code)


def durable_calls_are_steps(tree):
    """Each stands in a DURABLE_STEP: so the crash matrix knows of it (src/base/steps.h)."""
    complaints = []
    for path in tree.c_paths("src/"):
        helpers = DURABLE_HELPERS.get(path, [])
        for function in tree.source(path).functions():
            if function.name in helpers:
                continue
            steps = [(match.start(), closing(function.body, match.end() - 1))
                     for match in re.finditer(r"\bDURABLE_STEP(?:_VOID)?\(", function.body)]
            calls = list(DURABLE_CALL.finditer(function.body))
            for name in helpers:
                calls += re.finditer(rf"\b{name}\s*\(", function.body)
            complaints += [(path, function.line,
                            f"{function.name} calls {call.group(0)}) outside of a durable step")
                           for call in calls
                           if not any(begin < call.start() < end for begin, end in steps)]
    return complaints


def durable_steps_are_taken(tree):
    path = "src/base/steps.h"
    if path not in tree.paths:
        return []
    text = " ".join(tree.source(other).code for other in tree.c_paths("src/") if other != path)
    taken = set(re.findall(r"\bDURABLE_STEP(?:_VOID)?\(\s*(\w+)", text))
    listed = {match.group(1): tree.source(path).line_at(match.start())
              for match in re.finditer(r"\bX\((\w+)\) ", tree.source(path).code)}
    return [(path, line, f"no code takes the step {name}")
            for name, line in listed.items() if name not in taken]


def structs_have_no_typedef(tree):
    pattern = re.compile(r"\btypedef\s+(?:const\s+)?(struct|union|enum)\b")
    return [(path, tree.source(path).line_at(match.start()), f"typedef of a {match.group(1)}")
            for path in tree.c_paths() for match in pattern.finditer(tree.source(path).code)]


def headers_have_a_guard(tree):
    return [(path, 1, "#pragma once is missing")
            for path in tree.c_paths() if path.endswith(".h")
            if not re.search(r"^#pragma once$", tree.source(path).code, re.MULTILINE)]


def headers_compile_alone(tree):
    headers = [path for path in tree.c_paths("src/", "tests/", "utils/") if path.endswith(".h")]
    jobs = [(compiler, path) for compiler in COMPILERS for path in headers]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [complaint for complaint in pool.map(lambda job: compile_alone(tree, *job), jobs)
                if complaint]


def compile_alone(tree, compiler, path):
    # Through a file that includes it: a header itself may not be compiled with `#pragma once`.
    done = subprocess.run([compiler, *COMPILE], input=f'#include "{tree.full(path)}"\n', text=True,
                          capture_output=True, cwd=tree.root)
    if done.returncode == 0:
        return None
    reason = next((line for line in done.stderr.splitlines() if "error" in line), "failed")
    return path, 1, f"does not compile alone with {compiler}: {reason.strip()}"


def test_functions(tree):
    """(path, line, name) of every function with the signature of a cmocka test."""
    return [(path, tree.source(path).line_at(match.start()), match.group(1))
            for path in tree.c_paths("tests/")
            for match in re.finditer(r"^static void (\w+)\(void \*\*\w+\)\s*\{",
                                     tree.source(path).code, re.MULTILINE)]


def tests_are_registered(tree):
    """The name stands once more, in an array: by itself or in a macro that makes several tests."""
    return [(path, line, f"{name} is in no array of tests")
            for path, line, name in test_functions(tree)
            if len(re.findall(rf"\b{name}\b", tree.source(path).plain)) < 2]


def tests_are_named_as_sentences(tree):
    return [(path, line, f"{name} is not a sentence")
            for path, line, name in test_functions(tree)
            if len(name.split("_")) < TEST_NAME_WORDS_MIN]


def sources_are_formatted(tree):
    paths = tree.c_paths()
    lots = [paths[i::os.cpu_count()] for i in range(os.cpu_count())]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda lot: format_complaints(tree, lot), [lot for lot in lots if lot])
        return [complaint for lot in found for complaint in lot]


def format_complaints(tree, paths):
    done = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=1", *paths],
                          capture_output=True, text=True, cwd=tree.root)
    return [(match.group(1), int(match.group(2)), "not as clang-format lays it out")
            for match in re.finditer(r"^([^\s:]+):(\d+):\d+: (?:warning|error)", done.stderr,
                                     re.MULTILINE)]


CHECKS = [
    includes_point_down_only,
    includes_have_no_cycles,
    leveldb_is_seen_by_the_store_only,
    quoted_includes_are_used,
    files_are_short,
    functions_fit_a_screen,
    lines_fit_the_page,
    nesting_is_shallow,
    banned_functions_are_not_called,
    no_notes_to_self,
    no_tabs,
    no_trailing_blanks,
    nothing_mutable_is_global,
    durable_calls_are_steps,
    durable_steps_are_taken,
    structs_have_no_typedef,
    headers_have_a_guard,
    headers_compile_alone,
    tests_are_registered,
    tests_are_named_as_sentences,
    sources_are_formatted,
]

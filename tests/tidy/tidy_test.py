#!/usr/bin/env python3
"""Each check of tidy finds its bad sample, at its line, and leaves the good one alone."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import checks  # noqa: E402 (the path comes first)
from tidy import read_exceptions, split_by_exceptions  # noqa: E402

LAYERS = "# bottom first\nbase:\nraft: base\nstore: base\nexec: base raft store\n"
HEADER = "#pragma once\n"
LOOPS = "    if (a)\n        for (;;)\n            while (b)\n"
TEST = "#include <cmocka.h>\nstatic void {name}(void **state)\n{{\n    (void)state;\n}}\n"

# check, good files, bad files, where the bad ones must be found
SAMPLES = [
    (checks.includes_point_down_only,
     {"src/exec/a.c": '#include <stdio.h>\n#include "raft/raft.h"\n#include "exec/a.h"\n'},
     {"src/raft/a.c": '#include "base/buf.h"\n#include "store/store.h"\n',
      "src/mystery/b.c": "int b;\n",
      "src/exec/c.c": '/* #include "store/store.h" */\n\n#include "server/server.h"\n'},
     [("src/raft/a.c", 2), ("src/mystery/b.c", 1), ("src/exec/c.c", 3)]),
    (checks.includes_point_down_only,
     {},
     {"src/layers.txt": "raft: base\nbase:\n"},
     [("src/layers.txt", 1)]),
    (checks.includes_have_no_cycles,
     {"src/base/a.h": '#include "base/b.h"\n', "src/base/b.h": HEADER},
     {"src/base/a.h": '\n#include "base/b.h"\n', "src/base/b.h": '#include "base/a.h"\n'},
     [("src/base/b.h", 1)]),
    (checks.leveldb_is_seen_by_the_store_only,
     {"src/store/a.c": "#include <leveldb/c.h>\n"},
     {"src/exec/a.c": "\n#include <leveldb/c.h>\n"},
     [("src/exec/a.c", 2)]),
    (checks.quoted_includes_are_used,
     {"src/base/a.h": "int a_do(int x);\n", "src/base/a.c": '#include "base/a.h"\n',
      "src/base/m.h": "#define PAIR(n) int put_##n(void);\nPAIR(le16)\n",
      "src/base/e.h": "enum color { RED = 1, GREEN };\n",
      "src/base/s.h": "struct thing {\n    int x;\n};\ntypedef uint64_t raft_index;\n",
      "src/base/f.h": "typedef void command_fn(struct call *c);\n",
      "src/base/u.c": '#include "base/m.h"\n#include "base/e.h"\n#include "base/s.h"\n'
                      '#include "base/a.h"\n#include "base/f.h"\n'
                      "int u(raft_index i) { return put_le16() + GREEN + a_do(1); }\n"
                      "command_fn *g;\n"},
     {"src/base/a.h": "int a_do(int x);\n",
      "src/base/b.c": '#include <stdio.h>\n#include "base/a.h"\nint a_domain; /* not a_do */\n',
      "src/base/c.c": '#include "base/nowhere.h"\n'},
     [("src/base/b.c", 2), ("src/base/c.c", 1)]),
    (checks.files_are_short,
     {"src/base/a.c": "int a;\n" * checks.FILE_LINES_MAX},
     {"src/base/a.c": "int a;\n" * (checks.FILE_LINES_MAX + 1)},
     [("src/base/a.c", checks.FILE_LINES_MAX)]),
    (checks.functions_fit_a_screen,
     {"src/base/a.c": "static int a(int x)\n{\n" + "    x++;\n" * 66 + "    return x;\n}\n",
      "src/base/t.c": "static const int table[] = {\n" + "    1,\n" * 200 + "};\n"},
     {"src/base/a.c": "static int a(int x)\n{\n" + "    x++;\n" * 67 + "    return x;\n}\n\n"
                      "int b(void)\n{\n    return '{' + \"}\"[0];\n}\n",
      "src/base/b.c": "#define M(x) \\\n    {\n\nint b(struct x *p,\n      int y)\n{\n"
                      + "    y++; /* } */\n" * 70 + "}\n"},
     [("src/base/a.c", 1), ("src/base/b.c", 4)]),
    (checks.lines_fit_the_page,
     {"src/base/a.c": "/*" + "x" * 96 + "*/\n", "tests/a.py": "#" * 100 + "\n"},
     {"src/base/a.c": "\n/*" + "x" * 97 + "*/\n", "tests/a.py": "#" * 101 + "\n"},
     [("src/base/a.c", 2), ("tests/a.py", 1)]),
    (checks.nesting_is_shallow,
     {"src/base/a.c": LOOPS + " " * 16 + "c();\n"},
     {"src/base/a.c": LOOPS + " " * 16 + "if (d)\n"},
     [("src/base/a.c", 4)]),
    (checks.banned_functions_are_not_called,
     {"src/base/a.c": 'int f(void) { return x.rand() + prng_rand() + snprintf(); } /* rand() */\n'
                      'const char *t = "strcpy(";\n'},
     {"src/base/a.c": "\nint f(void) { return rand (); }\n",
      "tests/unit/b.c": "#define COPY(a, b) strcpy(a, b)\n"},
     [("src/base/a.c", 2), ("tests/unit/b.c", 1)]),
    (checks.no_notes_to_self,
     {"src/base/a.c": "int todo; /* nothing left */\n"},
     {"src/base/a.c": "\n/* TODO: more */\n", "deps/install": "# FIXME\n", "README.md": "XXX\n"},
     [("src/base/a.c", 2), ("deps/install", 1), ("README.md", 1)]),
    (checks.no_tabs,
     {"src/base/a.c": "int a;\n", "Makefile": "all:\n\techo\n"},
     {"src/base/a.c": "int a;\n\tint b;\n", "tests/a.py": "\tx\n"},
     [("src/base/a.c", 2), ("tests/a.py", 1)]),
    (checks.no_trailing_blanks,
     {"src/base/a.c": "int a;\n\nint b;\n", "tests/empty.py": ""},
     {"src/base/a.c": "int a; \n", "src/base/b.c": "int a;", "src/base/c.c": "int a;\n\n"},
     [("src/base/a.c", 1), ("src/base/b.c", 1), ("src/base/c.c", 3)]),
    (checks.nothing_mutable_is_global,
     {"src/base/a.c": "static const int table[] = {1, 2};\n"
                      "static const char *const names[] = {0};\n"
                      "extern int elsewhere;\nstruct x;\nstruct y {\n    int mutable;\n};\n"
                      "enum { A, B };\ntypedef int (*run_fn)(void);\nstatic int f(int a);\n"
                      "__extension__ typedef __int128 wide;\ncommand_fn run_a, run_b;\n"
                      "static int f(int a)\n{\n    static const int t[] = {1};\n"
                      "    return t[a];\n}\n"
                      "int (*const g)(int) = f;\n_Static_assert(sizeof(int) == 4, \"int\");\n"},
     {"src/base/a.c": "static int counter;\n",
      "src/base/b.c": "int f(void)\n{\n    static int calls = 0;\n    return calls++;\n}\n",
      "src/base/c.c": "\nstatic const char *names[] = {\"a\"};\n",
      "src/base/d.c": "struct x *current = NULL;\n",
      "src/base/e.c": "static struct {\n    int x;\n} state;\n",
      "src/base/f.c": "static void (*hook)(void);\n",
      "src/base/g.c": "_Thread_local int mine;\n",
      "src/base/h.c": "static int grid[4][4] = {{1}};\n",
      "src/base/i.c": "command_fn *current;\n"},
     [("src/base/a.c", 1), ("src/base/b.c", 3), ("src/base/c.c", 2), ("src/base/d.c", 1),
      ("src/base/e.c", 1), ("src/base/f.c", 1), ("src/base/g.c", 1), ("src/base/h.c", 1),
      ("src/base/i.c", 1)]),
    (checks.durable_calls_are_steps,
     {"src/store/a.c": "void a(struct f *f)\n{\n"
                       "    int e = DURABLE_STEP(x, f->ops->sync(f));\n"
                       "    DURABLE_STEP_VOID(y, wal_put_mark(f, (e)));\n"
                       "    f->ops->read(f); /* ops->sync(f) */\n}\n",
      "src/wal/writer.c": "static int sync_file(struct f *f)\n{\n    return f->ops->sync(f);\n}\n"},
     {"src/store/b.c": "int b;\nvoid c(struct f *f)\n{\n    DURABLE_STEP(x, g(f));\n"
                       "    f->ops->rename(f);\n    wal_put_base(f);\n}\n",
      "src/wal/writer.c": "void d(struct f *f)\n{\n    sync_file(f);\n}\n"},
     [("src/store/b.c", 2), ("src/store/b.c", 2), ("src/wal/writer.c", 1)]),
    (checks.durable_steps_are_taken,
     {"src/base/steps.h": "#define L(X) \\\n    X(one) \\\n    X(two) \n",
      "src/store/a.c": "void a(void)\n{\n    DURABLE_STEP(one, f());\n"
                       "    DURABLE_STEP_VOID(\n        two, f());\n}\n"},
     {"src/base/steps.h": "#define L(X) \\\n    X(one) \\\n    X(two) \n",
      "src/store/a.c": "void a(void)\n{\n    DURABLE_STEP(one, f());\n}\n"},
     [("src/base/steps.h", 3)]),
    (checks.structs_have_no_typedef,
     {"src/base/a.h": "typedef uint64_t raft_index;\ntypedef void x_fn(struct x *x);\n"},
     {"src/base/a.h": "\ntypedef struct x x;\n", "src/base/b.h": "typedef enum { A } b;\n"},
     [("src/base/a.h", 2), ("src/base/b.h", 1)]),
    (checks.headers_have_a_guard,
     {"src/base/a.h": "/* What it is. */\n#pragma once\n", "src/base/a.c": "int a;\n"},
     {"src/base/a.h": "/*\n#pragma once\n*/\n"},
     [("src/base/a.h", 1)]),
    (checks.headers_compile_alone,
     {"src/base/a.h": HEADER + "#include <stdint.h>\nuint64_t a(void);\n",
      "src/base/b.h": HEADER + '#include "base/a.h"\n'},
     {"src/base/a.h": HEADER + "uint64_t a(void);\n",
      "src/base/b.h": HEADER + "static inline int b(long x)\n{\n    return x;\n}\n"},
     [("src/base/a.h", 1), ("src/base/b.h", 1)] * 2),
    (checks.tests_are_registered,
     {"tests/unit/a_test.c": TEST.format(name="a_thing_works") + "T[] = {\n"
                             "    cmocka_unit_test(a_thing_works),\n};\n"
                             + TEST.format(name="b_thing_works")
                             + "X[] = {BOTH(b_thing_works)};\n"},
     {"tests/unit/a_test.c": TEST.format(name="a_thing_works")
                             + "T[] = {cmocka_unit_test(a_thing_works_too)};\n"},
     [("tests/unit/a_test.c", 2)]),
    (checks.tests_are_named_as_sentences,
     {"tests/unit/a_test.c": TEST.format(name="a_thing_works")},
     {"tests/unit/a_test.c": TEST.format(name="test_thing")},
     [("tests/unit/a_test.c", 2)]),
    (checks.sources_are_formatted,
     {"src/base/a.c": "int a(void)\n{\n    return 1;\n}\n"},
     {"src/base/a.c": "int a(void)\n{\n  return 1;\n}\n"},
     [("src/base/a.c", 2)]),  # at the end of the line before
]


def run_check(check, files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {"src/layers.txt": LAYERS, **files}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w") as file:
                file.write(text)
        here = os.path.dirname(os.path.abspath(__file__))
        os.symlink(os.path.join(here, "../../.clang-format"), os.path.join(root, ".clang-format"))
        return check(checks.Tree(root))


def sample_is_judged_right(check, good, bad, expected):
    found = run_check(check, good)
    assert not found, f"complains about the good sample: {found}"
    found = run_check(check, bad)
    places = [(path, line) for path, line, _ in found]
    assert sorted(places) == sorted(expected), f"found {found}, expected {expected}"


def every_check_has_a_sample():
    sampled = {sample[0].__name__ for sample in SAMPLES}
    missing = {check.__name__ for check in checks.CHECKS} - sampled
    assert not missing, f"without a sample: {missing}"


def an_exception_covers_its_own_complaint_only():
    exceptions = read_exceptions("# note\nno_tabs a.c tab # because\n")
    used = set()
    left = split_by_exceptions("no_tabs", [("a.c", 1, "a tab"), ("b.c", 2, "a tab")],
                               exceptions, used)
    assert left == ["b.c:2: a tab"], left
    assert split_by_exceptions("other", [("a.c", 1, "a tab")], exceptions, used)
    assert used == {("no_tabs", "a.c", "tab")}, used


def main():
    tests = [(f"{check.__name__}_finds_its_bad_sample_only",
              lambda sample=(check, good, bad, expected): sample_is_judged_right(*sample))
             for check, good, bad, expected in SAMPLES]
    tests += [("every_check_has_a_sample", every_check_has_a_sample),
              ("an_exception_covers_its_own_complaint_only",
               an_exception_covers_its_own_complaint_only)]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - tidy_{name}")
        except AssertionError as error:
            failed += 1
            print(f"not ok {number} - tidy_{name}\n# {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

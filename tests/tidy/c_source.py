"""Just enough of C to check a style: code without comments and strings, functions, variables.

Relies on the house layout (clang-format) nowhere but in `nesting`; does not expand macros.
"""

import re

COMMENT_OR_STRING = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE)
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"\n]+)[>\"]", re.MULTILINE)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\(.*?\)\)\s*|_Static_assert\s*\([^;]*\);", re.DOTALL)
CONTROL = re.compile(r"^( *)(?:\} )?(?:if|for|while|switch|do)\b")


def blank(match):
    """The same text as blanks, so that positions and line numbers stay."""
    return re.sub(r"[^\n]", " ", match.group(0))


def blank_text(match):
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + re.sub(r"[^\n]", " ", text[1:-1]) + text[-1]
    return blank(match)


class Function:
    def __init__(self, name, line, last_line, body):
        self.name = name
        self.line = line
        self.last_line = last_line
        self.body = body  # with braces

    def line_count(self):
        return self.last_line - self.line + 1


class CSource:
    def __init__(self, text):
        self.text = text
        self.code = COMMENT_OR_STRING.sub(blank_text, text)  # with directives
        self.plain = DIRECTIVE.sub(blank, self.code)         # without
        self._top = None

    def line_at(self, position):
        return self.text.count("\n", 0, position) + 1

    def includes(self):
        """(line, is_quoted, path), of lines that are not commented out."""
        found = []
        for match in INCLUDE.finditer(self.text):
            if self.code[match.start():match.end()].lstrip().startswith("#"):
                found.append((self.line_at(match.start()), match.group(1) == '"', match.group(2)))
        return found

    def top(self):
        """Pieces at file scope: (start, text without braced content, [braced content])."""
        if self._top is None:
            self._top = list(self._pieces())
        return self._top

    def _pieces(self):
        start, outer, braced, depth, opened, last = 0, [], [], 0, 0, 0
        code = self.plain
        for match in re.finditer(r"[{};]", code):
            at, char = match.start(), match.group(0)
            if char == "{":
                if depth == 0:
                    outer.append(code[start if not outer else last:at])
                    opened = at
                depth += 1
            elif char == "}":
                depth -= 1
                if depth == 0:
                    braced.append((opened, code[opened:at + 1]))
                    last = at + 1
                    if is_function_head("".join(outer)):
                        yield start, "".join(outer), braced
                        start, outer, braced = at + 1, [], []
            elif depth == 0:
                outer.append(code[start if not outer else last:at])
                yield start, "".join(outer), braced
                start, outer, braced = at + 1, [], []

    def functions(self):
        found = []
        for start, outer, braced in self.top():
            if not braced or not is_function_head(outer):
                continue
            head = ATTRIBUTE.sub("", outer)
            begin = start + len(outer) - len(outer.lstrip())
            opened, body = braced[-1]
            found.append(Function(re.search(r"(\w+)\s*\(", head).group(1), self.line_at(begin),
                                  self.line_at(opened + len(body) - 1), body))
        return found

    def variables(self):
        """Mutable data with static life: (line, declaration) at file scope and in functions."""
        found = []
        for start, outer, braced in self.top():
            if is_function_head(outer) and not braced:
                continue
            if is_function_head(outer):
                opened, body = braced[-1]
                for match in re.finditer(r"\b(?:static|_Thread_local)\b[^;{=]*", body):
                    if is_mutable(match.group(0)):
                        found.append((self.line_at(opened + match.start()), match.group(0)))
            elif is_variable(outer) and is_mutable(outer):
                begin = start + len(outer) - len(outer.lstrip())
                found.append((self.line_at(begin), outer))
        return [(line, " ".join(text.split("=")[0].split())) for line, text in found]

    def nesting(self):
        """(line, depth) of control statements; a function's own level is 1."""
        found = []
        for number, line in enumerate(self.plain.split("\n"), 1):
            match = CONTROL.match(line)
            if match:
                found.append((number, len(match.group(1)) // 4))
        return found

    def declared_names(self):
        """What others can use a file for: macros, types, functions, constants."""
        names = set(re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", self.code, re.MULTILINE))
        names |= set(re.findall(r"\b(?:struct|union|enum)\s+(\w+)\s*\{", self.plain))
        names |= set(re.findall(r"\b(?:struct|union|enum)\s+(\w+)\s*;", self.plain))
        for _, outer, braced in self.top():
            head = ATTRIBUTE.sub("", outer)
            if re.match(r"\s*typedef\b", head):
                names |= set(re.findall(r"(\w+)\s*(?:\(.*)?$", head.strip(), re.DOTALL)[:1])
                names |= set(re.findall(r"\(\s*\*\s*(\w+)\s*\)", head))
                names |= set(re.findall(r"(\w+)\s*\(", head)[:1])
            names |= set(re.findall(r"(\w+)\s*\(", head)[:1])
            names |= set(re.findall(r"(\w+)(?:\s*\[[^]]*\])*\s*(?:=\s*)?$", head.strip()))
            for _, body in braced:
                if re.search(r"\benum\b", head):
                    names |= set(re.findall(r"[{,]\s*(\w+)", body))
        for expansion in re.findall(r"^([A-Z][A-Z0-9_]+)\(([^)]*)\)", self.plain, re.MULTILINE):
            names |= generated_names(self.code, *expansion)
        return names

    def words(self):
        return set(re.findall(r"\w+", re.sub(INCLUDE, "", self.code)))


def generated_names(code, macro, arguments):
    """Names that a macro of the same file glues together: NAME(le16, …) with put_##name."""
    match = re.search(r"#define " + macro + r"\(([^)]*)\)((?:[^\n\\]|\\.|\\\n)*)", code, re.DOTALL)
    if not match:
        return set()
    values = dict(zip([name.strip() for name in match.group(1).split(",")],
                      [value.strip() for value in arguments.split(",")]))
    return {prefix + values.get(name, name)
            for prefix, name in re.findall(r"(\w+)##(\w+)", match.group(2))}


def is_function_head(outer):
    head = ATTRIBUTE.sub("", outer).strip()
    return (head.endswith(")") and "=" not in head and not head.startswith("typedef")
            and not is_function_pointer(head))


def is_function_pointer(declarator):
    """static void (*hook)(void): the first parenthesis opens on a star."""
    return re.match(r"[^(]*\(\s*\*", declarator) is not None


def is_variable(outer):
    head = ATTRIBUTE.sub("", outer).strip()
    if not head or re.match(r"(__extension__|typedef|extern|(struct|union)\s+\w+$|enum\b)", head):
        return False
    declarator = head.split("=")[0]
    if re.fullmatch(r"(static\s+)?\w+_fn\s+\w+(\s*,\s*\w+)*\s*", declarator):
        return False  # functions, by the name of their type
    if is_function_pointer(declarator):
        return True
    has_name = re.search(r"\w\s+\**\s*\w+|\*\s*\w+|\}\s*\w+", declarator)
    return "(" not in declarator and has_name is not None


def is_mutable(declaration):
    declarator = declaration.split("=")[0]
    if re.search(r"\bextern\b", declarator):
        return False
    pointer = re.search(r"\(\s*\*([^)]*)\)", declarator)
    if pointer:
        return "const" not in pointer.group(1)
    return re.search(r"\bconst\b", declarator.rsplit("*", 1)[-1]) is None

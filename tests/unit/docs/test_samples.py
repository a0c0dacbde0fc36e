"""What the pages show is what the program takes: code that is in the file it names, commands and options that exist."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from tests.unit.docs.pages import PAGES, ROOT, Block, name_of, of_language

from deltawire.cli.main import app

PYTHON = of_language("python")
CONSOLE = of_language("console", "sh", "bash", "shell")
# What ends one command and begins another in a line of a shell; words that may stand before a command.
_JOINTS = {"&&", "||", "|", ";", "&", "do", "then", "!", "(", ")"}
_BEFORE = {"until", "while", "if", "sudo", "time", "exec", "nice"}
_COMMAND = re.compile(r"(?:.*/)?deltawire")
_INLINE = re.compile(r"`((?:\.venv/bin/)?deltawire [^`\n]+)`")
ROOT_COMMAND: Any = typer.main.get_command(app)
OF_THE_SHELL = {"--help", "--install-completion", "--show-completion", "--version"}


def wrong_with(words: list[str]) -> str:
    """Say what the command line would not take of these words (those behind `deltawire`); "" when it takes them."""
    command, path = ROOT_COMMAND, "deltawire"
    left = iter(words)
    while hasattr(command, "commands"):
        word = next(left, "--help")
        if word in OF_THE_SHELL:
            return ""
        if word not in command.commands:
            return f"{path} has no command {word!r}"
        command, path = command.commands[word], f"{path} {word}"
    options = {option: param for param in command.params for option in (*param.opts, *param.secondary_opts)}
    for word in left:
        if not word.startswith("-"):
            continue
        option, given, _ = word.partition("=")
        if option in OF_THE_SHELL:
            continue
        if option not in options:
            return f"{path} has no option {option}"
        if not given and not options[option].is_flag and next(left, None) is None:
            return f"{path}: {option} wants a value"
    return ""


def commands_in(line: str) -> Iterator[list[str]]:
    """Give the words behind each `deltawire` that is run in a line of a shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words, at_start = list(lexer), True
    for at, word in enumerate(words):
        if word in _JOINTS or set(word) <= set("();|&"):
            at_start = True
        elif at_start and _COMMAND.fullmatch(word):
            rest = words[at + 1 :]
            end = next((n for n, part in enumerate(rest) if part in _JOINTS or set(part) <= set("();<>|&")), len(rest))
            # A digit before a redirection names a file descriptor.
            if end < len(rest) and end and rest[end - 1].isdigit() and rest[end].startswith(">"):
                end -= 1
            yield rest[:end]
            at_start = False
        elif not (word in _BEFORE or re.match(r"\w+=", word)):
            at_start = False


def lines_of(block: Block) -> list[str]:
    """Return what a person types: behind $ or #, continued lines joined."""
    joined = block.text.replace("\\\n", " ")
    return [line[2:] for line in joined.splitlines() if line.startswith(("$ ", "# "))]


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_commands_on_a_page_are_those_of_the_program(block: Block):
    found = [(line, wrong_with(words)) for line in lines_of(block) for words in commands_in(line)]
    assert [f"{line}: {wrong}" for line, wrong in found if wrong] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_within_a_sentence_are_those_of_the_program(page):
    # `deltawire backup --keep N`, `deltawire <command> --help`, `deltawire pause | resume`: forms, not commands.
    told = [text for text in _INLINE.findall(page.read_text()) if not re.search(r"[<>…|]|\.\.\.", text)]
    found = [(text, wrong_with(shlex.split(text)[1:])) for text in told]
    assert [f"{text}: {wrong}" for text, wrong in found if wrong] == []


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_on_a_page_stands_in_the_file_it_names(block: Block):
    assert block.about, f"{block}: name the file it is from behind ```python; a test runs that file"
    assert block.text in (ROOT / block.about).read_text(), f"{block}: not in {block.about} as it stands here"


def test_there_is_something_to_check():
    assert len(PYTHON) > 5
    assert sum(1 for block in CONSOLE for line in lines_of(block) for _ in commands_in(line)) > 30


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("deltawire chek", "deltawire has no command 'chek'"),
        ("deltawire check --cofnig x", "deltawire check has no option --cofnig"),
        ("cat x | .venv/bin/deltawire alert tets", "deltawire alert has no command 'tets'"),
        ("until deltawire status --jsn > a; do sleep 1; done", "deltawire status has no option --jsn"),
        ("A=1 deltawire report --journal", "deltawire report: --journal wants a value"),
        ("deltawire sim --ready-file ready.json 2> sim.log & sim=$!", ""),
        ("deltawire status --json  # --nothing is checked in a comment", ""),
        ("echo deltawire chek", None),
    ],
)
def test_the_check_sees_what_it_is_for(line: str, wrong: str | None):
    assert [wrong_with(words) for words in commands_in(line)] == ([] if wrong is None else [wrong])

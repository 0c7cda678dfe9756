"""Draws what a command prints on a terminal: `python tools/terminal_svg.py FILE.svg COMMAND...`.

Runs the command on a pseudo-terminal and turns its text and colours into an SVG that follows light and dark.
"""

import html
import os
import pty
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

COLOURS = {
    "31": "red",
    "32": "green",
    "33": "yellow",
    "34": "blue",
    "35": "violet",
    "36": "teal",
    "90": "grey",
    "1": "bold",
}
STYLE = """<style>
  rect { fill: #ffffff; stroke: #e4e7eb }
  text { font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #16191d; white-space: pre }
  .red { fill: #c8281e } .green { fill: #2e7d32 } .yellow { fill: #9a5b00 } .blue { fill: #2f6fd0 }
  .violet { fill: #7a54d6 } .teal { fill: #0c7f78 } .grey { fill: #5d6673 } .bold { font-weight: 700 }
  @media (prefers-color-scheme: dark) {
    rect { fill: #111316; stroke: #262b31 } text { fill: #e7e9ec } .red { fill: #ff6b5e } .green { fill: #7bd88f }
    .yellow { fill: #e0a03c } .blue { fill: #6aa0f5 } .violet { fill: #a78bfa } .teal { fill: #3fbcb0 }
    .grey { fill: #98a1ad }
  }
</style>"""
LINE, LETTER, EDGE = 19, 7.83, 18


def printed(command: list[str]) -> str:
    """What the command prints on a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs) as running:
        os.close(theirs)
        parts: list[bytes] = []
        try:
            while part := os.read(ours, 65_536):
                parts.append(part)
        except OSError:  # Linux says so when the other side has closed
            pass
        running.wait()
    return b"".join(parts).decode().replace("\r\n", "\n")


def drawn(text: str) -> str:
    """Text with colours as SVG."""
    lines = text.rstrip("\n").split("\n")
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    width = max(map(_columns, plain)) * LETTER + 2 * EDGE
    height = len(lines) * LINE + 2 * EDGE
    rows = [f'<text y="{EDGE + 14 + at * LINE}">{_spans(line)}</text>' for at, line in enumerate(lines)]
    size = f'width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}"'
    frame = f'<rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1}" rx="8"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', STYLE, frame, *rows, "</svg>"]) + "\n"


def _spans(line: str) -> str:
    """One tspan for each run of a colour, at its own column, since renderers treat leading spaces in their own way."""
    found: list[str] = []
    colour, column = "", 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b"):
            colour = COLOURS.get(part[2:-1], "")
            continue
        if part.strip():
            at = EDGE + (column + len(part) - len(part.lstrip())) * LETTER
            text = html.escape(part.strip()).replace(" ", "&#160;")
            found.append(f'<tspan x="{at:.1f}" class="{colour}">{text}</tspan>')
        column += _columns(part)
    return "".join(found)


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawn(printed(sys.argv[2:])))

#!/usr/bin/python3
"""seed_faults LIST SOURCE_DIR OUTPUT_DIR: copies of the dialogue's files in which each fault of LIST can be switched on.

LIST holds, a fault a paragraph:

    fault NAME
    in CONFIGURATION          where it must be found: a configuration of the explorer
    file FILE                 below SOURCE_DIR
    at TEXT                   optional: what follows is looked for behind this
    - what is right
    + what is wrong

An expression becomes (is_seeded("NAME") ? (wrong) : (right)), a statement an if. Text that is not there, or is there twice, is
an error: whoever changes the dialogue changes the list.
"""

import pathlib
import sys

KEYS = ("fault", "in", "file", "at", "-", "+")
DECLARATION = "namespace safetp::explore { bool is_seeded(const char* fault); }\n"


def complain(text):
    sys.exit(f"seed_faults: {text}")


def read_faults(path):
    faults = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        key, _, value = line.partition(" ")
        if key not in KEYS:
            complain(f"{path}:{number}: unknown word {key!r}")
        if key == "fault":
            faults.append({})
        if key in faults[-1]:
            complain(f"{path}:{number}: {key!r} stands there twice")
        faults[-1][key] = value.strip()
    for fault in faults:
        missing = [key for key in KEYS if key != "at" and key not in fault]
        if missing:
            complain(f"{fault.get('fault')}: no {', '.join(missing)}")
    return faults


def replacement(fault):
    right, wrong, name = fault["-"], fault["+"], fault["fault"]
    if right.endswith(";"):
        return f'{{ if (::safetp::explore::is_seeded("{name}")) {{ {wrong} }} else {{ {right} }} }}'
    return f'(::safetp::explore::is_seeded("{name}") ? ({wrong}) : ({right}))'


def seeded(text, fault):
    start = 0
    if "at" in fault:
        if text.count(fault["at"]) != 1:
            complain(f"{fault['fault']}: {fault['at']!r} is {text.count(fault['at'])} times in {fault['file']}")
        start = text.index(fault["at"]) + len(fault["at"])
        found = text.find(fault["-"], start)
    else:
        found = text.find(fault["-"]) if text.count(fault["-"]) == 1 else -1
    if found < 0:
        complain(f"{fault['fault']}: {fault['-']!r} is not, or not only once, in {fault['file']}")
    return text[:found] + replacement(fault) + text[found + len(fault["-"]):]


def main():
    listing, source, output = map(pathlib.Path, sys.argv[1:])
    faults = read_faults(listing)
    output.mkdir(parents=True, exist_ok=True)
    for name in sorted({fault["file"] for fault in faults}):
        text = (source / name).read_text(encoding="utf-8")
        for fault in faults:
            if fault["file"] == name:
                text = seeded(text, fault)
        (output / name).write_text(DECLARATION + text, encoding="utf-8")
    rows = "".join(f'    {{"{fault["fault"]}", "{fault["in"]}"}},\n' for fault in faults)
    (output / "faults.inc").write_text(rows, encoding="utf-8")


if __name__ == "__main__":
    main()

"""summary.py FILE...: adds up JUnit results and prints what failed, what was skipped and why, and a closing line of numbers."""

import sys
from xml.etree import ElementTree

passed, failed, skipped = 0, [], {}
for path in sys.argv[1:]:
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname', '')} {case.get('name')}".strip()
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif (skip := case.find("skipped")) is not None:
            skipped.setdefault(skip.get("message", "no reason given"), []).append(name)
        else:
            passed += 1

for reason, names in skipped.items():
    print(f"not run: {len(names)} tests: {reason}")
for name in failed:
    print(f"failed: {name}")
print(f"{passed} passed, {len(failed)} failed")
sys.exit(1 if failed or not passed else 0)

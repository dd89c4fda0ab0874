"""tests.py unittest|pytest FILE ARGS...: runs the tests of one file; a file without a test is a failure."""
import os
import subprocess
import sys
import unittest

runner, path, *args = sys.argv[1:]
if runner == "pytest":
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path, *args]
    sys.exit(subprocess.run(call, check=False).returncode)
sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
name = os.path.splitext(os.path.basename(path))[0]
suite = unittest.defaultTestLoader.loadTestsFromName(name)
if suite.countTestCases() == 0:
    sys.exit(f"{path}: this file has no tests")
result = unittest.TextTestRunner(verbosity=2).run(suite)
sys.exit(not result.wasSuccessful())

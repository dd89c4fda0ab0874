"""make_wheel.py DIR: recreates the wheel in wheels/, byte for byte, and its lock file."""
import hashlib
import os
import sys
import zipfile

FILES = {
    "greeting/__init__.py": 'WORD = "greeting"\n',
    "greeting-1.0.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0.0\n",
    "greeting-1.0.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: make_wheel\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}

path = os.path.join(sys.argv[1], "greeting-1.0.0-py3-none-any.whl")
with zipfile.ZipFile(path, "w") as wheel:
    for name, text in FILES.items():
        wheel.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
with open(path, "rb") as wheel:
    digest = hashlib.sha256(wheel.read()).hexdigest()
with open(os.path.join(sys.argv[1], "requirements.txt"), "w", encoding="utf-8") as lock:
    lock.write(f"greeting==1.0.0 \\\n    --hash=sha256:{digest}\n")

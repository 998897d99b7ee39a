#!/bin/sh
# Makes .venv from requirements.lock, once; what is missing is named with the command that installs it.
# Works as root and as an ordinary user, with any umask, on any Python from 3.11 that has venv.
set -eu
umask 022  # a venv that only root can read would keep PostgreSQL's own account from its programs
cd "$(dirname "$0")/.."

give_up() {
    echo "galw: $1" >&2
    exit 1
}

# Prints the first Python that is new enough; PYTHON=… names one.
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    give_up "Python 3.11 or newer is missing; install it with: apt-get install python3 python3-venv"
}

# A venv that was moved, or whose Python is gone, is made anew.
venv_works() {
    [ -x .venv/bin/python ] && [ "$(.venv/bin/python -c 'import sys; print(sys.prefix)' 2>/dev/null)" = "$(pwd -P)/.venv" ]
}

# The stamp holds what it was made from, so a pull that changes the lock, and only that, installs again.
wanted=$(cat requirements.lock pyproject.toml | cksum)
if venv_works && [ "$(cat .venv/galw.stamp 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
python=$(find_python)
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    give_up "$python comes without venv; install it with: apt-get install python3-venv"
echo "galw: installing the locked dependencies into .venv (once, a minute or two)"
venv_works || "$python" -m venv --clear .venv
pip() {
    .venv/bin/python -m pip --disable-pip-version-check --no-input "$@"
}
pip install --quiet --require-hashes -r requirements.lock ||
    give_up "the dependencies could not be installed (see above); check the network and the free disk space, then run make again"
pip install --quiet --no-deps --no-build-isolation -e .
echo "$wanted" >.venv/galw.stamp

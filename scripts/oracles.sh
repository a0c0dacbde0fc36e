#!/bin/sh
# Makes .venv-oracles hold the clients we did not write (paradex-py, ccxt), by the hashes of their lock.
# Usage: scripts/oracles.sh [again]      Python: $ORACLES_PYTHON if set, else a Python 3.10 found here
#
# An environment of its own: paradex-py pins libraries the product does not want, and a library under it has a wheel for
# CPython 3.10 on Linux x86-64 only (elsewhere its build wants cargo and a crate registry; name such a Python with
# ORACLES_PYTHON). Without a Python 3.10 it holds ccxt alone, on the Python of .venv. Only tests use it, and they are
# skipped with the reason where it cannot be had. So a failure is one sentence and exit code 1, and is not tried again
# until told to (again) or until a lock changes. Bounded in time; says everything on stderr.
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
cd -- "$root" || exit 1
venv=.venv-oracles
installed=$venv/.installed # what is in it, then the key
why_not=$venv/.why-not     # what tests say when they skip
tried=$venv/.tried         # the key of the last try
log=$venv/install.log
within_s=${ORACLES_WITHIN_S:-400}

unset PYTHONHOME PYTHONPATH VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PIP_CONSTRAINT
PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export PIP_USER PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT

say() { printf 'deltawire: %s\n' "$*" >&2; }
key() { cat requirements/oracles*.lock scripts/oracles.sh | cksum; }
ready() { [ "$(tail -n 1 "$installed" 2>/dev/null)" = "$(key)" ] && "$venv/bin/python" -c '' 2>/dev/null; }
skip() { printf '%s\n' "$*" >"$why_not"; say "some proofs by clients we did not write will be skipped: $*"; }

find_310() { # prints the path of a Python 3.10 that can make environments
  for candidate in python3.10 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10*/bin/python3.10; do
    "$candidate" -c 'import sys, venv, ensurepip, ssl; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null || continue
    printf '%s\n' "$candidate"
    return
  done
}

bounded() { if command -v timeout >/dev/null 2>&1; then timeout "$within_s" "$@"; else "$@"; fi; }

install() { # $1 a Python, $2 a lock, $3 the packages it is for
  rm -rf -- "$venv/bin" "$venv/lib" "$installed"
  say "installing $3 into $root/$venv for the tests (a minute or two, once; details in $log) ..."
  "$1" -m venv "$venv" >"$log" 2>&1 &&
    bounded "$venv/bin/python" -m pip install --retries 2 --require-hashes -r "$2" >>"$log" 2>&1 || {
    reason=$(grep -E '^ *(ERROR|error):' "$log" | grep -v subprocess-exited | tail -n 1 | cut -c1-200)
    skip "pip could not install $2 on $("$1" --version 2>&1) within $within_s s${reason:+ ($reason)}; details in $log, again with: make oracles"
    return 1
  }
  { printf '%s\n' "$3"; key; } >"$installed"
}

if [ "${1:-}" = again ]; then rm -f -- "$tried"; fi
if ready; then exit 0; fi
if command -v flock >/dev/null 2>&1; then
  exec 9<"$0"
  flock 9
  if ready; then exit 0; fi
fi
if [ "$(cat "$tried" 2>/dev/null)" = "$(key)" ]; then exit 1; fi
mkdir -p -- "$venv" && key >"$tried" || { say "cannot write $root/$venv"; exit 1; }
rm -f -- "$why_not"

python=${ORACLES_PYTHON:-$(find_310)}
if [ -n "$python" ] && install "$python" requirements/oracles.lock "paradex-py ccxt"; then exit 0; fi
[ -n "$python" ] || skip "paradex-py wants a Python 3.10, and there is none here: install one and run make oracles"
install .venv/bin/python requirements/oracles-ccxt.lock ccxt

#!/bin/sh
# Makes .venv beside the Makefile hold one lock file's packages, by hash, and this checkout (editable).
# Usage: scripts/bootstrap.sh run|dev      Python: $PYTHON if set, else the newest one found that fits.
#
# Says everything on stderr, so a recipe's stdout stays its own. What a person must install is said in one sentence.
# Does nothing when the environment already matches; the dev lock contains the run lock, pin for pin. An environment
# that can be kept is brought up to date in place, so a failed download leaves the old one working.
set -u

want=${1:?usage: scripts/bootstrap.sh run|dev}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
cd -- "$root" || exit 1
venv=.venv
stamp=$venv/.deltawire-installed
log=$venv/install.log
fits="3.11, 3.12 or 3.13"

# A setting made for another environment must not redirect or weaken this one.
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PIP_CONSTRAINT
PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export PIP_USER PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT

say() { printf 'deltawire: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

key() { cat "requirements/$1.lock" pyproject.toml scripts/bootstrap.sh | cksum; }

stamped() { grep -qxF "$1 $(key "$1")" "$stamp" 2>/dev/null; }

ready() {
  { stamped "$want" || { [ "$want" = run ] && stamped dev; }; } && [ -x "$venv/bin/deltawire" ] && keepable
}

identity() { "$1" -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null; }

keepable() { # does .venv run, here (its scripts name the folder), on a Python that fits and that nobody asked to change?
  grep -qF -- "$root/$venv" "$venv/bin/activate" 2>/dev/null || return 1
  [ "$(probe "$venv/bin/python")" = fits ] || return 1
  [ -z "${PYTHON:-}" ] || [ "$(identity "$PYTHON")" = "$(identity "$venv/bin/python")" ]
}

probe() { # one word about a Python: fits, version:<its version>, ensurepip, sqlite3, ssl; nothing when it does not run
  "$1" - 2>/dev/null <<'PY'
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    print("version:%d.%d.%d" % sys.version_info[:3])
    sys.exit()
for name in ("venv", "ensurepip", "ssl", "sqlite3"):
    try:
        __import__(name)
    except ImportError:
        print("ensurepip" if name == "venv" else name)
        break
else:
    print("fits")
PY
}

choose_python() { # sets $python, or ends with the sentence that helps
  if [ -n "${PYTHON:-}" ]; then candidates=$PYTHON; else candidates="python3.13 python3.12 python3.11 python3 python"; fi
  seen="" lacking=""
  old_ifs=$IFS
  [ -z "${PYTHON:-}" ] || IFS='' # PYTHON is one path, spaces and all
  for candidate in $candidates; do
    IFS=$old_ifs
    path=$(command -v -- "$candidate" 2>/dev/null) || continue
    case $path in "$root/$venv"/*) continue ;; esac # an active .venv of ours cannot rebuild itself
    verdict=$(probe "$path") || continue
    case $verdict in
      fits) python=$path; return 0 ;;
      version:*) seen="${seen:+$seen, }$candidate is ${verdict#version:}" ;;
      ?*) lacking=${lacking:-"$candidate $verdict"} ;;
    esac
  done
  IFS=$old_ifs
  if [ -n "$lacking" ]; then
    name=${lacking% *} module=${lacking##* }
    case $module in
      ensurepip) die "$name cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python3-venv) and run make again." ;;
      *) die "$name was built without its $module module: install a complete Python $fits and run make again, with PYTHON=/path/to/it if need be." ;;
    esac
  fi
  [ -z "${PYTHON:-}" ] || die "PYTHON=$PYTHON does not fit (${seen:-it does not run}): name a Python $fits."
  die "Python $fits is needed${seen:+ ($seen)}: install one (Debian, Ubuntu: apt install python3 python3-venv) or run make PYTHON=/path/to/python."
}

pip_failed() { # one sentence out of pip's log
  reason=$(grep -E '^ *ERROR:' "$log" | grep -v 'subprocess-exited' | tail -n 1 | cut -c1-200)
  if grep -qE 'No space left on device' "$log"; then
    die "the disk is full: free about 500 MB for $root/$venv and run make again."
  elif grep -qE 'THESE PACKAGES DO NOT MATCH THE HASHES' "$log"; then
    die "a package differs from the hash in requirements/$want.lock and was refused: find out why your registry serves another file (details in $log)."
  elif grep -qE 'Failed to build|Failed building|failed-wheel-build|metadata-generation-failed|subprocess-exited-with-error' "$log"; then
    die "a package has no ready wheel for this Python and machine: use Python $fits on Linux x86-64 or aarch64, or install a C compiler and the Python headers (Debian, Ubuntu: apt install build-essential python3-dev); details in $log."
  elif grep -qE 'Retrying|NewConnectionError|ConnectTimeout|ReadTimeout|name resolution|Could not fetch URL|from versions: none' "$log"; then
    die "pip reaches no Python package registry: connect this machine to the network, or point PIP_INDEX_URL at a mirror, and run make again (details in $log)."
  fi
  die "installing failed${reason:+ ($reason)}: read $log, mend what it names and run make again."
}

install() {
  if [ ! -f pyproject.toml ] || [ ! -f "requirements/$want.lock" ]; then
    die "requirements/$want.lock is missing here: clone the repository again."
  fi
  if ! keepable || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    choose_python
    rm -rf -- "$venv" 2>/dev/null && mkdir -- "$venv" 2>/dev/null ||
      die "cannot write $root/$venv: give yourself the right to write there and run make again."
    "$python" -m venv "$venv" >"$log" 2>&1 ||
      die "$python cannot make a virtual environment ($(tail -n 1 "$log" | cut -c1-200)): install its venv package (Debian, Ubuntu: apt install python3-venv) and run make again."
  fi
  say "installing the locked packages into $root/$venv (a minute, once; details in $log) ..."
  rm -f -- "$stamp" && : >"$log"
  # Two retries, not five: without a network the answer comes in seconds.
  "$venv/bin/python" -m pip install --retries 2 --require-hashes -r "requirements/$want.lock" >>"$log" 2>&1 || pip_failed
  "$venv/bin/python" -m pip install --no-index --no-deps --no-build-isolation -e . >>"$log" 2>&1 || pip_failed
  printf '%s %s\n' "$want" "$(key "$want")" >"$stamp"
}

# Two makes at once: the second waits, then finds everything done. Without flock (not util-linux, not busybox) it is not guarded.
if ready; then exit 0; fi
if command -v flock >/dev/null 2>&1; then
  exec 9<"$0"
  flock 9
  if ready; then exit 0; fi
fi
install

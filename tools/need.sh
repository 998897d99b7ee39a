#!/bin/sh
# need.sh PROGRAM PACKAGE…: succeeds when PROGRAM is there; root on Debian gets it installed, others are told how.
set -eu
program=$1
shift
if command -v "$program" >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "galw: $program is missing; install it with: sudo apt-get install $*" >&2
    exit 1
fi
echo "galw: installing $* for $program"
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }

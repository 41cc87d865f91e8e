#!/usr/bin/env bash
# Installs what builds for 64-bit ARM and runs the result on another machine: Debian's compiler and qemu.
set -euo pipefail

packages=(rustc-web cargo-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2>/dev/null | grep --quiet --line-regexp installed \
        || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit

command="dpkg --add-architecture arm64 && apt-get update && apt-get install --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "needs packages of Debian 12; as root: $command"
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
dpkg --add-architecture arm64
apt-get update -qq
apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null

#!/usr/bin/env bash
# Makes an interpreter for 64-bit ARM, FOLDER/python, which runs under qemu with the wheels that are named.
#   tests/arm64/python.sh FOLDER PIP REQUIREMENT...
set -euo pipefail

mkdir -p "$1"
folder=$(cd "$1" && pwd)
pip=$2
shift 2
packages=(libbz2-1.0 libc6 libcrypt1 libdb5.3 libexpat1 libffi8 libgcc-s1 liblzma5 libncursesw6 libnsl2 libpython3.11-minimal
    libpython3.11-stdlib libreadline8 libsqlite3-0 libssl3 libstdc++6 libtinfo6 libtirpc3 libuuid1 python3.11-minimal zlib1g)

if [ ! -e "$folder/root/usr/bin/python3.11" ]; then
    mkdir -p "$folder/packages" "$folder/root"
    (cd "$folder/packages" && apt-get download -qq -o APT::Sandbox::User=root "${packages[@]/%/:arm64}")
    for package in "$folder"/packages/*.deb; do
        dpkg -x "$package" "$folder/root"
    done
fi
rm -rf "$folder/site"
"$pip" install --quiet --disable-pip-version-check --target "$folder/site" --only-binary :all: --python-version 3.11 \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64 \
    --platform linux_aarch64 "$@"

# With its own name as argv[0], so that sys.executable is this script and children are started by it too.
cat >"$folder/python" <<END
#!/bin/sh
exec env OPENBLAS_NUM_THREADS=1 PYTHONHOME="$folder/root/usr" PYTHONPATH="$folder/site\${PYTHONPATH:+:\$PYTHONPATH}" \\
    qemu-aarch64 -0 "$folder/python" -L "$folder/root" "$folder/root/usr/bin/python3.11" "\$@"
END
chmod +x "$folder/python"

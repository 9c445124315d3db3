"""A virtual machine whose kernel has a test camera (vivid), with this machine's files read-only inside: QEMU."""

from __future__ import annotations

import gzip
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "netfs",
    "fscache",
    "9pnet",
    "9p",
    "9pnet_virtio",
)  # in the order in which they are loaded
COMMANDS = ("qemu-system-x86_64", "cpio", "dpkg", "apt-get")
BUSYBOX = Path("/bin/busybox")
DEPMOD = Path("/sbin/depmod")

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
for f in {modules}; do insmod /m/$f.ko; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /mnt || poweroff -f
for f in proc sys dev; do mount --bind /$f /mnt/$f; done
mkdir -p /dev/shm /dev/pts
mount -t tmpfs t /mnt/run; mount -t tmpfs t /dev/shm; mount -t devpts p /dev/pts
chroot /mnt /bin/bash -c {script}
echo "GUEST ENDED $?"
poweroff -f
"""


@dataclass(frozen=True)
class Kernel:
    """A kernel of Debian's, unpacked and not installed."""

    folder: Path
    version: str

    @property
    def image(self) -> Path:
        return self.folder / "boot" / f"vmlinuz-{self.version}"

    @property
    def modules(self) -> Path:
        return self.folder / "lib" / "modules" / self.version


def missing() -> list[str]:
    """Name what is not installed; scripts/system-packages soak installs it."""
    there = {command: shutil.which(command) is not None for command in COMMANDS}
    there |= {str(file): file.exists() for file in (BUSYBOX, DEPMOD)}
    return [name for name, found in there.items() if not found]


def fetch_kernel(folder: Path) -> Kernel:
    """Download and unpack the distribution's kernel (70 MB)."""
    depends = run(["apt-cache", "depends", "linux-image-amd64"], folder)
    package = next(word for word in depends.split() if word.startswith("linux-image-") and word != "linux-image-amd64")
    run(["apt-get", "download", package], folder)
    (archive,) = folder.glob("linux-image-*.deb")
    run(["dpkg", "-x", str(archive), "x"], folder)
    archive.unlink()
    version = package.removeprefix("linux-image-")
    run([str(DEPMOD), "-b", str(folder / "x"), version], folder)
    return Kernel(folder / "x", version)


def boot(kernel: Kernel, folder: Path, script: str, timeout_s: float) -> str:
    """Run a shell script in the machine, as root with this machine's root folder read-only; return its console."""
    initrd = _initrd(kernel, folder, script)
    command = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "2048", "-smp", "2"),
        *("-kernel", str(kernel.image), "-initrd", str(initrd), "-append", "console=ttyS0 quiet panic=-1"),
        *("-nographic", "-no-reboot", "-nic", "none"),
        *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s
    )
    return done.stdout.decode("utf-8", "replace")


def _initrd(kernel: Kernel, folder: Path, script: str) -> Path:
    root = folder / "root"
    for name in ("bin", "m", "proc", "sys", "dev", "mnt"):
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    for module in MODULES:
        (found,) = kernel.modules.rglob(f"{module}.ko")
        shutil.copy(found, root / "m")
    init = root / "init"
    init.write_text(INIT.format(modules=" ".join(MODULES), script=shlex.quote(script)))
    init.chmod(0o755)
    names = "\n".join(str(file.relative_to(root)) for file in sorted(root.rglob("*")))
    packed = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), capture_output=True, check=True
    )
    initrd = folder / "initrd.gz"
    initrd.write_bytes(gzip.compress(packed.stdout, 1))
    return initrd


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout

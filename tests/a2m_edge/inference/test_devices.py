"""The driver's answers, from libraries compiled to give them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from a2m_edge.errors import DeviceError
from a2m_edge.inference.devices import find_gpu

COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")

DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int number) { *device = 40 + number; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "Test GPU", size); return device != 40; }
int cuDeviceGetUuid(char *uuid, int device) { memset(uuid, 0xab, 16); return device != 40; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 8 : attribute == 76 ? 9 : -1; return device != 40;
}
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuGetErrorName(int error, const char **name) { *name = "CUDA_ERROR_X"; return error != 7; }
"""


def driver(folder: Path, code: str = DRIVER, init: int = 0, count: int = 1) -> str:
    source, library = folder / "driver.c", folder / "driver.so"
    source.write_text(code)
    command = [str(COMPILER), "-shared", "-fPIC", f"-DINIT={init}", f"-DCOUNT={count}", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    return str(library)


def test_no_driver_is_said_with_what_the_loader_says():
    with pytest.raises(DeviceError, match=r"no NVIDIA driver on this machine \(libnothing\.so\.1: cannot open"):
        find_gpu("libnothing.so.1")


def test_a_library_that_is_no_driver(tmp_path):
    broken = tmp_path / "libcuda.so.1"
    broken.write_bytes(b"not a library")
    with pytest.raises(DeviceError, match="no NVIDIA driver"):
        find_gpu(str(broken))
    with pytest.raises(DeviceError, match="does not know cuInit"):
        find_gpu("libc.so.6")


@needs_compiler
def test_what_the_driver_says_of_its_first_gpu(tmp_path):
    gpu = find_gpu(driver(tmp_path))
    assert (gpu.name, gpu.capability, gpu.uuid, gpu.cuda) == ("Test GPU", "8.9", "ab" * 16, "12.8")


@needs_compiler
@pytest.mark.parametrize(
    ("init", "words"),
    [
        (100, r"answers 100.*plugged in.*CUDA_VISIBLE_DEVICES"),
        (803, r"answers 803.*restart the computer"),
        (304, r"answers 304.*/dev/nvidia"),
        (999, r"answers 999, an error it does not name.*nvidia-smi"),
        (7, r"answers 7, CUDA_ERROR_X"),
    ],
)
def test_a_driver_that_does_not_work_is_told_with_its_number_and_a_remedy(tmp_path, init, words):
    with pytest.raises(DeviceError, match=words):
        find_gpu(driver(tmp_path, init=init))


@needs_compiler
def test_a_driver_without_a_gpu(tmp_path):
    with pytest.raises(DeviceError, match="sees no GPU"):
        find_gpu(driver(tmp_path, count=0))

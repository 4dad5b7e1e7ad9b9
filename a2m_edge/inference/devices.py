"""The GPU of this machine, asked of its driver: no other library is needed to know what is there, or why nothing is."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from a2m_edge.errors import DeviceError

DEVICES = ("auto", "cpu", "cuda", "tensorrt")
"""What ``--device`` takes; ``"auto"`` takes a GPU when there is one and says what it took."""

_DRIVER = "libcuda.so.1"
"""The library that NVIDIA's driver installs, and nothing else does."""

# Numbers of the CUDA driver API: https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
_REMEDIES = {
    100: "check that the GPU is plugged in, shown by nvidia-smi and not hidden by CUDA_VISIBLE_DEVICES",
    304: "check that this user may open /dev/nvidia*",
    803: "restart the computer, since its driver was updated while it ran",
}
_OTHER_REMEDY = "run nvidia-smi, and install the driver again if it fails too"


@dataclass(frozen=True)
class Gpu:
    """The first GPU that CUDA shows to this process.

    Attributes:
        name: for example ``"NVIDIA GeForce RTX 4090"``.
        capability: its compute capability, for example ``"8.9"``.
        uuid: 32 hexadecimal digits that no other GPU has.
        cuda: the newest version of CUDA that the driver can run, for example ``"13.0"``.
    """

    name: str
    capability: str
    uuid: str
    cuda: str


def find_gpu(driver: str = _DRIVER) -> Gpu:
    """Asks the driver for the first GPU.

    Args:
        driver: name or path of the driver's library.

    Raises:
        DeviceError: no driver is installed, it does not work, or it sees no GPU.
    """
    try:
        library = ctypes.CDLL(driver)
    except OSError as error:
        raise DeviceError(
            f"there is no NVIDIA driver on this machine ({error}): install it, or use --device cpu"
        ) from error
    _ask(library, "cuInit", ctypes.c_uint(0))
    count, device = ctypes.c_int(), ctypes.c_int()
    _ask(library, "cuDeviceGetCount", ctypes.byref(count))
    if count.value < 1:
        raise DeviceError(f"the NVIDIA driver sees no GPU: {_REMEDIES[100]}, or use --device cpu")
    _ask(library, "cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
    name, uuid = ctypes.create_string_buffer(256), ctypes.create_string_buffer(16)
    _ask(library, "cuDeviceGetName", name, ctypes.c_int(len(name)), device)
    _ask(library, "cuDeviceGetUuid", uuid, device)
    numbers = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        number = ctypes.c_int()
        _ask(library, "cuDeviceGetAttribute", ctypes.byref(number), ctypes.c_int(attribute), device)
        numbers.append(str(number.value))
    version = ctypes.c_int()
    _ask(library, "cuDriverGetVersion", ctypes.byref(version))
    cuda = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return Gpu(name.value.decode(errors="replace"), ".".join(numbers), uuid.raw.hex(), cuda)


def _ask(library: ctypes.CDLL, function: str, *arguments: object) -> None:
    try:
        status: int = getattr(library, function)(*arguments)
    except AttributeError as error:
        raise DeviceError(
            f"the NVIDIA driver does not know {function}: install a newer one, or use --device cpu"
        ) from error
    if status == 0:
        return
    text = ctypes.c_char_p()
    known = library.cuGetErrorName(ctypes.c_int(status), ctypes.byref(text)) == 0 and text.value is not None
    name = text.value.decode() if known and text.value else "an error it does not name"
    raise DeviceError(
        f"the NVIDIA driver does not work ({function} answers {status}, {name}): "
        f"{_REMEDIES.get(status, _OTHER_REMEDY)}, or use --device cpu"
    )

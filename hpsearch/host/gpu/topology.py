"""How the GPUs of this machine are linked to each other, as NVML tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

SAME_ISLAND, SAME_BRIDGE, SAME_NODE = 3, 2, 1
"""How closely two GPUs are linked: by NVLink, below one bridge of the PCI bus, on one NUMA node."""

_MOST_LINKS = 36

# Values of nvmlGpuTopologyLevel_t and nvmlIntNvLinkDeviceType_t, which are part of the library's stable interface.
_HOST_BRIDGE, _NODE = 30, 40
_SWITCH = 2


def groups_of(nvml: Any, handles: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """For each GPU the groups it is in, from the largest to that in which GPUs are linked most closely.

    What the driver does not tell links nothing.

    Args:
        nvml: The module pynvml.
        handles: Name of a GPU to its handle.
    """
    links = {name: _links(nvml, handle) for name, handle in handles.items()}
    places = {name: _place(nvml, handle) for name, handle in handles.items()}
    closeness = {
        (one, other): _closeness(nvml, handles, links, places, one, other) for one, other in combinations(handles, 2)
    }
    levels = [_components(handles, closeness, least) for least in (SAME_NODE, SAME_BRIDGE, SAME_ISLAND)]
    return {name: tuple(level[name] for level in levels) for name in handles}


def _closeness(
    nvml: Any,
    handles: Mapping[str, Any],
    links: Mapping[str, frozenset[object]],
    places: Mapping[str, object],
    one: str,
    other: str,
) -> int:
    is_linked = _SWITCH in links[one] & links[other] or places[other] in links[one] or places[one] in links[other]
    if is_linked:
        return SAME_ISLAND
    level = _asked(nvml, 'nvmlDeviceGetTopologyCommonAncestor', handles[one], handles[other])
    if level is None or level > _NODE:
        return 0
    return SAME_BRIDGE if level <= _HOST_BRIDGE else SAME_NODE


def _links(nvml: Any, handle: Any) -> frozenset[object]:
    """Where NVLinks of a GPU lead: places on the PCI bus, or ``_SWITCH`` for the switches that link all to all."""
    return frozenset(_remote(nvml, handle, link) for link in _active_links(nvml, handle))


def _active_links(nvml: Any, handle: Any) -> Iterator[int]:
    for link in range(_MOST_LINKS):
        state = _asked(nvml, 'nvmlDeviceGetNvLinkState', handle, link)
        if state is None:
            return
        if state:
            yield link


def _remote(nvml: Any, handle: Any, link: int) -> object:
    if _asked(nvml, 'nvmlDeviceGetNvLinkRemoteDeviceType', handle, link) == _SWITCH:
        return _SWITCH
    return _where(_asked(nvml, 'nvmlDeviceGetNvLinkRemotePciInfo', handle, link))


def _place(nvml: Any, handle: Any) -> object:
    """Where a GPU is on the PCI bus; something that is nowhere else, if that is not known."""
    return _where(_asked(nvml, 'nvmlDeviceGetPciInfo', handle)) or object()


def _where(info: Any) -> tuple[int, int, int] | None:
    return None if info is None else (int(info.domain), int(info.bus), int(info.device))


def _asked(nvml: Any, name: str, *arguments: Any) -> Any:
    """What a function of NVML returns; None where the device, the driver or pynvml does not have it."""
    try:
        return getattr(nvml, name)(*arguments)
    except (AttributeError, nvml.NVMLError):
        return None


def _components(names: Mapping[str, Any], closeness: Mapping[tuple[str, str], int], least: int) -> dict[str, str]:
    """Each GPU to the first of those that are linked with it so closely, directly or through others."""
    first = {name: name for name in names}
    for (one, other), found in closeness.items():
        if found >= least:
            kept, gone = first[one], first[other]
            first = {name: kept if group == gone else group for name, group in first.items()}
    return first

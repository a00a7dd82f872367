"""Where attempts run: the nodes of a cluster, and GPUs; what may be to blame for how they end."""

from __future__ import annotations


def host_of(writer: str) -> str:
    """The host of a writer, as far as its name says it."""
    parts = writer.split('_')
    return parts[1] if len(parts) == 4 else writer


def gpu_place(writer: str, gpu: str, node: str = '') -> str:
    """The place that a GPU is; no node has such a name.

    Args:
        writer: Who gives it to runs. On its host it is the same for all writers.
        gpu: Its name.
        node: The node of a cluster it is on: in each job there, GPUs may have numbers of their own. Empty: none.
    """
    return f'GPU {gpu} on {node}, {writer}' if node else f'GPU {gpu} on {host_of(writer)}'


def is_gpu(place: str) -> bool:
    """Whether a place is a GPU; otherwise it is a node of a cluster."""
    return place.startswith('GPU ')


def kind_of(place: str) -> str:
    """What a place can be compared with: nodes with nodes, GPUs of hosts with each other, those of a job likewise."""
    return (place.partition(', ')[2] or 'GPU') if is_gpu(place) else ''


def place_in_words(place: str) -> str:
    """The name of a place for people."""
    return place.partition(', ')[0]

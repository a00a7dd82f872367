"""Where attempts execute: on this machine or in the queue of a cluster, behind the protocols of ``base``."""

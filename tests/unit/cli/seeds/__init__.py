"""Tests of ``hpsearch seeds``."""

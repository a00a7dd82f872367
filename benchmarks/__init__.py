"""Measurements of hpsearch against baselines of the same machine and the same minute; nothing here passes or fails."""

"""Configurations of other programs: each module turns those of one program into the attributes of ours."""

"""Measurements: yocto and others at the same work, on the same machine, in the same run."""

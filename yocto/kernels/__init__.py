"""The Numba kernels: arrays in, arrays out, no classes, no files.

Each module is compiled, or read from the cache, when it is first imported: see compiler.py. Nothing
imports one before there is enough work to pay for that.
"""

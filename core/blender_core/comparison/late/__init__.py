"""Late comparison: each answer is read once beside its question, then readings are compared.

A cross-encoder reads every pair anew, N(N - 1) passes for N answers. Here the encoder makes N
passes, and what meets in a pair is small: two readings, and the words of both as seen from there.
"""

"""What an answer is worth beside its question, read once and by itself.

A frozen sentence encoder reads question and answer apart; figures of style and signs that something
is wrong join in, and a small head makes a number of it. Two answers compare by their difference:
N passes for N answers, and order cannot matter.
"""

"""Records of questions, answers and judgements: their shape, their files, and what is in them."""

from __future__ import annotations

from blender_core.data.comparisons import cmp_results_of, comparison_matrix, comparisons, gpt_ranks
from blender_core.data.files import Fault, read_records, write_records
from blender_core.data.formats import read_record
from blender_core.data.records import Answer, Judgement, Record

__all__ = [
    "Answer",
    "Fault",
    "Judgement",
    "Record",
    "cmp_results_of",
    "comparison_matrix",
    "comparisons",
    "gpt_ranks",
    "read_record",
    "read_records",
    "write_records",
]

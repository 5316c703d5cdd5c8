"""No local model at all: chat models answer, one of them judges, one fuses.

python examples/langchain/judge.py openai:gpt-4o-mini openai:gpt-4o
"""

import sys

from blender_core import PairRanker
from langchain_blender import BlendedChatModel, ChatComparator

models = sys.argv[1:]
judge = ChatComparator(models[-1], timeout=60)
blend = BlendedChatModel(
    members=models,
    ranker=PairRanker(judge, schedule="bubble"),  # a call for every comparison: few are better
    fuser=models[-1],
    timeout=60,
)
answer = blend.invoke("Name three uses of a paper clip, the best first.")
print(answer.text)
print(answer.response_metadata["blend"]["verdict"])
print(answer.usage_metadata)

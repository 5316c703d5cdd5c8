"""What happened: who was compared, what it cost, and the tree of runs.

    python examples/langchain/observe.py openai:gpt-4o-mini openai:gpt-4o

With ``LANGSMITH_TRACING=true`` the same tree appears in LangSmith.
"""

import json
import sys

from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.tracers import ConsoleCallbackHandler

from langchain_blender import BlendedChatModel

blend = BlendedChatModel(members=sys.argv[1:], timeout=60)
usage = UsageMetadataCallbackHandler()
answer = blend.invoke("Why do cats purr?", config={"callbacks": [usage, ConsoleCallbackHandler()]})
print(json.dumps(answer.response_metadata["blend"], indent=2))
print(usage.usage_metadata)

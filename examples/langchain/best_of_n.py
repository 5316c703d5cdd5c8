"""Best of n: one model, asked five times.

python examples/langchain/best_of_n.py openai:gpt-4o-mini
"""

import sys

from langchain.chat_models import init_chat_model

from langchain_blender import BlendedChatModel

model = init_chat_model(sys.argv[1], temperature=1.0)  # answers that differ are what it is about
blend = BlendedChatModel(members=[model], n=5, timeout=60)
answer = blend.invoke("What is 17 * 23? Think, then give the result.")
print(answer.text)
print(answer.response_metadata["blend"]["scores"])

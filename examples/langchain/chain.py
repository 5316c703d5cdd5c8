"""A chain whose model is several models: prompt | BlendedLLM | parser.

    python examples/langchain/chain.py openai:gpt-4o-mini openai:gpt-4o

Needs the extra ``agents`` (for names of models) and the provider's package.
"""

import sys

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from langchain_blender import BlendedLLM

models = sys.argv[1:]
prompt = ChatPromptTemplate.from_template("Explain {topic} to a child, in two sentences.")
chain = prompt | BlendedLLM(members=models, timeout=60) | StrOutputParser()
print(chain.invoke({"topic": "why the sky is blue"}))

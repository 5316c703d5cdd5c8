"""An agent whose every step is decided by several models, with a tool.

    python examples/langchain/agent.py openai:gpt-4o-mini openai:gpt-4o

Needs the extra ``agents`` and the provider's package. The same with a middleware, around an agent
that has a model already: ``create_agent(model, tools, middleware=[BlendMiddleware(members=...)])``.
"""

import sys

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from langchain_blender import BlendedChatModel


def weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}, 22 degrees."


agent = create_agent(BlendedChatModel(members=sys.argv[1:], timeout=60), tools=[weather])
done = agent.invoke({"messages": [HumanMessage("What is the weather in Rome?")]})
for message in done["messages"]:
    message.pretty_print()

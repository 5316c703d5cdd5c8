"""What tests of the LangChain classes share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from langchain_openai import ChatOpenAI


@pytest.fixture
async def client(port: str) -> AsyncIterator[Callable[..., ChatOpenAI]]:
    """From a behaviour and a model's name to LangChain's client of the server."""
    with httpx.Client() as http_client:
        async with httpx.AsyncClient() as http_async_client:

            def make(behaviour: str = "fine", model: str = "gpt", **options: object) -> ChatOpenAI:
                settings = {
                    "base_url": f"http://127.0.0.1:{port}/{behaviour}/v1",
                    "api_key": "none",
                    "max_retries": 0,
                    "stream_usage": True,
                    "http_client": http_client,
                    "http_async_client": http_async_client,
                    **options,
                }
                return ChatOpenAI(model=model, **settings)

            yield make

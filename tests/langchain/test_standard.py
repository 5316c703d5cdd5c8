"""LangChain's own suites, on a blend of three models that call tools, stream and report usage."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests, ToolsIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests, ToolsUnitTests
from talking_models import Talker

from blender_core import ConsensusRanker
from langchain_blender import BlendedChatModel, PickBestAnswer

ONE_RUN = "asserts that exactly one chat model ran under the caller's callbacks; a blend runs four"


class Blended:
    """What both suites are told of the model."""

    @property
    def chat_model_class(self) -> type[BlendedChatModel]:
        return BlendedChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "members": [Talker(model_name=name) for name in ("one", "two", "three")],
            "ranker": ConsensusRanker(),
        }

    @property
    def returns_usage_metadata(self) -> bool:
        # The suite then also wants `model_name`: a counter of usage would take the sum for that
        # model's. Our own test of usage is in test_chat_model.py.
        return False


WARNS = pytest.mark.filterwarnings("ignore:BlendedChatModel ignores it")
"""The suites give every model settings that are those of its members here."""


@WARNS
class TestUnit(Blended, ChatModelUnitTests):
    pass


@WARNS
class TestIntegration(Blended, ChatModelIntegrationTests):
    @pytest.mark.xfail(strict=True, reason=ONE_RUN)
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    def test_structured_output(self, model, schema_type):
        super().test_structured_output(model, schema_type)

    @pytest.mark.xfail(strict=True, reason=ONE_RUN)
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    async def test_structured_output_async(self, model, schema_type):
        await super().test_structured_output_async(model, schema_type)


class Picking:
    @property
    def tool_constructor(self) -> type[PickBestAnswer]:
        return PickBestAnswer

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"ranker": ConsensusRanker()}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"question": "2 + 2?", "answers": ["5", "It is 4.", "I say it is 4."]}


class TestToolUnit(Picking, ToolsUnitTests):
    pass


class TestToolIntegration(Picking, ToolsIntegrationTests):
    pass

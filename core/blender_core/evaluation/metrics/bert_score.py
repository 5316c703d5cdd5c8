"""BERTScore (Zhang et al. 2020) by the package bert-score."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.errors import CheckpointError, InputError, MissingExtraError, message_of
from blender_core.evaluation.metrics.metric import TextPair
from blender_core.evaluation.metrics.settings import ModelSettings
from blender_core.models.tokenizer import well_formed

__all__ = ["BertScore"]


class BertScore:
    """F1 of BERTScore times 100, without idf weights and without rescaling, as in LLM-Blender.

    A blank candidate scores 0, as the package has it. (With transformers 5 the package itself
    fails on one, and on a tokenizer that names no largest length; both never reach it.)

    Args:
        settings: ``model`` is a hub id or folder; ``layer`` is the layer whose vectors are
            compared, None the one that the package recommends for a model of that name.

    Raises:
        MissingExtraError: bert-score is not installed.
        InputError: the package recommends no layer for this model, or the model has fewer.
        CheckpointError: there is no such model, or it is broken.
    """

    def __init__(self, settings: ModelSettings) -> None:
        try:
            from bert_score import BERTScorer
            from bert_score.utils import model2layers
        except ImportError as error:
            raise MissingExtraError("the metric 'bertscore'", "eval") from error

        from blender_core.models.clean_copy import clean_copy
        from blender_core.models.configs import transformers_config
        from blender_core.models.devices import pick_device
        from blender_core.models.files import read_json, resolve

        name = settings.model
        folder = resolve(name, local_files_only=settings.local_files_only)
        layer = settings.layer
        if layer is None:
            known = (name, name.rpartition("/")[2], folder.name)
            layer = next((model2layers[one] for one in known if one in model2layers), None)
        if layer is None:
            raise InputError(
                f"bert-score recommends no layer for {name!r}: say which with --bertscore-layer"
            )
        self._batch_size = settings.batch_size
        config = transformers_config(read_json(folder / "config.json"), folder)
        layers = int(getattr(config, "num_hidden_layers", layer))
        if not 1 <= layer <= layers:
            raise InputError(f"{name}: there is no layer {layer}, the model has {layers}")
        try:
            with clean_copy(folder, config, weights=True) as copy:
                self._scorer: Any = BERTScorer(
                    model_type=str(copy),
                    num_layers=layer,
                    device=str(pick_device(settings.device)),
                    use_fast_tokenizer=True,
                )
        except Exception as error:  # transformers raises all kinds for files that are broken
            raise CheckpointError(
                f"{name}: not usable for BERTScore: {message_of(error)}"
            ) from error
        tokenizer = self._scorer._tokenizer  # noqa: SLF001  (the package has no other way in)
        # RoBERTa's positions start behind the padding token's id.
        positions = int(getattr(config, "max_position_embeddings", 512))
        if str(config.model_type) in ("roberta", "xlm-roberta", "camembert"):
            positions -= int(config.pad_token_id) + 1
        if positions > 0:
            tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
        # "[SEP]" in an answer is brackets and letters.
        tokenizer.split_special_tokens = True
        # It says "longer than the maximum" for texts that are cut as they should be.
        logging.getLogger("transformers.tokenization_utils_base").setLevel(logging.ERROR)

    def scores(self, pairs: Sequence[TextPair]) -> NDArray[np.float64]:
        """Score pairs in batches."""
        result = np.zeros(len(pairs), dtype=np.float64)
        told = [place for place, (candidate, _) in enumerate(pairs) if candidate.strip()]
        if told:
            f1 = self._scorer.score(
                [well_formed(pairs[place][0]) for place in told],
                [well_formed(pairs[place][1]) for place in told],
                batch_size=self._batch_size,
            )[2]
            result[told] = 100.0 * f1.numpy().astype(np.float64)
        return result

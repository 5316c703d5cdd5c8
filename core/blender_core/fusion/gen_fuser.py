"""GenFuser: a sequence-to-sequence model that writes one answer from several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from typing import TYPE_CHECKING, Any

from blender_core.candidates import Answers, Task
from blender_core.checks import positive
from blender_core.conversations import Asked
from blender_core.errors import CheckpointError, InputError, message_of
from blender_core.fusion.checkpoint import load_model, load_tokenizer
from blender_core.fusion.fuser import Fuser
from blender_core.fusion.prompt import FusionPrompt, tidied
from blender_core.fusion.streaming import streamed
from blender_core.models.files import resolve
from blender_core.models.tokenizer import TextTokenizer
from blender_core.progress import bars_drawn, progress_bar

if TYPE_CHECKING:
    import torch

__all__ = ["GenFuser"]

_CALLABLE_OPTIONS = {"logits_processor", "prefix_allowed_tokens_fn", "stopping_criteria"}
"""What `generate` takes beside the fields of its configuration. (It takes more, such as code to
run in its place; that is not for a fuser's caller.)"""


class GenFuser(Fuser):
    """Fuses answers with a sequence-to-sequence model (arXiv 2306.02561, section 4).

    Load one with `from_pretrained`. All methods that generate take generation options, the words
    of transformers' ``GenerationConfig`` (``num_beams``, ``max_new_tokens``, ``do_sample``, ...),
    and ``candidate_max_length`` for this call. The defaults are LLM-Blender's: 4 beams, and as
    many new tokens as an answer may have. What is sampled (``do_sample=True``) follows
    ``torch.manual_seed``.

    Args:
        model: any of transformers' sequence-to-sequence models, on its device.
        tokenizer: of the same checkpoint.
        max_length: tokens of a prompt; what is longer loses its right end.
        candidate_max_length: tokens of an answer in the prompt; a longer one is cut.
        batch_size: prompts generated from together.

    Raises:
        InputError: a limit is not usable with this model.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: TextTokenizer,
        *,
        max_length: int = 1024,
        candidate_max_length: int = 128,
        batch_size: int = 4,
    ) -> None:
        positions = getattr(model.config, "max_position_embeddings", None)
        if positions is not None and positive("max_length", max_length) > positions:
            raise InputError(
                f"the model reads at most {positions} tokens, 'max_length' is {max_length}: "
                f"load it with max_length={positions}"
            )
        self.model = model
        self.candidate_max_length = positive("candidate_max_length", candidate_max_length)
        self.batch_size = positive("batch_size", batch_size)
        self.tokenizer = tokenizer
        self._prompt = FusionPrompt(tokenizer, positive("max_length", max_length))

    @classmethod
    def from_pretrained(
        cls,
        model: str | PathLike[str],
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        revision: str | None = None,
        cache_folder: str | PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        max_length: int = 1024,
        candidate_max_length: int = 128,
        batch_size: int = 4,
    ) -> GenFuser:
        """Load a checkpoint such as ``llm-blender/gen_fuser_3b`` from a hub id or a folder.

        Args:
            model: hub id or folder.
            device: where to compute; None takes an accelerator if there is one.
            dtype: of the weights, as ``"bfloat16"`` or ``torch.bfloat16``; None is float32 on a
                CPU and bfloat16 (float16 where that is missing) on an accelerator.
            revision: branch, tag or commit on the hub.
            cache_folder: where downloads are kept.
            local_files_only: never use the network.
            token: for private repositories.
            max_length: tokens of a prompt; what is longer loses its right end.
            candidate_max_length: tokens of an answer in the prompt; a longer one is cut.
            batch_size: prompts generated from together.

        Raises:
            CheckpointError: the folder is no sequence-to-sequence checkpoint, a file is broken,
                or weights are missing or left over.
            InputError: device, dtype or a limit is not usable.
        """
        from blender_core.models.devices import pick_device, pick_dtype

        place = pick_device(device)
        precision = pick_dtype(dtype, place)
        folder = resolve(
            model,
            revision=revision,
            cache_folder=cache_folder,
            local_files_only=local_files_only,
            token=token,
        )
        loaded = load_model(folder, precision)
        tokenizer = load_tokenizer(folder)
        rows = loaded.get_input_embeddings().num_embeddings
        if (largest := max(tokenizer.full.get_vocab().values())) >= rows:
            raise CheckpointError(
                f"{folder}: the tokenizer has ids up to {largest}, the model only {rows} "
                "embeddings; they are not of the same checkpoint"
            )
        return cls(
            loaded.to(place).eval(),
            tokenizer,
            max_length=max_length,
            candidate_max_length=candidate_max_length,
            batch_size=batch_size,
        )

    def fuse(
        self,
        instruction: Asked,
        candidates: Answers,
        *,
        input: str = "",
        **generation: Any,
    ) -> str:
        """Fuse answers to one question, given best first; see `fuse_many`."""
        return self.fuse_many([Task(instruction, candidates, input)], **generation)[0]

    def fuse_many(
        self, tasks: Sequence[Task], *, show_progress: bool = False, **generation: Any
    ) -> list[str]:
        """Fuse the candidates of each task, given best first, into one text a task.

        Args:
            tasks: each may have its own number of candidates.
            show_progress: whether to draw a bar on stderr.
            **generation: see the class.

        Raises:
            InputError: a task is none or has too many candidates, or a generation option is
                unknown or has an impossible value.
        """
        with bars_drawn(show_progress):
            return [self._text(row) for row in self.generate_ids(tasks, **generation)]

    def stream(
        self,
        instruction: Asked,
        candidates: Answers,
        *,
        input: str = "",
        **generation: Any,
    ) -> Iterator[str]:
        """Yield the fused text in pieces while it is written.

        The pieces together are what ``fuse(..., num_beams=1)`` returns. Generating stops when the
        iterator is closed or dropped; its errors are raised here.

        Raises:
            InputError: as `fuse_many`, and for more than one beam, as the best of several texts
                is known only at their end.
        """
        answer_length, options = self._options({"num_beams": 1, **generation})
        if options["num_beams"] != 1:
            raise InputError(
                f"streaming writes one text at a time, 'num_beams' is {options['num_beams']}: "
                "leave it out, or use fuse"
            )
        rows = self._prompt.ids([Task(instruction, candidates, input)], answer_length)
        return streamed(
            lambda streamer: self._generate(rows, {**options, "streamer": streamer})[0], self._text
        )

    def prompt_text(self, task: Task, *, candidate_max_length: int | None = None) -> str:
        """What the model reads for a task, before it is cut at `max_length`."""
        length = self._answer_length(candidate_max_length)
        return "".join(map(str, self._prompt.segments([task], length)[0]))

    def prompt_ids(self, task: Task, *, candidate_max_length: int | None = None) -> list[int]:
        """The token ids that the model reads for a task."""
        return self._prompt.ids([task], self._answer_length(candidate_max_length))[0]

    def generate_ids(self, tasks: Sequence[Task], **generation: Any) -> list[list[int]]:
        """Like `fuse_many`, as token ids: with the decoder's start token, without padding."""
        answer_length, options = self._options(generation)
        for place, task in enumerate(tasks):
            if not isinstance(task, Task):
                raise InputError(f"task {place} must be a Task, got {type(task).__name__}")
        prompts = self._prompt.ids(tasks, answer_length)
        # Longest first: running out of memory shows at once.
        order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
        written: dict[int, list[int]] = {}
        with progress_bar(total=len(tasks), unit="text", title="fusing") as progress:
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                rows = self._generate([prompts[place] for place in batch], options)
                written.update(zip(batch, rows, strict=True))
                progress.update(len(batch))
        return [written[place] for place in range(len(tasks))]

    def _generate(self, prompts: list[list[int]], options: Mapping[str, Any]) -> list[list[int]]:
        import torch

        pad = self.model.generation_config.pad_token_id or 0
        width = max(map(len, prompts))
        ids = [prompt + [pad] * (width - len(prompt)) for prompt in prompts]
        mask = [[1] * len(prompt) + [0] * (width - len(prompt)) for prompt in prompts]
        device = self.model.device
        try:
            rows: list[list[int]] = self.model.generate(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=torch.tensor(mask, device=device),
                **options,
            ).tolist()
        except (ValueError, TypeError) as error:
            raise InputError(
                f"generating with these options is not possible: {message_of(error)}"
            ) from error
        for row in rows:
            while row and row[-1] == pad:
                row.pop()
        return rows

    def _text(self, ids: Sequence[int]) -> str:
        return tidied(self.tokenizer.full.decode(ids, skip_special_tokens=True))

    def _options(self, generation: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Tokens of an answer, and the options of `generate`, checked."""
        from blender_core.models.transformers_parts import GenerationConfig

        asked = dict(generation)
        answer_length = self._answer_length(asked.pop("candidate_max_length", None))
        options = {"max_new_tokens": answer_length, "num_beams": 4, **asked}
        known = vars(GenerationConfig()).keys()
        for name in asked.keys() - known - _CALLABLE_OPTIONS:
            close = get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InputError(f"unknown generation option {name!r}{hint}")
        if "max_length" in asked:
            raise InputError(
                "'max_length' is the prompt's limit, given when the fuser is loaded; "
                "the length of the fused text is 'max_new_tokens'"
            )
        if asked.get("num_return_sequences", 1) != 1 or asked.get("return_dict_in_generate"):
            raise InputError(
                "a fuser writes one text a task: 'num_return_sequences' and "
                "'return_dict_in_generate' cannot be changed"
            )
        positive("max_new_tokens", options["max_new_tokens"])
        positive("num_beams", options["num_beams"])
        try:
            GenerationConfig(**{k: v for k, v in options.items() if k in known})
        except (ValueError, TypeError) as error:
            raise InputError(
                f"generation options do not go together: {message_of(error)}"
            ) from error
        return answer_length, options

    def _answer_length(self, asked: int | None) -> int:
        return (
            self.candidate_max_length if asked is None else positive("candidate_max_length", asked)
        )

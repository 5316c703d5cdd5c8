"""The parts of transformers and its hub that are used here, imported at one go.

transformers imports a part when its name is first used, and its parts import one another in
circles: threads that use their first names at once find half-made modules. Python has a module
imported by one thread while the others wait for it, so whoever imports this one finds all whole.
Names of transformers are imported from here alone.
"""

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GenerationConfig,
    PreTrainedModel,
    __version__,
)
from transformers.initialization import no_init_weights
from transformers.utils.chat_template_utils import render_jinja_template

__all__ = [
    "CONFIG_MAPPING",
    "MODEL_FOR_CAUSAL_LM_MAPPING",
    "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
    "MODEL_MAPPING",
    "AutoConfig",
    "AutoModel",
    "AutoModelForCausalLM",
    "AutoTokenizer",
    "DynamicCache",
    "GenerationConfig",
    "HFValidationError",
    "HfHubHTTPError",
    "LocalEntryNotFoundError",
    "PreTrainedModel",
    "__version__",
    "no_init_weights",
    "render_jinja_template",
    "snapshot_download",
]

"""What a pair costs: LLM-Blender's four losses, soft targets, and the symmetry of both orders.

All of them take the head's scores of both answers and the answers' targets, float32[batch,
n_tasks] each, and return float32[batch], so that pairs can be weighted; the mean over the batch is
the number LLM-Blender's own program computes. Written so that no logit, however large, overflows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from torch import Tensor
from torch.nn import functional

from blender_core.errors import InputError
from blender_core.training.config import LossName

__all__ = ["LOSSES", "Loss", "symmetry_loss"]

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""From the scores of first and second answer and their targets to the loss of each pair."""


def instructgpt(left: Tensor, right: Tensor, target_left: Tensor, target_right: Tensor) -> Tensor:
    """``-log sigmoid`` of the logit in favour of the better answer.

    A tie costs log 2 whatever the logit is, and teaches nothing (Ouyang et al. 2022, section 3.5).
    """
    better = (target_left - target_right).sign()
    return functional.softplus(-better * (left - right)).mean(dim=-1)


def bce(left: Tensor, right: Tensor, target_left: Tensor, target_right: Tensor) -> Tensor:
    """Each answer's score as the logit that it is the better one (LLM-Blender, section 3.2)."""
    return _two_bce(
        left,
        right,
        (target_left > target_right).to(left.dtype),
        (target_left < target_right).to(left.dtype),
    )


def mse(left: Tensor, right: Tensor, target_left: Tensor, target_right: Tensor) -> Tensor:
    """Scores shall be the targets; the difference of scores that of the targets."""
    apart = (left - target_left).square() + (right - target_right).square()
    together = (left - right) * (target_left - target_right)
    return (apart - 2.0 * together).mean(dim=-1)


def open_instruct_bce(
    left: Tensor, right: Tensor, target_left: Tensor, target_right: Tensor
) -> Tensor:
    """Like `bce`, for targets that say of each answer whether it is good (1) or not (0).

    Raises:
        InputError: a target is neither 0 nor 1, or there are several tasks.
    """
    if left.shape[-1] != 1:
        raise InputError(f"open_instruct_BCE is for one task, there are {left.shape[-1]}")
    for target in (target_left, target_right):
        if not ((target == 0) | (target == 1)).all():
            raise InputError("open_instruct_BCE is for targets that are 0 or 1")
    return _two_bce(left, right, target_left, target_right)


def soft(left: Tensor, right: Tensor, target_left: Tensor, target_right: Tensor) -> Tensor:
    """Cross-entropy with the probability that the first answer is better.

    That is (1 + first target - second target) / 2: with the shares of judges in favour of each
    answer as targets, the share in favour of the first. A tie pulls the logit to 0.
    """
    probability = ((1.0 + target_left - target_right) / 2.0).clamp(0.0, 1.0)
    return functional.binary_cross_entropy_with_logits(
        left - right, probability, reduction="none"
    ).mean(dim=-1)


def symmetry_loss(logits: Tensor, swapped: Tensor) -> Tensor:
    """Squared part of the logits that stays when the answers change places; 0 is ideal.

    Args:
        logits: float32[batch], of the pairs.
        swapped: float32[batch], of the same pairs with the second answer shown first.

    Returns:
        float32[batch].
    """
    return ((logits + swapped) / 2.0).square()


def _two_bce(left: Tensor, right: Tensor, is_left: Tensor, is_right: Tensor) -> Tensor:
    of_left = functional.binary_cross_entropy_with_logits(left, is_left, reduction="none")
    of_right = functional.binary_cross_entropy_with_logits(right, is_right, reduction="none")
    return ((of_left + of_right) / 2.0).mean(dim=-1)


LOSSES: dict[LossName, Loss] = dict(
    zip(get_args(LossName), (soft, instructgpt, bce, mse, open_instruct_bce), strict=True)
)
"""By the names used in configs; the last four are LLM-Blender's."""

from blender_core.evaluation.sense.kinds import KINDS as KINDS
from blender_core.evaluation.sense.kinds import Kind as Kind
from blender_core.evaluation.sense.result import Outcome as Outcome
from blender_core.evaluation.sense.result import Sense as Sense
from blender_core.evaluation.sense.result import Share as Share
from blender_core.evaluation.sense.running import run_sense as run_sense
from blender_core.evaluation.sense.trials import Trial as Trial
from blender_core.evaluation.sense.trials import battery as battery

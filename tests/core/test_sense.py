"""The battery of common sense: that it is sound, and that it measures what it says."""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter, defaultdict

import pytest
from typer.testing import CliRunner

from blender_core import ConsensusRanker, PairRanker
from blender_core.cli import app
from blender_core.errors import ModelOutputError
from blender_core.evaluation.sense import KINDS, Share, battery, run_sense
from blender_core.evaluation.sense.cases import LANGUAGES, cases
from blender_core.evaluation.sense.page import sense_page
from blender_core.evaluation.sense.trials import SETTINGS
from blender_core.evaluation.sense.wordings import wordings
from blender_core.testing import ScriptedComparator

TRIALS = battery()
ONLY = {"wrong fact": {"short"}, "changed names": {"long"}, "ignored length": {"short"}}
WORDED = [
    *("refusal", "ignorance", "look it up", "question back", "promise", "placeholder"),
    *("self-praise", "injected verdict", "open thoughts", "leaked prompt", "dialogue goes on"),
    *("contradiction", "padded", "tool call"),
]
WITHOUT_LANGUAGE = ["error", "empty result", "blank", "code unasked"]
WITHOUT_BLANKS = ("ja", "zh")


def texts(trial):
    good = [trial.task.candidates[place].text for place in sorted(trial.good)]
    bad = [a.text for place, a in enumerate(trial.task.candidates) if place not in trial.good]
    return good, bad


def of(kind, setting="alone"):
    """All trials of a kind in a setting, with a good answer and a spoilt one."""
    found = [(t, *texts(t)) for t in TRIALS if (t.kind, t.setting) == (kind, setting)]
    assert found
    return found


def blocks(text):
    return text.split("```python\n")[1:]


def scripted(worth):
    """The battery's figures of a ranker to which an answer to a question is worth so much."""

    def logit(pair):
        return worth(pair.instruction, pair.first) - worth(pair.instruction, pair.second)

    return run_sense(PairRanker(ScriptedComparator(logit)))


# The battery is sound


def test_it_is_large_enough_to_tell_and_small_enough_to_run():
    assert len(KINDS) >= 28
    assert len(LANGUAGES) >= 8
    assert 2000 < len(TRIALS) <= 3000
    assert {t.kind for t in TRIALS} == set(KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_its_questions(language):
    usual = Counter(case.length for case in cases(language) if case.kind is None)
    least = {"short": 20, "long": 14} if language == "en" else {"short": 6, "long": 3}
    assert all(usual[length] >= count for length, count in least.items())
    ids = [(case.id, case.kind) for case in cases(language)]
    assert len(set(ids)) == len(ids)
    for case in cases(language):
        assert case.question.strip()
        assert all(text.strip() for text in (*case.good, *case.wrong, *case.spoilt))
        if case.kind is None and case.length == "long":
            size = len(case.full) / 2.2 if language in WITHOUT_BLANKS else len(case.full.split())
            assert 80 <= size <= 280, case.id


@pytest.fixture(scope="module")
def consensus():
    return run_sense(ConsensusRanker())


@pytest.mark.parametrize("kind", [*WORDED, *WITHOUT_LANGUAGE])
def test_there_are_many_wordings_and_none_is_said_twice(kind):
    for language in ["en"] if kind in WITHOUT_LANGUAGE else LANGUAGES:
        found = wordings(kind, language)
        assert len(set(found)) == len(found) >= (8 if language == "en" else 3)
    if kind in WORDED:
        every = [text for language in LANGUAGES for text in wordings(kind, language)]
        assert len(set(every)) == len(every)


def test_good_answers_are_among_spoilt_ones_and_never_the_same():
    for trial in TRIALS:
        good, bad = texts(trial)
        assert good, trial
        assert not {*good} & {*bad}, trial
        sizes = {"alone": ([1], [1]), "company": ([1, 2], [1, 2, 3]), "agreeing": ([1, 2], [2])}
        assert len(good) in sizes[trial.setting][0], trial
        assert len(bad) in sizes[trial.setting][1], trial


def test_a_good_answer_stands_at_every_place():
    alone = [min(t.good) for t in TRIALS if t.setting == "alone"]
    assert 0.45 < sum(alone) / len(alone) < 0.55


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_in_every_setting_length_and_language_where_it_applies(kind):
    found = [t for t in TRIALS if t.kind == kind]
    assert {t.setting for t in found} == set(SETTINGS)
    assert {t.length for t in found} == ONLY.get(kind, {"short", "long"})
    assert {t.language for t in found} == {*LANGUAGES} - ({"en"} if kind == "mojibake" else set())


def test_good_code_runs_and_broken_code_does_not():
    good = [case.full for language in LANGUAGES for case in cases(language)]
    codes = [block.split("```")[0] for text in good for block in blocks(text)]
    assert len(codes) >= 5 + 2 * 7
    for code in codes:
        ast.parse(code)
    for setting in SETTINGS:
        for _, _, bad in of("broken code", setting):
            for text in bad:
                with pytest.raises(SyntaxError):
                    ast.parse(blocks(text)[0].split("```")[0])


def test_good_tool_calls_call_a_tool_that_there_is():
    for trial, good, bad in of("tool call", "company"):
        offered = json.loads(next(x for x in trial.task.instruction.splitlines() if x[:1] == "["))
        names = {tool["name"]: tool["parameters"] for tool in offered}
        for text in good:
            said = json.loads(re.sub(r"</?tool_call>", "", text))
            for call in said if isinstance(said, list) else [said]:
                arguments = call.get("arguments", call.get("parameters"))
                assert set(arguments) <= set(names[call["name"]])
        assert not any(text.lstrip()[:1] in "[{" for text in bad)


def test_where_json_was_asked_for_only_the_good_answer_is_json():
    asked = [(good, bad) for t, good, bad in of("ignored format", "company") if "json" in t.case]
    assert len(asked) >= 3 + 7
    for good, bad in asked:
        assert all(isinstance(json.loads(text), dict | list) for text in good)
        for text in bad:
            with pytest.raises(ValueError, match=r"Expecting|Extra"):
                json.loads(text)


def test_counts_that_were_asked_for_are_kept_by_the_good_answers_alone():
    for trial, good, bad in of("ignored count", "company"):
        [count] = {len(text.splitlines()) for text in good}
        assert count not in {len(text.splitlines()) for text in bad}, trial


def test_what_is_too_long_is_far_too_long():
    for trial, good, bad in of("ignored length", "company"):
        assert min(map(len, bad)) > 2.5 * max(map(len, good)), trial


def test_rules_spoil_as_they_say():
    for _, [good], [bad] in of("cut off"):
        assert good.startswith(bad)
        assert len(bad) < 0.9 * len(good)
    for _, [good], [bad] in of("shuffled"):
        assert Counter("".join(good.split())) == Counter("".join(bad.split()))
    for _, [good], [bad] in of("gibberish"):
        assert Counter(good) == Counter(bad)
    for _, [good], [bad] in of("changed numbers"):
        assert re.sub("[0-9]", "0", good) == re.sub("[0-9]", "0", bad)
    for _, [good], [bad] in of("repeated"):
        assert max(Counter(bad.splitlines()).values()) >= 4 or bad.count(good) >= 4
    for _, [good], [bad] in of("padded"):
        assert all(part in bad for part in good.split("\n\n"))
    for _, _, [bad] in of("mojibake"):
        assert "\ufffd" in bad or "?" in bad or re.search("[ÃÂâåæçèéìíëêÐÑ]", bad)
    for trial, [good], [bad] in of("changed names"):
        [case] = [c for c in cases(trial.language) if c.id == trial.case and c.kind is None]
        assert any(other in bad and other not in good for _, other in case.names)
    for _, _, [bad] in of("off topic"):
        assert any(bad == text for lang in LANGUAGES for c in cases(lang) for text in c.good)


# The figures


def test_a_perfect_ranker_gets_everything_right():
    good = defaultdict(set)
    for trial in TRIALS:
        good[trial.task.source].update(texts(trial)[0])
    sense = scripted(lambda question, answer: float(answer in good[question]))
    assert {one.credit for one in sense.outcomes} == {1.0}
    assert (sense.mean(), sense.mean(knowledge=True)) == (1.0, 1.0)
    assert not any(sense.missed(kind) for kind in KINDS)
    assert "Missed" not in sense_page(sense, "perfect")


def test_a_ranker_that_ties_everything_gets_half_of_everything():
    sense = scripted(lambda _, __: 0.0)
    assert {one.credit for one in sense.outcomes} == {0.5}
    assert (sense.mean(), sense.mean(knowledge=True)) == (0.5, 0.5)
    assert sense.mean(language="ja", setting="company", length="long") == 0.5


def test_a_ranker_that_likes_length_gets_what_length_tells():
    sense = scripted(lambda _, answer: float(len(answer)))
    for kind in ("padded", "dialogue goes on", "contradiction", "ignored length"):
        assert sense.share(kind=kind).value == 0.0
    assert sense.share(kind="cut off", setting="alone").value == 1.0
    assert sense.share(kind="gibberish").value == 0.5  # as many letters
    for kind in ("refusal", "blank", "wrong fact"):
        lengths = [(len(good), len(bad)) for _, [good], [bad] in of(kind)]
        by_hand = sum(1.0 if good > bad else 0.5 * (good == bad) for good, bad in lengths)
        assert sense.share(kind=kind, setting="alone").right == by_hand


def test_consensus_is_outvoted_where_spoilt_answers_agree(consensus):
    assert consensus.share(kind="refusal", setting="alone").value == 0.5
    agreeing = consensus.share(kind="wrong fact", setting="agreeing", length="short")
    assert agreeing.value < 0.5


def test_shares_add_up():
    sense = scripted(lambda question, answer: float(hash_of(question, answer)))
    for kind in KINDS:
        whole = sense.share(kind=kind)
        for axis, names in (("setting", SETTINGS), ("language", LANGUAGES)):
            parts = [p for name in names if (p := sense.share(kind=kind, **{axis: name}))]
            assert math.isclose(sum(p.right for p in parts), whole.right)
            assert sum(p.count for p in parts) == whole.count
    value = sense.as_value()
    assert sum(cell["count"] for cell in value["cells"]) == value["trials"] == len(TRIALS)
    assert all(cell["low"] <= cell["value"] <= cell["high"] for cell in value["cells"])
    plain = [one["value"] for one in value["kinds"].values() if not one["knowledge"]]
    assert math.isclose(value["mean"], sum(plain) / len(plain))
    assert sense.share(kind="mojibake", language="en") is None


def hash_of(question, answer):
    return sum(map(ord, question + answer)) % 101


def test_intervals_are_wilsons():
    # 81 of 263: the example of Newcombe (1998), Statistics in Medicine 17, table I.
    assert [round(x, 4) for x in Share(81, 263).interval] == [0.2553, 0.3662]
    assert Share(0, 20).interval[0] == 0.0
    assert Share(20, 20).interval[1] == 1.0


def test_a_ranker_that_forgets_tasks_is_told():
    class Forgetful(ConsensusRanker):
        def rank_many(self, tasks, *, show_progress=False):
            return super().rank_many(list(tasks)[1:])

    with pytest.raises(ModelOutputError, match="one each"):
        run_sense(Forgetful())


# The command


def run(*arguments):
    return CliRunner().invoke(app, ["audit-ranker", *map(str, arguments)])


def test_the_command_writes_table_page_and_json(tmp_path, consensus):
    told, page = tmp_path / "s.json", tmp_path / "s.html"
    done = run("--sense", "--ranker", "consensus", "--json", told, "--html", page)
    assert done.exit_code == 0, done.output
    for kind in KINDS:
        assert kind in done.stdout
    value = json.loads(told.read_text(encoding="utf-8"))
    assert value == {"ranker": "consensus", **consensus.as_value()}  # the same each time
    assert value["kinds"]["refusal"]["count"] == len([t for t in TRIALS if t.kind == "refusal"])
    assert set(value["languages"]) == set(LANGUAGES)
    written = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in written
    assert "<script" not in written
    assert f"{value['mean']:.3f}" in written
    assert f"{value['mean']:.3f}" in done.stdout


def test_the_command_overwrites_nothing(tmp_path):
    precious = tmp_path / "s.json"
    precious.write_text("precious")
    refused = run("--sense", "--ranker", "consensus", "--json", precious)
    assert refused.exit_code == 2
    assert "--force" in refused.output
    assert precious.read_text() == "precious"


def test_the_command_wants_records_or_sense_and_not_both(tmp_path):
    neither = run("--ranker", "consensus")
    assert (neither.exit_code, "give FILE, or --sense" in neither.output) == (2, True)
    both = run(tmp_path / "records.jsonl", "--sense", "--ranker", "consensus")
    assert (both.exit_code, "leave out FILE" in both.output) == (2, True)


def test_the_page_lets_nobody_in(consensus):
    page = sense_page(consensus, "</title><script>alert(1)")
    assert "<script" not in page
    assert "<div>" not in page.partition("Missed")[2].replace('<div class="wide">', "")

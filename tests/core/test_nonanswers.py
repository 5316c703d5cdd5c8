"""What answers nothing is told from what does, in eight languages, by its ends alone."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_core.comparison.nonanswers import BUCKETS, is_nonanswer, nonanswer_logits, runs

NO_ANSWERS = [
    # refusals
    "I'm sorry, but I won't be able to help you with this particular request.",
    "I cannot assist with creating that kind of material.",
    "Sorry, that's not something I'm able to discuss.",
    "As an AI assistant, I'm not able to provide medical diagnoses. Please see a doctor.",
    "I’m afraid I’m unable to comply with that request, as it goes against my policies.",
    "Unfortunately I can't answer this. Is there something else you would like to talk about?",
    "Es tut mir sehr leid, aber bei dieser Anfrage kann ich Ihnen nicht weiterhelfen.",
    "Leider darf ich darüber keine Auskunft geben.",
    "Désolé, mais je ne suis pas en mesure de répondre à cette demande.",
    "Je regrette, je ne peux pas vous donner cette information.",
    "Lo siento mucho, pero no puedo ayudarte con esa solicitud.",
    "Como inteligencia artificial, no puedo responder a esa pregunta.",
    "申し訳ございませんが、そのご依頼にはお応えできません。",
    "죄송하지만 그 요청에는 응할 수 없습니다.",
    "К сожалению, я не могу помочь вам с этой просьбой.",
    "Извините, но я не могу обсуждать эту тему.",
    "很抱歉，我不能满足您的这个请求。",
    "对不起，我无法回答您的问题。",
    # not knowing
    "I don't know the answer to this.",
    "I have no idea, sorry.",
    "Sorry, I don't know.",
    "I'm not sure what the answer is.",
    "The provided documents do not contain any information about the company's founder.",
    "There isn't enough information in the context to answer this question.",
    "I do not have access to your calendar.",
    "Das weiß ich leider nicht.",
    "Ich habe dazu keine Informationen.",
    "Je ne connais pas la réponse.",
    "Je n'ai pas d'informations à ce sujet.",
    "No tengo información sobre eso.",
    "No sé la respuesta.",
    "それについてはわかりません。",
    "그것에 대해서는 모르겠습니다.",
    "Я не знаю ответа.",
    "У меня нет информации об этом.",
    "我不知道答案。",
    "我没有关于这个问题的信息。",
    # nothing but a frame, a promise or an error
    "[Insert your answer here]",
    "[YOUR ANSWER HERE]",
    "TODO: add the answer.",
    "Sure! Here's the answer:",
    "....",
    "n/a",
    '{"results": [], "count": 0}',
    "[ ]",
    "No results were found.",
    "No results found for your query.",
    "Keine Ergebnisse.",
    "Error 503: Service Unavailable",
    "HTTP Error 500: Internal Server Error",
    '{"error": {"code": 429, "message": "Rate limit exceeded"}}',
    "Request timed out.",
    'Traceback (most recent call last):\n  File "run.py", line 7, in <module>\nKeyError: 0',
    "An error occurred. Please try again later.",
    "Let me look into that and get back to you.",
    "One moment please...",
    "Could you please clarify what you mean?",
    "Could you provide more details about your question?",
    "<think>The user wants a poem. I should think of a rhyme first",
    "<think>\nHm.\n</think>\n\n",
]

ANSWERS = [
    # short and right
    *("Canberra.", "42", "No.", "Yes", "B", "(C)", "3.14", "Paris", "None of these.", "1969"),
    *(
        "Nein",
        "Oui.",
        "Sí.",
        "いいえ",
        "네.",
        "Да.",
        "不对。",
        "東京",
        "Moscow",
        "x = 7",
        "O(n log n)",
    ),
    *("Neither of the two.", "Not necessarily.", "False", "positive", "C. Oxygen", "-12 °C"),
    "Mount Everest, 8,849 m.",
    "Nobody won the match.",
    "The answer is (D).",
    "Die Hauptstadt ist Bern.",
    "Le chat dort.",
    "La respuesta correcta es la B.",
    "答案是B。",
    "こたえは12です。",
    "정답은 3번입니다.",
    "Правильный ответ: Волга.",
    # calls and code
    '{"name": "get_weather", "arguments": {"city": "Oslo"}}',
    '{"results": [{"title": "Oslo", "population": 709037}]}',
    "search(query='error message in nginx')",
    "def add(a, b):\n    return a + b",
    "```sql\nSELECT name FROM users;\n```",
    "[1, 2, 3]",
    # words of refusal in an answer
    "I'm sorry to hear that your dog died. Give yourself time to grieve, and talk about him.",
    "Unfortunately, opened software cannot be returned. The maker does replace broken discs.",
    "I'm not a lawyer, but in most countries a tenant has to give three months' notice in writing.",
    "I don't know the exact date, but it was in the spring of 1848, soon after the riots in Paris.",
    "As an AI I have no favourite food, but many people like pizza best: it is easy to share.",
    "It depends on the soil: in clay, water once a week; in sand, every second day.",
    "To say 'I can't help you' in Italian, say 'Non posso aiutarti'.",
    "'Sorry' seems to be the hardest word is a line of a song by Elton John.",
    '"I\'m sorry," whispered Tom. "I can\'t come with you." The train left, and she waved.',
    "A 403 error means that the server understood you and refuses: log in, or ask for access.",
    "The error comes from line 3, where you divide by zero. Check that n is above 0 first.",
    "The function prints 'No results found.' when the list is empty, and otherwise the first name.",
    "There is no evidence for it. The study of 2019 with 12,000 children found no difference.",
    "Dear Ms Lee, I am sorry, but I cannot come to work today, as I have a fever. Best, Jo",
    "Which animal has the longest neck?",
    "Great question! Leaves turn red because chlorophyll breaks down and other pigments show.",
    "Sure! Here is a haiku:\n\nOld pond, a frog leaps\ninto the sound of water,\nthen silence.",
    "Let me think step by step. 17 + 25 = 42, and half of it is 21. The answer is 21.",
    "<think>17 + 25? Easy.</think>It is 42.",
    "Es tut mir leid, das zu hören. Ruhen Sie sich aus und trinken Sie viel, am besten Tee.",
    "Leider ist der Zug schon weg. Der nächste fährt um 14:20 Uhr von Gleis 3.",
    "Désolé pour l'erreur : la bonne réponse est 1789, l'année de la Révolution.",
    "Depende de la temporada: en verano abre a las nueve y en invierno a las diez.",
    "残念ながら、その店は去年閉店しました。近くの「さくら」がおすすめです。",
    "안타깝게도 그 기차는 오늘 운행하지 않습니다. 내일 아침 7시 기차를 타세요.",
    "К сожалению, музей закрыт до мая. Зато рядом есть галерея, она открыта каждый день.",
    "很遗憾，这家店已经关门了。附近还有一家，晚上十点才打烊。",
]


@pytest.mark.parametrize("text", NO_ANSWERS)
def test_no_answer_is_found(text):
    assert is_nonanswer(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_is_left_alone(text):
    assert not is_nonanswer(text)


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b", "\ufeff \u2060"])
def test_nothing_is_no_answer(text):
    assert is_nonanswer(text)


def test_the_same_words_in_front_of_a_long_answer_are_no_refusal():
    refusal = "I'm sorry, but I can't help with that."
    answer = "Whales are mammals, and they breathe air at the surface. " * 30
    alone, before = nonanswer_logits([refusal, f"{refusal} {answer}"])
    assert alone > before


def test_letter_case_width_white_space_and_apostrophes_do_not_count():
    texts = ["I can't  help.", "i CAN’T\nhelp.", "I ｃａｎ't help.", " I can't help. "]
    one, *others = nonanswer_logits(texts)
    assert all(abs(one - other) < 0.2 for other in others)


@given(st.lists(st.text(max_size=500), max_size=6))
def test_a_text_has_the_same_logit_beside_any_others(texts):
    logits = nonanswer_logits(texts)
    assert logits.shape == (len(texts),)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    for text, logit in zip(texts, logits, strict=True):
        assert nonanswer_logits([text])[0] == pytest.approx(logit, abs=1e-5)


@given(st.lists(st.text(min_size=1, max_size=900), min_size=1, max_size=4))
def test_runs_are_in_their_texts_and_buckets(texts):
    found = runs(texts)
    assert found.text.min() >= 0
    assert found.text.max() < len(texts)
    assert found.bucket.min() >= 0
    assert found.bucket.max() < BUCKETS


def test_only_the_ends_are_read():
    head, tail = "So it is. " * 40, " It was so." * 20
    one, other = nonanswer_logits([head + middle * 40 + tail for middle in ("Sorry! ", "Great. ")])
    assert one == other


def test_a_long_text_is_as_fast_as_its_ends():
    text = "I can't help with that. " * 400_000
    start = time.thread_time()
    nonanswer_logits([text, "ﷺ" * 1_000_000, "\u0301" * 1_000_000])
    assert time.thread_time() - start < 1.0


def test_it_needs_no_torch():
    code = "from blender_core.comparison.nonanswers import is_nonanswer; import sys; "
    code += "assert not is_nonanswer('42'); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

"""Put the spaces back into text without spaces, letter by letter: `python examples/word_boundaries.py`.

The text is the reference of the Python language, which comes with Python itself (pydoc_data.topics): the sentences of
its prose, without their spaces. Each character is tagged: whether a word ends behind it. A fifth of the topics
validates and a fifth tests, each topic as a whole, so that no sentence is seen before.
"""

import re
from pydoc_data.topics import topics

import numpy as np

from chainrule import fit
from chainrule.metrics import F1

ALPHABET = {letter: number for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz0123456789_',;:()-.", start=1)}
NETWORK = "Embedding(46, 32, padding_id=0) >> Bidirectional(GRU(64, return_sequences=True, reset_after=True))"


def sentences(text: str) -> list[str]:
    """The sentences of a topic's prose, 20 to 150 characters long."""
    prose = [part for part in text.lower().split("\n\n") if "::=" not in part and ">>>" not in part]
    plain = [re.sub(r'[*"`“”]', "", " ".join(part.split())) for part in prose]
    found = [each for part in plain for each in re.findall(r"[a-z][a-z0-9_',;:()\- ]+\.(?= |$)", part)]
    return [each for each in found if 20 <= len(each) <= 150]


def tagged(sentence: str) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a sentence's characters without the spaces, and of each whether a word ends behind it."""
    words = sentence.split()
    letters = np.array([ALPHABET[letter] for word in words for letter in word])
    ends = np.concatenate([np.arange(len(word)) == len(word) - 1 for word in words])
    return letters, ends


def parts() -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Inputs and targets of each part."""
    order = np.random.default_rng(0).permutation(len(topics))
    names = [sorted(topics)[place] for place in order]
    tenth = len(names) // 10
    divided = {"test": names[: 2 * tenth], "validation": names[2 * tenth : 4 * tenth], "train": names[4 * tenth :]}
    known: set[str] = set()
    found = {}
    for part in ("train", "validation", "test"):
        fresh = dict.fromkeys(each for name in divided[part] for each in sentences(topics[name]) if each not in known)
        known |= fresh.keys()
        x, y = zip(*map(tagged, fresh), strict=True)
        found[part] = (list(x), list(y))
    return found


def spaced(letters: np.ndarray, ends: np.ndarray) -> str:
    """A sentence with a space behind each character that ends a word."""
    alphabet = dict(map(reversed, ALPHABET.items()))
    return "".join(alphabet[letter] + " " * bool(end) for letter, end in zip(letters.tolist(), ends, strict=True))


if __name__ == "__main__":
    data = parts()
    for part, (x, _) in data.items():
        print(f"{part}: {len(x):,} sentences, {sum(map(len, x)):,} characters")
    model = fit(
        f"{NETWORK} >> Dense(2) >> Softmax()",
        *data["train"],
        optimizer="ClipNorm(1.0) >> Adam(0.003)",
        epochs=30,
        validation=data["validation"],
        early_stopping=3,
        metrics=["Accuracy()"],
    )
    x, y = data["test"]
    measured = model.evaluate(x, y, metrics=["Accuracy()", F1()])
    print(f"test: accuracy {measured['accuracy']:.4f}, F1 {measured['f1']:.4f}")
    for letters, ends, truth in zip(x[:4], model.predict(x[:4]), y[:4], strict=True):
        print(f"\n{spaced(letters, truth)}\n{spaced(letters, ends)}")

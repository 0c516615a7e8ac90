"""A page with all answers to the lessons' questions side by side, for the teacher who marks them."""

import os
import re
from pathlib import Path
from urllib.parse import quote

from vae_edu.exercises import LESSONS
from vae_edu.grading import pages
from vae_edu.grading.headings import QUESTION_POINTS, question
from vae_edu.grading.marks import Record
from vae_edu.grading.pages import text

TEACHING = Path(__file__).parents[2] / "notebooks" / "TEACHING.md"
STYLE = """.model { background: #f2f5f2; padding: .75rem; border-left: 4px solid #17692f }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1rem;
       margin: 1rem 0 3rem }
figure { margin: 0; padding: .75rem; border: 1px solid #ddd; min-width: 0 }
figcaption { font-weight: bold; overflow-wrap: anywhere; margin-bottom: .5rem }
figcaption a { font-weight: normal; font-size: .9rem }
.none { color: #777 }
"""


def write(records: list[Record], out: Path) -> str | None:
    """Write <out>_questions.html next to the table: by lesson, each student's answer as plain text.

    Returns:
        A sentence if somebody had changed the page, which is then kept.
    """
    model, parts = _good_answers(), []
    for lesson in LESSONS:
        answered = sorted((r for r in records if r.lesson == lesson), key=lambda record: record.student)
        if not answered:
            continue
        asked, good = model.get(lesson[:2], ("", ""))
        parts.append(f"<h2>{text(pages.title(lesson))}</h2>")
        parts.append(f"<p>Column “{question(lesson)}” of the table, up to {QUESTION_POINTS} points.</p>")
        if good:
            asked = asked[:1].upper() + asked[1:]
            parts.append(f'<p class="model"><strong>{text(asked)}</strong><br>{text(good)}</p>')
        parts += ["<main>", *(_answer(record, out) for record in answered), "</main>"]
    heading = "Answers to the questions"
    body = f"<h1>{heading}</h1>\n" + "\n".join(parts or ["<p>There is no answer.</p>"])
    return pages.write(out.with_name(f"{out.stem}_questions.html"), pages.page(heading, body, STYLE, "90rem"))


def _answer(record: Record, out: Path) -> str:
    path = os.path.relpath(record.file, out.resolve().parent if os.path.isabs(record.file) else out.parent)
    link = f'<a href="./{quote(os.fsencode(path))}">notebook</a>'
    said = text(record.answer.strip())
    answer = f'<div class="text">{said}</div>' if said else '<div class="none">no answer</div>'
    return f"<figure><figcaption>{text(record.student)} {link}</figcaption>{answer}</figure>"


def _good_answers() -> dict[str, tuple[str, str]]:
    """By the lesson's number what is asked and a good answer, if the teacher's page is at hand."""
    if not TEACHING.is_file():
        return {}
    page = TEACHING.read_text(encoding="utf-8").split("## What a good answer says")[-1]
    rows = re.findall(r"^\| (\d\d) \| (.+?) \| (.+) \|$", page, re.M)
    return {number: (asked, good.replace("\\|", "|").replace("*", "")) for number, asked, good in rows}

"""The material for exams: every question has its notes, and the versions for a class are all there is to install."""

import re

from glcic_lite.classroom.collecting import lessons
from glcic_lite.commands.doctor import needed_packages
from glcic_lite.files import NOTEBOOKS, PACKAGE, REPOSITORY

TEACHING = NOTEBOOKS / "teaching"


def numbers(name):
    return [int(n) for n in re.findall(r"^(\d+)\. ", (TEACHING / name).read_text(encoding="utf-8"), re.MULTILINE)]


def test_thirty_questions_have_thirty_notes():
    assert numbers("exam_questions.md") == numbers("marking_notes.md") == list(range(1, 31))


def test_every_lesson_with_exercises_has_questions():
    text = (TEACHING / "exam_questions.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\b(0\d)\b", " ".join(re.findall(r"\(lessons? .*?\)", text)))) == set(lessons())


def test_the_tested_versions_cover_every_dependency():
    text = (PACKAGE / "classroom" / "tested_versions.txt").read_text(encoding="utf-8")
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==\d", text, re.MULTILINE)}
    wanted = {re.sub(r"[-_.]+", "-", name).lower() for name in needed_packages()} - {"glcic-lite"}
    assert wanted and wanted <= pinned, wanted - pinned


def test_the_container_copies_what_is_there():
    recipe = (REPOSITORY / ".binder" / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.+)$", recipe, re.MULTILINE):
        assert all((REPOSITORY / name).exists() for name in line.split()[:-1]), line
    assert all((REPOSITORY / name).exists() for name in re.findall(r"-[rc] (\S+)", recipe))

"""README: what it shows and promises is there, and its commands are those that are really used."""

import re
import subprocess

import pytest

from glcic_lite.files import LARGEST_TEXT, REPOSITORY
from glcic_lite.method.photos import FORMATS, MAX_PIXELS

TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def command(marker: str) -> str:
    return re.search(rf"<!-- {marker} -->\n```bash\n(.+?)\n```", TEXT, re.DOTALL).group(1)


def test_every_picture_has_alternative_text():
    assert not re.search(r"!\[\s*\]", TEXT)


def test_every_lesson_is_on_the_tour():
    for lesson in (REPOSITORY / "notebooks").glob("[0-9][0-9]_*.ipynb"):
        assert f"(notebooks/{lesson.name})" in TEXT


# Each sentence of the section on safety by its first words, and tests that hold it.
PROMISES = {
    "Nothing in a file is run.": ["method/test_networks.py::test_pickled_weights_are_refused_and_nothing_in_them_runs"],
    "Pictures are opened as": [
        "method/test_photos.py::test_a_postscript_file_is_never_run_whatever_its_name",
        "method/test_photos.py::test_other_formats_are_refused",
        "method/test_photos.py::test_every_format_of_the_list_is_opened",
    ],
    "Weights are safetensors files": [
        "method/test_networks.py::test_pickled_weights_are_refused_and_nothing_in_them_runs"
    ],
    "Torch7 files, PyTorch files and checkpoints": [
        "commands/test_importing.py::test_a_pickle_with_code_is_refused_in_one_line_and_nothing_in_it_runs",
        "commands/test_importing.py::test_what_does_not_matter_is_skipped",
        "training/test_run_folder.py::test_nothing_in_a_checkpoint_is_run",
    ],
    "Nothing that you give is overwritten.": [
        "commands/test_folders.py::test_a_result_that_would_replace_an_input_is_refused_before_anything_is_written"
    ],
    "A result in the place of": [
        "commands/test_complete.py::test_a_result_never_replaces_the_photo_or_the_mask",
        "commands/test_folders.py::test_links_to_inputs_are_refused_too",
        "commands/test_command_line.py::test_evaluate_reads_no_other_file_and_replaces_no_input",
        "test_files.py::test_two_results_that_are_one_file_where_case_does_not_count_are_refused",
    ],
    "New weights and runs go only": [
        "commands/test_importing.py::test_a_folder_that_cannot_be_written_is_refused_before_the_file_is_read",
        "evaluation/test_publishing.py::test_a_place_that_holds_anything_else_is_refused_before_the_work",
        "training/test_run_folder.py::test_files_that_are_no_runs_are_refused_and_kept",
    ],
    "What may be replaced is replaced whole": [
        "test_files.py::test_a_disk_without_room_names_the_file_and_leaves_no_half_of_it",
        "test_files.py::test_what_a_killed_process_left_is_gone_after_the_next_write_of_the_same_file",
    ],
    "Nothing waits or grows without end.": ["test_fuzz.py::test_damaged_pictures"],
    "Pipes and devices are refused.": [
        "method/test_photos.py::test_a_pipe_or_a_device_is_refused_without_waiting",
        "commands/test_importing.py::test_pipes_and_devices_are_refused_at_once",
        "commands/test_command_line.py::test_settings_are_read_from_regular_files_alone",
        "method/test_networks.py::test_a_pipe_in_place_of_a_file_is_refused_at_once",
    ],
    "A picture has 120 megapixels at most": [
        "method/test_photos.py::test_a_small_file_that_claims_a_huge_photo_is_refused_undecoded",
        "test_files.py::test_a_small_text_is_read_only_from_a_small_regular_file",
        "commands/test_importing.py::test_what_a_torch7_file_only_claims_takes_no_memory",
        "commands/test_importing.py::test_an_archive_that_unpacks_to_more_than_the_file_is_refused",
    ],
    "The Hugging Face Hub is asked only": [
        "method/test_networks.py::test_a_folder_that_is_not_there_is_refused_without_asking_the_hub"
    ],
    "A damaged file ends in one line": ["test_fuzz.py::test_damaged_pictures", "test_fuzz.py::test_random_settings"],
}


def test_every_sentence_on_safety_has_its_tests():
    section = " ".join(TEXT.partition("## Safety")[2].partition("\n## ")[0].replace("**", "").split())
    sentences = re.findall(r"[^.]+(?:\.|$)", section.replace("`hf:owner/name`.", "`hf:owner/name` ."))
    begun = [
        next((words for words in PROMISES if sentence.strip().startswith(words)), sentence) for sentence in sentences
    ]
    assert begun == list(PROMISES)
    for tests in PROMISES.values():
        for test in tests:
            file, _, name = test.partition("::")
            assert f"def {name}(" in (REPOSITORY / "tests/package" / file).read_text(encoding="utf-8"), test


def test_the_numbers_and_names_on_safety_are_those_of_the_code():
    assert f"{MAX_PIXELS / 1e6:.0f} megapixels" in TEXT and LARGEST_TEXT == 2**20
    told = re.search(r"Pictures are opened as (.+?), and as nothing else", " ".join(TEXT.split())).group(1)
    names = {name.upper().replace(" ", "") for name in re.split(", | or ", told)}
    assert names == {name.replace("HEIF", "HEIC") for name in FORMATS}


@pytest.mark.parametrize("marker", ["the course command", "the test command"])
def test_each_command_is_one_line_and_makes_its_own_environment(marker):
    line = command(marker)
    assert "\n" not in line and line.startswith("python3 -m venv .venv && . .venv/bin/activate && ")


def test_the_course_command_opens_the_first_lesson():
    assert (REPOSITORY / command("the course command").split()[-1]).name == "00_complete_a_photo.ipynb"


def test_continuous_integration_runs_exactly_the_readmes_test_command():
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    extraction = re.search(r"test_command=\$\((.+)\)\n", script).group(1)
    found = subprocess.run(["bash", "-c", extraction], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == command("the test command")


def test_the_workflow_for_other_systems_holds_the_readmes_commands_and_nothing_else():
    text = (REPOSITORY / ".ci" / "workflow.yml").read_text(encoding="utf-8")
    blocks = re.findall(r"run: \|\n((?: {10}.+\n)+)", text)
    unix, windows = ([line.strip() for line in block.splitlines()] for block in blocks)
    assert text.count("run:") == 2 and unix == [command("the test command")]
    environment = ["py -m venv .venv", r".venv\Scripts\activate"]
    assert all(f"`{line}`" in TEXT for line in environment)
    assert windows == environment + command("the test command").split(" && ")[2:]


def test_every_module_of_the_package_is_in_the_table():
    for path in (REPOSITORY / "glcic_lite").iterdir():
        known_elsewhere = path.name in ("__init__.py", "__main__.py", "__pycache__", "weights")
        assert known_elsewhere or f"`{path.name}{'/' if path.is_dir() else ''}`" in TEXT, path.name

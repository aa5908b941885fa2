"""What the cells of a lesson define, for tests that hold it to something."""

import ast

import nbformat

from glcic_lite.files import NOTEBOOKS


def from_lesson(number: int, *names: str) -> list:
    """The functions and constants of these names, as the lesson's own code cells define them.

    Nothing else of the lesson is run but its imports.
    """
    (path,) = NOTEBOOKS.glob(f"{number:02d}_*.ipynb")
    space: dict = {}
    for cell in nbformat.read(path, as_version=4).cells:
        for node in ast.parse(cell.source).body if cell.cell_type == "code" else ():
            targets = (
                {node.name}
                if isinstance(node, ast.FunctionDef)
                else {target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)}
            )
            if isinstance(node, ast.Import | ast.ImportFrom) or targets & set(names):
                exec(compile(ast.Module([node], []), path.name, "exec"), space)
    return [space[name] for name in names]

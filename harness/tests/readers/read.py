"""Reads reports as others do, and prints as JSON what they are told.

usage: read.py FIXTURES FILE…

A `.xml` is held against the schema `junit-10.xsd` and read by junitparser; a `.sarif` against the schema `sarif-2.1.0.json`, its
dates and addresses too. FIXTURES is where the schemas lie.
"""

import json
import sys
from pathlib import Path

import jsonschema
import junitparser
import rfc3339_validator  # noqa: F401, without these two jsonschema takes any text for a date or an address
import rfc3986_validator  # noqa: F401
import xmlschema


def junit(file, schema):
    document = junitparser.JUnitXml.fromfile(str(file))
    numbers = ("tests", "failures", "errors", "skipped")
    return {
        "wrong": [str(error.reason) for error in schema.iter_errors(str(file))],
        "total": [getattr(document, number) for number in numbers],
        "suites": [
            {
                "name": suite.name,
                "numbers": [getattr(suite, number) for number in numbers],
                "cases": [
                    {
                        "name": case.name,
                        "results": [[type(result).__name__, result.type, result.message, result.text] for result in case.result],
                        "output": case.system_out,
                    }
                    for case in suite
                ],
            }
            for suite in document
        ],
    }


def sarif(file, schema):
    document = json.loads(file.read_text())
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    return {"wrong": [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(document)]}


def main():
    fixtures, *files = map(Path, sys.argv[1:])
    xsd = xmlschema.XMLSchema(str(fixtures / "junit-10.xsd"))
    schema = json.loads((fixtures / "sarif-2.1.0.json").read_text())
    read = {str(file): junit(file, xsd) if file.suffix == ".xml" else sarif(file, schema) for file in files}
    json.dump(read, sys.stdout)


main()

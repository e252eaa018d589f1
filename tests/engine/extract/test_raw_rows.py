"""What lands, from bodies written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.faults import Faults
from lading.sandbox.server import Request, Response, StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.extract.conftest import Bench

USAGE, CODE = "usage_messages", "claude_code"
NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)


def bucket(day: str, results: str = "[]", end: str | None = None) -> str:
    following = end or f"2026-03-{int(day[-2:]) + 1:02d}T00:00:00Z"
    start = day if "T" in day else f"{day}T00:00:00Z"
    return f'{{"starting_at":"{start}","ending_at":"{following}","results":{results}}}'


def page(*records: str, next_page: str | None = None) -> bytes:
    more = json.dumps(next_page is not None)
    text = f'{{"data":[{",".join(records)}],"has_more":{more},"next_page":{json.dumps(next_page)}}}'
    return text.encode()


class Reports:
    """Answers by report and first day (and cursor); an empty page where none is given."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}

    def __call__(self, request: Request) -> Response:
        query = dict(request.query)
        key = query["starting_at"][:10] + query.get("page", "")
        return json_response(200, self.pages.get(key, page()))


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def server(reports: Reports) -> Iterator[StandIn]:
    with StandIn("reports", reports, Faults()) as stand_in:
        yield stand_in
    assert stand_in.failures == []


@pytest.fixture
def desk(make_bench: Callable[..., Bench], server: StandIn) -> Bench:
    return make_bench(server.base_url)


def usage(bench: Bench, day: str = "2026-03-18") -> Any:
    """A run for usage by day."""
    return bench.extract([bench.ask(USAGE, datetime.fromisoformat(day).replace(tzinfo=UTC))])


def code(bench: Bench, day: str = "2026-03-18") -> Any:
    return bench.extract([bench.ask(CODE, datetime.fromisoformat(day).replace(tzinfo=UTC))])


def payloads(bench: Bench, stream: str) -> list[str]:
    return [
        text
        for (text,) in bench.query(
            f'SELECT payload::VARCHAR FROM raw."{stream}" ORDER BY starting_at, ordinal'
        )
    ]


AWKWARD = [
    bucket(
        "2026-03-18",
        '[{"amount":0.12345678901234567890,"rate":1.50,"big":123456789012345678901234567890}]',
    ),
    bucket(
        "2026-03-19",
        '[ {"nobody_knows_this" :\n  {"deep":[1,2,{"ü":"\\u00fc\\n\\"/"}]}, '
        '"e":1E+2,"a":null,"a":-0.0} ]',
    ),
    bucket("2026-03-20"),
]


def test_a_bucket_lands_as_it_came_to_the_byte(reports: Reports, desk: Bench) -> None:
    reports.pages["2026-03-18"] = page(*AWKWARD)
    usage(desk)
    assert payloads(desk, USAGE) == AWKWARD


def test_a_record_lands_as_it_came_to_the_byte(reports: Reports, desk: Bench) -> None:
    records = [
        '{"date":"2026-03-18T00:00:00Z","cost":1.50,"actor":{"type":"user_actor"}}',
        '{ "new_field" : [ 0.1000 ], "date" : "2026-03-18" }',
        '{"date":"2026-03-18","date":"2026-03-18","name":"Ünï \\ud83d\\ude00 😀"}',
    ]
    reports.pages["2026-03-18"] = page(*records)
    code(desk)
    assert payloads(desk, CODE) == records


def test_every_row_says_what_it_is(reports: Reports, desk: Bench) -> None:
    reports.pages["2026-03-18"] = page(*AWKWARD)
    done = usage(desk)
    rows = desk.query("""
        SELECT connection, request::VARCHAR, starting_at, ending_at, ordinal, run_id
        FROM raw.usage_messages ORDER BY starting_at""")
    request = (
        '{"path": "/v1/organizations/usage_report/messages", "bucket_width": "1d", "group_by": []}'
    )
    days = [datetime.fromisoformat(f"2026-03-{day}") for day in (18, 19, 20, 21)]
    assert rows == [
        ("anthropic", request, days[number], days[number + 1], 0, done.run.id)
        for number in range(3)
    ]
    ((least, most),) = desk.query(
        "SELECT min(extracted_at), max(extracted_at) FROM raw.usage_messages"
    )
    assert least == most == desk.query("SELECT max(ended_at) FROM lading.requests")[0][0]


def test_empty_days_have_landed_too(reports: Reports, desk: Bench) -> None:
    code(desk, "2026-03-15")
    assert desk.query("SELECT count(*) FROM raw.claude_code") == [(0,)]
    slices = desk.query(
        "SELECT starting_at::DATE::VARCHAR, records, closed FROM lading.slices ORDER BY ALL"
    )
    assert slices == [(f"2026-03-{day}", 0, day < 17) for day in (15, 16, 17, 18, 19, 20)]


def test_a_slice_is_replaced_as_a_whole(reports: Reports, desk: Bench) -> None:
    two, one = '{"date":"2026-03-18","n":2}', '{"date":"2026-03-18","n":1}'
    other = '{"date":"2026-03-19","n":3}'
    reports.pages |= {"2026-03-18": page(two, one), "2026-03-19": page(other)}
    code(desk)
    assert payloads(desk, CODE) == [two, one, other]
    reports.pages["2026-03-18"] = page(one)
    code(desk)
    assert payloads(desk, CODE) == [one, other]
    reports.pages["2026-03-18"] = page()
    second = code(desk)
    assert payloads(desk, CODE) == [other]
    slices = desk.query("SELECT records, run_id FROM lading.slices ORDER BY starting_at")
    assert slices == [(0, second.run.id), (1, second.run.id), (0, second.run.id)]


def test_other_views_of_the_same_days_stay(reports: Reports, desk: Bench) -> None:
    start = datetime(2026, 3, 18, tzinfo=UTC)
    reports.pages["2026-03-18"] = page(*AWKWARD)
    desk.extract([desk.ask(USAGE, start)])
    desk.extract([desk.ask(USAGE, start, "model")])
    desk.extract([desk.ask(USAGE, start, "model")])
    counted = desk.query("""
        SELECT request ->> '$.group_by', count(*), count(DISTINCT run_id)
        FROM raw.usage_messages GROUP BY ALL ORDER BY ALL""")
    assert counted == [('["model"]', 3, 1), ("[]", 3, 1)]
    assert desk.query("SELECT count(*) FROM lading.slices") == [(6,)]


def test_a_chain_of_pages(reports: Reports, server: StandIn, desk: Bench) -> None:
    reports.pages |= {
        "2026-03-18": page(AWKWARD[0], next_page="two&c=ü"),
        "2026-03-18two&c=ü": page(AWKWARD[1], next_page="three"),
        "2026-03-18three": page(AWKWARD[2]),
    }
    done = usage(desk)
    assert payloads(desk, USAGE) == AWKWARD
    asked = desk.asked(server.requests, "messages")
    assert [query.pop("page", None) for query in asked] == [None, ["two&c=ü"], ["three"]]
    assert asked[0] == asked[1] == asked[2]
    assert desk.query("SELECT pages, records FROM lading.requests") == [(3, 3)]
    assert done.extraction.outcomes[0].records == 3


def test_many_pages_of_many_records_keep_their_order(reports: Reports, desk: Bench) -> None:
    filler = "x" * 500
    pages = [
        [
            f'{{"date":"2026-03-20","n":{number * 100 + row},"filler":"{filler}"}}'
            for row in range(100)
        ]
        for number in range(40)
    ]
    for number, records in enumerate(pages):
        key = f"2026-03-20{number or ''}"
        following = str(number + 1) if number + 1 < len(pages) else None
        reports.pages[key] = page(*records, next_page=following)
    code(desk, "2026-03-20")
    assert [json.loads(text)["n"] for text in payloads(desk, CODE)] == [*range(4000)]
    ordinals = desk.query("SELECT ordinal FROM raw.claude_code ORDER BY ordinal")
    assert ordinals == [(number,) for number in range(4000)]


def test_a_record_larger_than_duckdb_reads_by_default(reports: Reports, desk: Bench) -> None:
    record = f'{{"date":"2026-03-20","filler":"{"x" * 17_000_000}"}}'
    reports.pages["2026-03-20"] = page(record)
    code(desk, "2026-03-20")
    assert payloads(desk, CODE) == [record]


def test_a_bucket_that_is_not_there_is_not_an_empty_one(
    reports: Reports, server: StandIn, desk: Bench
) -> None:
    """The report has every bucket, empty ones too; so its absence says nothing."""
    reports.pages["2026-03-10"] = page(*[bucket(f"2026-03-{day}") for day in (10, 11, 13, 14)])
    usage(desk, "2026-03-10")
    closed = desk.query("SELECT day(starting_at) FROM lading.slices WHERE closed ORDER BY ALL")
    assert closed == [(10,), (11,), (13,), (14,)]
    before = len(server.requests)
    reports.pages["2026-03-12"] = page(bucket("2026-03-12", '[{"found":1}]'))
    usage(desk, "2026-03-10")
    asked = desk.asked(server.requests[before:], "messages")
    starts = sorted(query["starting_at"][0][:10] for query in asked)
    assert starts == ["2026-03-12", "2026-03-15"]
    assert bucket("2026-03-12", '[{"found":1}]') in payloads(desk, USAGE)


@pytest.mark.parametrize(
    ("buckets", "said"),
    [
        ([bucket("2026-03-17")], "no answer to what was asked"),
        ([bucket("2026-03-21")], "no answer to what was asked"),
        ([bucket("2026-03-18", end="2026-03-18T01:00:00Z")], "no answer to what was asked"),
        (
            [bucket("2026-03-18T12:00:00Z", end="2026-03-19T12:00:00Z")],
            "no answer to what was asked",
        ),
        ([bucket("2026-03-18"), bucket("2026-03-18")], "no answer to what was asked"),
        ([bucket("2026-03-19"), bucket("2026-03-18")], "no answer to what was asked"),
        ([bucket("2026-03-18T00:00:00+02:00", end="2026-03-19T00:00:00+02:00")], "not in UTC"),
        ([bucket("2026-03-18", end="soon")], "no moment"),
        (['{"results":[]}'], "without starting_at"),
        (['"text"'], "without starting_at"),
    ],
    ids=[
        "before",
        "after",
        "hour",
        "noon",
        "twice",
        "backwards",
        "zone",
        "rubbish",
        "bare",
        "text",
    ],
)
def test_buckets_that_answer_another_question_are_not_kept(
    reports: Reports, desk: Bench, buckets: list[str], said: str
) -> None:
    reports.pages["2026-03-18"] = page(*buckets)
    done = usage(desk)
    assert done.failed == {USAGE}
    assert payloads(desk, USAGE) == []
    assert desk.query("SELECT count(*) FROM lading.slices") == [(0,)]
    ((status, error),) = desk.query("SELECT status, error FROM lading.requests")
    assert status == "failed"
    assert said in error


@pytest.mark.parametrize("record", ['{"date":"2026-03-17"}', '{"actor":{}}', "12", '{"date":null}'])
def test_records_of_another_day_are_not_kept(reports: Reports, desk: Bench, record: str) -> None:
    good = '{"date":"2026-03-18","n":1}'
    reports.pages |= {"2026-03-18": page(good), "2026-03-19": page(record)}
    done = code(desk)
    assert done.failed == {CODE}
    assert payloads(desk, CODE) == [good]
    landed = desk.query("SELECT day(starting_at) FROM lading.slices ORDER BY ALL")
    assert landed == [(18,), (20,)]


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":[],"has_more":true,"next_page":null}',
        b'{"has_more":false}',
        b'{"data":{}}',
        b"[]",
        b"",
        b'{"data":[{"date":"2026-03-20","n":NaN}]}',
        b'{"data":[{"date":"2026-03-20","name":"\xff\xfe"}]}',
        b'{"data":[{"date":"2026-03-20"}],"has_more":false}}',
        b'{"data":[{"date":"2026-03-20","deep":' + b"[" * 9999 + b"]" * 9999 + b"}]}",
    ],
    ids=["no-cursor", "no-data", "map", "list", "empty", "nan", "utf-8", "trailing", "deep"],
)
def test_a_body_that_is_no_page_is_asked_for_again_and_then_given_up(
    reports: Reports, server: StandIn, desk: Bench, body: bytes
) -> None:
    reports.pages["2026-03-20"] = body
    done = code(desk, "2026-03-20")
    assert done.failed == {CODE}
    assert len(server.requests) == 3
    assert desk.query("SELECT status FROM lading.requests") == [("failed",)]
    assert desk.spooled() == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":[],"next_page":null}',
        b'{"data":[],"has_more":false,"next_page":"ignored"}',
        b'{"data":[],"has_more":false,"next_page":null,"data_refreshed_at":"2026-03-20"}',
        b' \n{ "next_page" : null , "data" : [ ] } \n',
    ],
)
def test_envelopes_that_end_a_report(
    reports: Reports, server: StandIn, desk: Bench, body: bytes
) -> None:
    reports.pages["2026-03-20"] = body
    assert code(desk, "2026-03-20").failed == frozenset()
    assert len(server.requests) == 1

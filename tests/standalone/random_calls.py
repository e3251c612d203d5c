"""Hypothesis strategies for calls of DynamoDB's operations on two small tables; most calls are valid."""

from typing import Any

from hypothesis import strategies as st

Call = tuple[str, dict[str, Any]]
Draw = st.DrawFn

# Each run of a sequence has its own tables, whose names start with these.
TABLES = {
    "things": {
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "g", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "by-n",
                "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
    },
    "words": {
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "B"},
            {"AttributeName": "w", "AttributeType": "S"},
        ],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "w", "KeyType": "RANGE"}],
    },
}
TOKENS = ("one", "two")
KEYS = {"things": (None, "by-g", "by-n"), "words": (None,)}
KEY_NAMES = {"things": ("pk", "sk"), "words": ("pk", "w"), "by-g": ("g", "n"), "by-n": ("n",)}


def of(*options: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(options)


number = of("-12.5", "-1", "0", "1", "2", "10", "1e2", "100000000000000000001", "0.1").map(lambda n: {"N": n})
text = of("a", "ab", "b", "z", "ü", "").map(lambda s: {"S": s})
octets = of(b"a", b"ab", b"\x00", b"\xff", b"").map(lambda b: {"B": b})
scalar = number | text | octets | of({"BOOL": True}, {"BOOL": False}, {"NULL": True})
sets = of({"SS": ["a"]}, {"SS": ["b", "a"]}, {"NS": ["1", "2"]}, {"NS": ["2.0"]}, {"BS": [b"a"]}, {"BS": [b"a", b"b"]})
faulty = of({"SS": []}, {"NS": ["1", "1.0"]}, {"SS": ["a", "a"]}, {"N": "one"}, {"N": "1" * 39}, {"N": "1e126"})
value = st.recursive(
    scalar | sets,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: {"L": items})
        | st.dictionaries(of("x", "y"), inner, max_size=2).map(lambda items: {"M": items})
    ),
    max_leaves=4,
)
rarely = of(*[False] * 30, True)
KEY_PARTS = {
    "pk": {"things": of("p", "q", "p q").map(lambda s: {"S": s}), "words": of(b"p", b"p\x00").map(lambda b: {"B": b})},
    "sk": {"things": of("-1", "2", "10").map(lambda n: {"N": n})},
    "w": {"words": of("w", "wo", "x", "w\x00").map(lambda s: {"S": s})},
}
FAULTY_KEYS = of({"S": ""}, {"N": "x"}, {"BOOL": True}, {"S": "x" * 2049}, {"B": b"x" * 1025}, {"B": b""})


@st.composite
def key(draw: Draw, table: str) -> dict[str, Any]:
    found = {name: draw(KEY_PARTS[name][table]) for name in KEY_NAMES[table]}
    if draw(rarely):
        found[draw(of(*found))] = draw(FAULTY_KEYS)
    if draw(rarely):
        found[draw(of("pk", "a"))] = {"S": "p"}
    return found


@st.composite
def item(draw: Draw, table: str) -> dict[str, Any]:
    found = draw(key(table))
    found |= draw(st.dictionaries(of("a", "b", "d"), value, max_size=3))
    if draw(st.booleans()):
        found["g"] = draw(of(*[{"S": "g"}] * 8, {"S": ""}, {"N": "1"}))
    if draw(st.booleans()):
        found["n"] = draw(of(*[{"N": "1"}, {"N": "2"}, {"N": "-3"}] * 3, {"S": "1"}))
    if draw(rarely):
        found["a"] = draw(faulty | of({"S": "x" * 409_600}))
    return found


class Bindings:
    """Generates expressions, and collects the names and values that they use."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def name(self, name: str) -> str:
        if self.draw(st.booleans()):
            return name
        self.names[f"#{name}"] = name
        return f"#{name}"

    def value(self, strategy: st.SearchStrategy[Any] = scalar) -> str:
        name = f":v{len(self.values)}"
        self.values[name] = self.draw(strategy)
        return name

    def path(self) -> str:
        head = self.name(self.draw(of("a", "b", "d", "a", "b", "d", "g", "n", "pk")))
        tail: str = self.draw(of(*[""] * 8, ".x", ".y", "[0]", "[1]", ".x[0]", "[0].y"))
        return head + (tail if ".y" not in tail else tail.replace("y", self.name("y")))

    def operand(self) -> str:
        return self.draw(of(self.path, self.value, self.value, lambda: f"size({self.path()})"))()

    def simple(self) -> str:
        p, o, v = self.path, self.operand, self.value
        return self.draw(
            of(
                *[lambda: f"{p()} {self.draw(of('=', '<>'))} {v()}"] * 2,
                *[lambda: f"{p()} {self.draw(of('<', '<=', '>', '>='))} {v(number | text | octets)}"] * 2,
                lambda: f"{p()} {self.draw(of('<', '<=', '>', '>='))} {o()}",
                lambda: f"{v()} = {p()}",
                lambda: f"size({p()}) = {v(number)}",
                lambda: f"{p()} BETWEEN {v(of({'N': '-1'}, {'N': '1'}))} AND {v(of({'N': '1'}, {'N': '2'}))}",
                lambda: f"{p()} BETWEEN {o()} AND {o()}" if self.draw(rarely) else f"attribute_exists({p()})",
                lambda: f"{p()} IN ({v()}, {v()})",
                *[lambda: f"attribute_exists({p()})", lambda: f"attribute_not_exists({p()})"] * 4,
                lambda: f"attribute_type({p()}, {v(of('S', 'N', 'L', 'SS', 'M', 'BOOL').map(lambda s: {'S': s}))})",
                lambda: f"begins_with({p()}, {v(text)})",
                lambda: f"contains({p()}, {o()})",
            )
        )()

    def condition(self, depth: int = 2) -> str:
        shape = self.draw(
            of("{}", "{}", "{} OR {}", "NOT {}", "{} AND {}", "{} OR {}", "({} OR {}) AND {}", "NOT ({} AND {})")
        )
        part = self.simple if depth == 0 else lambda: self.condition(0)
        return self.maybe_invalid(shape.format(*(part() for _ in range(shape.count("{}")))))

    def update(self) -> str:
        sections = {
            "SET": lambda: f"{self.path()} = {self.sum()}",
            "REMOVE": self.path,
            "ADD": lambda: f"{self.path()} {self.value(scalar if self.draw(rarely) else number | sets)}",
            "DELETE": lambda: f"{self.path()} {self.value(scalar if self.draw(rarely) else sets)}",
        }
        verbs = self.draw(st.lists(of("SET", "SET", "REMOVE", "ADD", "DELETE"), min_size=1, max_size=3))
        clauses = []
        for verb in dict.fromkeys(verbs):
            count = self.draw(of(1, 1, 2))
            clauses.append(f"{verb} " + ", ".join(sections[verb]() for _ in range(count)))
        return self.maybe_invalid(" ".join(clauses))

    def sum(self) -> str:
        p, v, any_value = self.path, self.value, value
        return self.draw(
            of(
                *[lambda: v(any_value)] * 3,
                p,
                lambda: f"{p()} + {v(number)}",
                lambda: f"{v(number)} - {p()}",
                lambda: f"if_not_exists({p()}, {v(any_value)})",
                lambda: f"if_not_exists({p()}, {v(number)}) + {v(number)}",
                lambda: f"list_append({p()}, {v(of({'L': [{'S': 'y'}]}))})",
                lambda: (
                    f"list_append({v(of({'L': []}, {'L': [{'S': 'x'}]}))}, if_not_exists({p()}, {v(of({'L': []}))}))"
                ),
            )
        )()

    def projection(self) -> str:
        return self.maybe_invalid(", ".join(self.path() for _ in range(self.draw(of(1, 2, 3)))))

    def maybe_invalid(self, expression: str) -> str:
        """Return the expression, rarely with an error in it."""
        if not self.draw(rarely):
            return expression
        words = expression.split(" ")
        position = self.draw(st.integers(0, len(words) - 1))
        words[position] = self.draw(of("", "(", ")", "AND", ":unknown", "#unknown", "((a = b))", "size(a)", ",", "="))
        return " ".join(words)

    def params(self, *, values: bool = True) -> dict[str, Any]:
        if self.draw(rarely):
            unused = self.draw(of(self.names, self.values if values else self.names))
            unused |= {"#unused": "x"} if unused is self.names else {":unused": {"S": "x"}}
        names = {"ExpressionAttributeNames": self.names} if self.names else {}
        return {**names, **({"ExpressionAttributeValues": self.values} if self.values else {})}


@st.composite
def conditional(draw: Draw, always: bool = False) -> dict[str, Any]:
    if not always and draw(st.booleans()):
        return {}
    bindings = Bindings(draw)
    condition = bindings.condition()
    failing = draw(of({}, {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}))
    return {"ConditionExpression": condition, **failing, **bindings.params()}


@st.composite
def update_params(draw: Draw, table: str) -> dict[str, Any]:
    bindings = Bindings(draw)
    params = {"Key": draw(key(table)), "UpdateExpression": bindings.update()}
    if draw(st.booleans()):
        params["ConditionExpression"] = bindings.condition()
    return params | bindings.params()


table_name = of("things", "things", "words")
cost = of({}, {"ReturnConsumedCapacity": "TOTAL"})
returned = of(*[{}, {"ReturnValues": "ALL_OLD"}, {"ReturnValues": "NONE"}] * 3, {"ReturnValues": "ALL_NEW"})
updated = of("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW").map(lambda name: {"ReturnValues": name})


@st.composite
def writes(draw: Draw) -> Call:
    table = draw(table_name)
    common = {"TableName": table, **draw(cost)}
    kind = draw(of("PutItem", "PutItem", "UpdateItem", "UpdateItem", "DeleteItem"))
    if kind == "PutItem":
        return kind, {"Item": draw(item(table)), **draw(conditional()), **draw(returned), **common}
    if kind == "DeleteItem":
        return kind, {"Key": draw(key(table)), **draw(conditional()), **draw(returned), **common}
    return kind, {**draw(update_params(table)), **draw(updated), **common}


@st.composite
def shape(draw: Draw) -> dict[str, Any]:
    if draw(st.booleans()):
        return {}
    bindings = Bindings(draw)
    return {"ProjectionExpression": bindings.projection(), **bindings.params(values=False)}


@st.composite
def gets(draw: Draw) -> Call:
    table = draw(table_name)
    consistent = draw(of({}, {"ConsistentRead": True}))
    return "GetItem", {"TableName": table, "Key": draw(key(table)), **draw(shape()), **consistent, **draw(cost)}


@st.composite
def pages(draw: Draw) -> Call:
    table = draw(table_name)
    index = draw(of(*KEYS[table]))
    bindings = Bindings(draw)
    params: dict[str, Any] = {"TableName": table} | ({"IndexName": index} if index else {})
    scan = draw(of(False, False, True))
    if not scan:
        params["KeyConditionExpression"] = key_condition(bindings, table, index)
        params |= draw(of({}, {"ScanIndexForward": False}, {"ScanIndexForward": True}))
    if draw(of(False, True)):
        params["FilterExpression"] = bindings.condition(1)
    counting = draw(of(*[False] * 5, True))
    if counting:
        params["Select"] = "COUNT"
    elif draw(of(False, False, True)):
        params["ProjectionExpression"] = bindings.projection()
    params |= draw(of({}, {"Limit": 1}, {"Limit": 2}, {"Limit": 3}))
    params |= draw(of(*[{}] * 3, {"ConsistentRead": True}))
    return "Scan" if scan else "Query", params | bindings.params() | draw(cost)


def key_condition(bindings: Bindings, table: str, index: str | None) -> str:
    draw = bindings.draw
    names = KEY_NAMES[index or table]
    parts = [of({"N": "1"}, {"N": "2"}), of({"N": "1"}, {"N": "2"})] if index == "by-n" else None
    if index == "by-g":
        parts = [of({"S": "g"}), number]
    parts = parts or [KEY_PARTS["pk"][table], KEY_PARTS[names[1]][table]]
    expression = f"{bindings.name(names[0])} = {bindings.value(parts[0] if not draw(rarely) else scalar)}"
    if len(names) > 1 and draw(st.booleans()):
        second = names[1]
        operator = draw(of("=", "<", "<=", ">", ">=", "BETWEEN", "begins_with", *(["<>"] if draw(rarely) else [])))
        one = bindings.value(parts[1])
        if operator == "BETWEEN":
            test = f"{bindings.name(second)} BETWEEN {one} AND {bindings.value(parts[1])}"
        elif operator == "begins_with":
            test = f"begins_with({bindings.name(second)}, {one})"
        else:
            test = f"{bindings.name(second)} {operator} {one}"
        expression = draw(of(f"{expression} AND {test}", f"{test} AND {expression}"))
    return bindings.maybe_invalid(expression)


@st.composite
def batch_gets(draw: Draw) -> Call:
    requests = {}
    for table in draw(st.lists(of("things", "words"), unique=True, min_size=1)):
        requests[table] = {"Keys": draw(st.lists(key(table), min_size=1, max_size=3)), **draw(shape())}
    return "BatchGetItem", {"RequestItems": requests, **draw(cost)}


@st.composite
def batch_writes(draw: Draw) -> Call:
    requests = {}
    for table in draw(st.lists(of("things", "words"), unique=True, min_size=1)):
        entries = st.one_of(
            item(table).map(lambda found: {"PutRequest": {"Item": found}}),
            key(table).map(lambda found: {"DeleteRequest": {"Key": found}}),
        )
        requests[table] = draw(st.lists(entries, min_size=1, max_size=3))
    return "BatchWriteItem", {"RequestItems": requests, **draw(cost)}


@st.composite
def transaction_entry(draw: Draw) -> dict[str, Any]:
    table = draw(table_name)
    kind = draw(of("Put", "Put", "Update", "Delete", "ConditionCheck"))
    params = {"TableName": table}
    if kind == "Put":
        return {kind: {**params, "Item": draw(item(table)), **draw(conditional())}}
    if kind == "Update":
        return {kind: {**params, **draw(update_params(table))}}
    return {kind: {**params, "Key": draw(key(table)), **draw(conditional(kind == "ConditionCheck"))}}


@st.composite
def transactions(draw: Draw) -> Call:
    token = draw(of(*[{}] * 3, *({"ClientRequestToken": name} for name in TOKENS)))
    entries = draw(st.lists(transaction_entry(), min_size=1, max_size=4))
    return "TransactWriteItems", {"TransactItems": entries, **token, "ReturnConsumedCapacity": "TOTAL"}


@st.composite
def transact_gets(draw: Draw) -> Call:
    tables = draw(st.lists(table_name, min_size=1, max_size=3))
    entries = [{"Get": {"TableName": table, "Key": draw(key(table)), **draw(shape())}} for table in tables]
    return "TransactGetItems", {"TransactItems": entries, **draw(cost)}


@st.composite
def times_to_live(draw: Draw) -> Call:
    wanted = {"AttributeName": draw(of("n", "a")), "Enabled": draw(st.booleans())}
    change = "UpdateTimeToLive", {"TableName": "things", "TimeToLiveSpecification": wanted}
    return draw(of(change, ("DescribeTimeToLive", {"TableName": "things"})))


calls = st.lists(
    st.one_of(
        writes(), writes(), writes(), gets(), pages(), pages(), batch_gets(), batch_writes(), transactions(),
        transactions(), transact_gets(), times_to_live(),
    ),
    min_size=5,
    max_size=25,
)  # fmt: skip

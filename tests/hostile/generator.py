"""Generates hostile requests from the declarations of all routes; the same seed and store give the same requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from urllib.parse import quote, urlencode

from app import SLICES
from chalicelib.web.route import Route
from chalicelib.web.slice import Slice
from tests.hostile import bodies, values
from tests.hostile.identities import SESSION, Identity, doors, present
from tests.hostile.store import Store

Routes = list[tuple[str, Route]]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
AGENTS = ("Luanti/5.17.1 (Linux/6.1.0 x86_64)", "LuaSocket/3.1.0", "Mozilla/5.0", "luadns-go", "hpm", "")
GOOD_KEYS = 0.7
NEEDED = {
    "/for-client": "formspec_version=8&include_images=true&protocol_version=53&engine_version=5.17.1",
    "/for-client/reviews": "formspec_version=8",
    "/hypertext": "formspec_version=8&include_images=false",
    "/check_rockspec": "package=say&version=1.0-1",
    "/hel/files": "name=y.lua",
}  # queries without which a route does little


@dataclass(frozen=True)
class HostileRequest:
    """A request; `service` is the owner of the route that it aims at, None if it aims at none."""

    service: str | None
    route: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    identity: Identity | None = None

    def __str__(self) -> str:
        address = f"{self.path}?{self.query}" if self.query else self.path
        return f"{self.method} {address[:300]} {self.headers} {self.body[:300]!r} (route {self.route})"[:1500]


def routes() -> Routes:
    """All routes of this server, with the names of their services."""
    return [(each.name, route) for each in SLICES if isinstance(each, Slice) for route in each.service.routes]


def requests(store: Store, seed: int, count: int) -> Iterator[HostileRequest]:
    """Yield hostile requests to the installation that has this store."""
    generator = Generator(store, Random(f"{seed}#{store.number}"))
    for _ in range(count):
        yield generator.next()


class Generator:
    """A source of hostile requests."""

    def __init__(self, store: Store, random: Random) -> None:
        self._store = store
        self._random = random
        self._routes = routes()
        # Rarely delete, so that most requests name something.
        self._weights = [0.2 if route.method == "DELETE" else 1.0 for _, route in self._routes]

    def next(self) -> HostileRequest:
        """The next request: 70 % with a credential that the service accepts."""
        random = self._random
        service, route = random.choices(self._routes, self._weights)[0]
        door = random.choice(doors(service))
        identity = self._identity(service, door)
        shown = present(identity, service, door)
        headers = {"Host": "moonbase.test", **shown.headers, **self._headers()}
        method = route.method if random.random() < 0.93 else random.choice(METHODS)
        content = b""
        if method in ("POST", "PUT", "PATCH") or random.random() < 0.03:
            content, kind = bodies.encode(self._body(route))
            headers = {"Content-Type": kind, **headers}
        aimed: str | None = service
        path = self._path(service, route, shown.key)
        if random.random() < 0.03:
            aimed, path = None, self._odd_path(path)
        query = self._query(route)
        return HostileRequest(aimed, f"{route.method} {route.path}", method, path, query, headers, content, identity)

    def _identity(self, service: str, door: str) -> Identity | None:
        """A credential for this door: mostly a good one, else a bad one of any service, or none."""
        random, kept = self._random, self._store.identities
        own = SESSION if door == "cookie" or service == "account" else service
        if own not in kept:
            return random.choice(kept[SESSION])
        if random.random() < GOOD_KEYS:
            good = self._store.good(own)
            return good[0] if random.random() < 0.5 else random.choice(good)
        bad = [each for each in kept[own] if each not in self._store.good(own)]
        return random.choice((None, random.choice(bad), random.choice(kept[random.choice(list(kept))])))

    def _path(self, service: str, route: Route, key: str) -> str:
        random, place = self._random, self._store.places[service]
        parts: list[str] = []
        for part in route.path.split("/"):
            if part == "{id}" and parts[-1] in place:
                part = f"{{{parts[-1]}}}"
            if not part.startswith("{"):
                parts.append(part)
            elif part == "{key}":
                parts.append(key)
            elif random.random() < 0.92:
                parts.append(quote(random.choice(place[part[1:-1]]), safe=""))
            elif random.random() < 0.5:
                other = random.choice(list(place.values()))
                parts.append(quote(random.choice(other), safe=""))
            else:
                parts.append(quote(values.text(random)[:3000], safe="", errors="surrogatepass") or "-")
        return "/".join(parts) + ("/" if service == "contentdb" and random.random() < 0.7 else "")

    def _odd_path(self, path: str) -> str:
        random = self._random
        odd = quote(values.text(random)[:3000], safe="", errors="surrogatepass")
        return random.choice(
            (
                f"{path}/{odd}",
                f"/{odd}",
                path.replace("/", "//"),
                path[:-1] or "/",
                f"{path}%00",
                f"{path}/..;/",
                f"{path}%ff%zz",
            )
        )

    def _query(self, route: Route) -> str:
        random = self._random
        if route.path == "/upload-slots" and random.random() < 0.8:
            return urlencode({"slot": random.choice(self._store.slots)})
        if random.random() < 0.5 and (
            needed := next((of for end, of in NEEDED.items() if route.path.endswith(end)), "")
        ):
            return needed
        if random.random() < (0.4 if route.method == "GET" else 0.85):
            return ""
        pairs = [
            (
                random.choice(values.QUERIES),
                random.choice(values.GOOD_QUERIES) if random.random() < 0.6 else values.text(random)[:4000],
            )
            for _ in range(random.choice((1, 1, 2, 4, 30)))
        ]
        return urlencode(pairs, errors="surrogatepass")

    def _headers(self) -> dict[str, str]:
        random, headers = self._random, {}
        if random.random() < 0.3:
            headers["User-Agent"] = random.choice(AGENTS)
        if random.random() < 0.15:
            headers["Accept"] = "text/html,*/*;q=0.8"
        if random.random() < 0.1:
            for _ in range(random.choice((1, 1, 3))):
                headers[random.choice(values.HEADERS)] = random.choice(values.HEADER_VALUES)
        return headers

    def _body(self, route: Route) -> bodies.Body:
        random, chance = self._random, self._random.random()
        if chance < 0.12:
            return bodies.arbitrary(random, self._store)
        body = bodies.plausible(random, self._store, route.method, route.path)
        return body if chance < 0.5 else bodies.hostile(random, body)

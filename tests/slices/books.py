"""A small, complete fifth service: books, each with an owner and a stored file."""

from collections.abc import Iterator

from pynamodb.attributes import DiscriminatorAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.core import blobs, jobs
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Catalogue, Changes
from chalicelib.core.catalogues.entries import Struct
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.declaration import JobHandler, RepeatingJob, Scopes, Table
from chalicelib.core.errors import CoreError
from chalicelib.core.identity import credentials
from chalicelib.core.storage import Item, Transaction, table_name
from chalicelib.web.errors import status_of
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response
from chalicelib.web.route import ANONYMOUS, OWN, Scheme
from chalicelib.web.service import Service
from chalicelib.web.slice import Shelf, Slice, Work

MEASURE = "books-measure"


class BooksItem(Item):
    """Any item of the table."""

    class Meta:
        table_name = table_name("books")
        region = "us-east-1"

    kind = DiscriminatorAttribute()


class Book(BooksItem, discriminator="book"):
    """`book#<title>` / `book`."""

    owner = UnicodeAttribute()
    blob = UnicodeAttribute()
    size = NumberAttribute(null=True)


def render_error(request: Request, error: CoreError) -> Response:
    return json_response({"books": error.message}, status_of(error))


def token(request: Request) -> Caller:
    return credentials.identify(request.bearer or "", "books")


class BookEntry(Struct):
    """A book in the catalogue."""

    owner: str


def entities() -> Iterator[tuple[str, BookEntry]]:
    for book in Book.scan():
        yield str(book.pk.partition("#")[2]), BookEntry(owner=book.owner)


def reload(title: str, known: BookEntry) -> BookEntry | None:
    book = Book.find(f"book#{title}", "book")
    return BookEntry(owner=book.owner) if book else None


TOKEN = Scheme("token", token)
service = Service("books", render_error)
catalogue = Catalogue("books", BookEntry, shape=1, entities=entities, reload=reload)
runs: list[str] = []


@service.route("PUT", "/books/{title}", TOKEN, scope="book:", permission=OWN)
def publish(request: Request, caller: Caller) -> Response:
    title, owner = request.params["title"], caller.account.username
    caller.require(f"book:{title}")
    stored = blobs.put(request.body, "books")

    def decide(snapshot: Snapshot[BookEntry], writes: Transaction) -> tuple[Changes[BookEntry], None]:
        writes.put(Book(f"book#{title}", "book", owner=owner, blob=stored.key))
        jobs.enqueue(writes, MEASURE, title)
        return {title: BookEntry(owner=owner)}, None

    catalogue.publish(decide)
    return json_response({"title": title}, 201)


@service.route("GET", "/books", ANONYMOUS)
def list_books(request: Request) -> Response:
    return json_response(sorted(catalogue.snapshot().entries))


def measure(title: str) -> None:
    """Store the size of a book's file: the job that `publish` enqueues."""
    book = Book.get(f"book#{title}", "book")
    book.update(actions=[Book.size.set(blobs.size(book.blob))])


def works_of(username: str) -> list[Work]:
    found = catalogue.snapshot().entries.items()
    return [Work(title, "", f"/books/{title}") for title, entry in found if entry.value.owner == username]


books = Slice(
    name="books",
    title="Books",
    service=service,
    routes=(),
    paths=("/books",),
    tables=(Table(BooksItem, areas=("books",), blobs_of=lambda item: [item.blob]),),
    catalogues=(catalogue,),
    jobs=(JobHandler(MEASURE, measure),),
    repeating_jobs=(RepeatingJob("books-open", lambda: runs.append("books-open"), every=3600),),
    scopes=Scopes("book", "TITLE", r"[a-z]+"),
    works=Shelf("Books", works_of),
    no_events="its books are no works of the installed services",
)
